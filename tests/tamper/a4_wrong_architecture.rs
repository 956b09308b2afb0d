//! What was built and signed for one architecture, listed for another.

use spec::defence::Threat;
use spec::{Arch, ReasonCode};

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World};

#[test]
fn what_is_for_arm64_does_not_run_on_amd64() {
    let refusal = Refusal::by_judge(ReasonCode::ArchMismatch, "it is for arm64, and this machine is amd64");
    is_refused(Threat::A4, refusal, |programs| {
        let world = World::new();
        let mut tool = Extension::new("tool");
        tool.config.arch = Arch::Arm64;
        let manifest = world.publish(&tool);
        world.relist(&manifest, "tool", "1.0.0");
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

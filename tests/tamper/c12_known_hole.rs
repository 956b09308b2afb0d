//! An extension that is signed and whole, and has a hole that is known by now.

use signing::DocumentKind;
use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World, operator};

#[test]
fn what_is_below_the_floor_does_not_run() {
    let refusal = Refusal::by_judge(ReasonCode::GenerationTooLow, "tool");
    is_refused(Threat::C12, refusal, |programs| {
        let world = World::new();
        let mut tool = Extension::new("tool");
        tool.config.generations.insert("tool".parse().unwrap(), 2);
        world.publish(&tool);
        let text = "apiVersion: v1alpha1\nkind: Revocation\nversion: 1\ngenerations: {tool: 3}\n";
        world.update("revocation", DocumentKind::Revocation, text, &operator());
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

//! A module that no key of the kernel has signed, on a machine whose kernel loads signed ones only.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, KERNEL, World};

#[test]
fn a_signature_of_the_extension_is_none_of_its_modules() {
    let refusal = Refusal::by_judge(
        ReasonCode::ModuleUnsigned,
        "module driver is not signed, and the kernel loads signed modules only",
    );
    is_refused(Threat::D5, refusal, |programs| {
        let world = World::new();
        world.publish(&Extension::new("driver").module("driver", KERNEL, "0x92997ed8"));
        world.want(&["driver"]);
        programs.plan(&world, &["--sig-enforce"])
    });
}

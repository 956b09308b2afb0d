//! A module with the name of one that is there: depmod would let the one in `updates/` or `extra/` win.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused_twice};
use crate::world::{Extension, KERNEL, World};

#[test]
fn a_module_takes_no_place_of_another() {
    let refusal =
        Refusal::by_judge(ReasonCode::ModuleDuplicate, "module driver is in extension honest already");
    let next = Refusal::with_words("module driver is there twice");
    is_refused_twice(Threat::C11, refusal, next, |programs| {
        let world = World::new();
        world.publish(&Extension::new("honest").module("driver", KERNEL, "0x92997ed8"));
        world.publish(&Extension::new("thief").module("driver", KERNEL, "0x92997ed8"));
        world.want(&["honest", "thief"]);
        programs.plan(&world, &[])
    });
}

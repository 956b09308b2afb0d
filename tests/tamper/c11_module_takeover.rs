//! A module with the name of one that is there: depmod would let the one in `updates/` or `extra/` win.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, KERNEL, World};

#[test]
fn a_module_takes_no_place_of_another() {
    let refusal =
        Refusal::by_judge(ReasonCode::ModuleDuplicate, "module driver is in extension honest already");
    is_refused(Threat::C11, refusal, |programs| {
        let world = World::new();
        world.publish(&Extension::new("honest").module("driver", KERNEL, "0x92997ed8"));
        world.publish(&Extension::new("thief").module("driver", KERNEL, "0x92997ed8"));
        world.want(&["honest", "thief"]);
        programs.plan(&world, &[])
    });
}

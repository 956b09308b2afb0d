//! Two extensions with the same file: which one wins must not be a matter of luck.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World};

#[test]
fn the_later_of_two_with_one_path_stays_out() {
    let refusal = Refusal::by_judge(ReasonCode::PathCollision, "/usr/bin/same is in the extension first too");
    is_refused(Threat::C3, refusal, |programs| {
        let world = World::new();
        world.publish(&Extension::new("first").file("/usr/bin/same"));
        world.publish(&Extension::new("second").file("/usr/bin/same"));
        world.want(&["first", "second"]);
        programs.boot(&world).outcome(&world)
    });
}

//! A good signature for one name, and its artifact served under another.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World};

#[test]
fn games_are_not_the_firewall() {
    let refusal = Refusal::by_judge(
        ReasonCode::StatementMismatch,
        "key publisher has signed this manifest as \"games\", not as firewall",
    );
    is_refused(Threat::A3, refusal, |programs| {
        let world = World::new();
        let games = world.publish(&Extension::new("games"));
        world.relist(&games, "firewall", "1.0.0");
        world.want(&["firewall"]);
        programs.plan(&world, &[])
    });
}

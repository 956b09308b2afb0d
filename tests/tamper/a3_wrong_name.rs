//! A good signature for one name, and its artifact served under another.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused, is_refused_twice};
use crate::world::{Extension, World, net_publisher, operator};

#[test]
fn games_are_not_the_firewall() {
    let refusal = Refusal::by_judge(
        ReasonCode::StatementMismatch,
        "key publisher has signed this manifest as \"games\", not as firewall",
    );
    let next = Refusal::by_judge(ReasonCode::IdentityMismatch, "is of the extension games, not of firewall");
    is_refused_twice(Threat::A3, refusal, next, |programs| {
        let world = World::new();
        let games = world.publish(&Extension::new("games"));
        world.relist(&games, "firewall", "1.0.0");
        world.want(&["firewall"]);
        programs.plan(&world, &[])
    });
}

#[test]
fn a_key_signs_for_its_own_names() {
    let refusal = Refusal::by_judge(ReasonCode::KeyOutOfScope, "net-publisher");
    is_refused(Threat::A3, refusal, |programs| {
        let world = World::new();
        let tool = world.add(&Extension::new("tool"));
        world.sign(&net_publisher(), "tool", &tool);
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// An operator says which extensions run, and not what is in them.
#[test]
fn an_operator_signs_no_extensions() {
    let refusal = Refusal::by_judge(ReasonCode::KeyOutOfScope, "operator");
    is_refused(Threat::A3, refusal, |programs| {
        let world = World::new();
        let tool = world.add(&Extension::new("tool"));
        world.sign(&operator(), "tool", &tool);
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

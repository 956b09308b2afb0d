//! The publisher's key has signed something about this very manifest, but not that it may be used.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::attestation;
use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World};

/// The seed of `world::publisher`.
const PUBLISHER: u8 = 1;

#[test]
fn a_bill_of_materials_is_no_approval() {
    let refusal = Refusal::by_judge(
        ReasonCode::StatementMismatch,
        "the predicate type of the statement is \"https://spdx.dev/Document\"",
    );
    is_refused(Threat::A6, refusal, |programs| {
        let world = World::new();
        let manifest = world.add(&Extension::new("tool"));
        let bundle = attestation(PUBLISHER, PUBLISHER, "https://spdx.dev/Document", "tool", &manifest.digest);
        world.store().attach_signature(&manifest, &bundle).unwrap();
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

//! One key signs twice where two keys are demanded (CVE-2020-15093).

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::attestation;
use crate::harness::{Refusal, is_refused};
use crate::registry::world;

/// The seed of `world::publisher`.
const PUBLISHER: u8 = 1;

#[test]
fn two_signatures_by_one_key_are_one() {
    let refusal = Refusal::by_judge(ReasonCode::TooFewSignatures, "publisher");
    is_refused(Threat::A7, refusal, |programs| {
        let (world, manifest) = world();
        world.amend_trust("thresholds: {publisher: 2}");
        // The same statement in other JSON, so that the store has two bundles.
        let type_of_ours = signing::Purpose::Extension.predicate_type();
        let again = attestation(PUBLISHER, PUBLISHER, type_of_ours, "tool", &manifest.digest);
        world.store().attach_signature(&manifest, &again).unwrap();
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

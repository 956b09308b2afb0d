//! Badly signed, signed by a stranger, hardly signed at all: no mixture of them comes to a good signature.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::attestation;
use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World, stranger};

/// Seeds of `world::publisher` and `world::stranger`.
const PUBLISHER: u8 = 1;
const STRANGER: u8 = 3;

#[test]
fn bad_signatures_do_not_add_up() {
    let refusal = Refusal::by_judge(
        ReasonCode::SignatureInvalid,
        "names the key publisher, but that key has not signed these bytes",
    );
    is_refused(Threat::A8, refusal, |programs| {
        let world = World::new();
        let manifest = world.add(&Extension::new("tool"));
        world.sign(&stranger(), "tool", &manifest);
        let claimed = attestation(PUBLISHER, STRANGER, "https://spdx.dev/Document", "tool", &manifest.digest);
        for bundle in [&claimed[..], b"{}", b""] {
            world.store().attach_signature(&manifest, bundle).unwrap();
        }
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

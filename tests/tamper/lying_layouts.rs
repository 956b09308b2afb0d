//! The layout that `extfactory` takes extensions from is a stranger's: of what does not hold, no medium is made.

use std::fs;

use signing::DocumentKind;
use spec::defence::Threat;
use spec::{Digest, ReasonCode};

use crate::harness::{Outcome, Programs, Refusal, is_refused, is_refused_twice};
use crate::registry::world;
use crate::world::{Extension, World, net_publisher, operator};

/// A machine that wants `tool` gets a medium with it, or there is none.
fn composed(programs: &Programs, world: &World) -> Outcome {
    world.want(&["tool"]);
    programs.compose(world, &["--strict"])
}

#[test]
fn without_a_signature() {
    let refusal = Refusal::by_judge(ReasonCode::SignatureMissing, "tool is not signed");
    is_refused(Threat::B5, refusal, |programs| {
        let world = World::new();
        world.add(&Extension::new("tool"));
        composed(programs, &world)
    });
}

#[test]
fn with_the_signature_of_a_key_for_other_names() {
    let refusal = Refusal::by_judge(ReasonCode::KeyOutOfScope, "net-publisher");
    is_refused(Threat::A3, refusal, |programs| {
        let world = World::new();
        let tool = world.add(&Extension::new("tool"));
        world.sign(&net_publisher(), "tool", &tool);
        composed(programs, &world)
    });
}

#[test]
fn with_a_set_for_other_machines() {
    let refusal = Refusal::by_judge(ReasonCode::SetMissing, "edge");
    is_refused(Threat::A2, refusal, |programs| {
        let (world, manifest) = world();
        world.amend_trust("set: {class: edge}");
        let text = format!(
            "apiVersion: v1alpha1\nkind: ExtensionSet\nclass: core\nversion: 1\nextensions:\n  \
             - name: tool\n    version: 1.0.0\n    digest: {}\n",
            manifest.digest
        );
        world.update("set", DocumentKind::Set, &text, &operator());
        composed(programs, &world)
    });
}

/// A signed extension whose image was swapped for one with another program in it.
fn swapped() -> World {
    let (world, _) = world();
    let image = Extension::new("tool").image().0;
    // A file this small is stored as it is.
    let at = image.windows(7).position(|bytes| bytes == b"program").unwrap();
    let swapped = [&image[..at], b"malware", &image[at + 7..]].concat();
    let blob = world.blob(&Digest::of(&image));
    fs::remove_file(&blob).unwrap();
    fs::write(blob, swapped).unwrap();
    world
}

/// Whoever judges reads the image, and whoever copies it reads it again.
#[test]
fn with_other_bytes() {
    let judged = Refusal::by_judge(ReasonCode::DigestMismatch, "the image has digest");
    let copied = Refusal::with_words("has the digest");
    is_refused_twice(Threat::D1, judged, copied, |programs| composed(programs, &swapped()));
}

/// What a machine will refuse may be put onto its medium by somebody who has been told; bytes without their digest may not.
#[test]
fn with_other_bytes_and_nobody_who_minds() {
    is_refused(Threat::B1, Refusal::with_words("has the digest"), |programs| {
        let world = swapped();
        world.want(&["tool"]);
        programs.compose(&world, &[])
    });
}

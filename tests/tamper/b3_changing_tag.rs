//! A registry that answers with another artifact than the one that was chosen.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use spec::Digest;
use spec::artifact::media;
use spec::defence::Threat;
use tests::Context;

use crate::harness::{Programs, Refusal, is_refused};
use crate::registry::{registry, world};
use crate::server::Answer;
use crate::world::Extension;

#[test]
fn a_digest_means_what_has_it() {
    is_refused(Threat::B3, Refusal::with_words("has the digest"), |programs| {
        let (world, chosen) = world();
        let other = world.publish(&Extension::new("tool").version("0.9.0"));
        let other = fs::read(world.blob(&other.digest)).unwrap();
        let path = format!("manifests/{}", chosen.digest);
        let (address, _) = registry(&world, &chosen, move |request, honest| {
            if request.path.ends_with(&path) { Answer::ok(media::MANIFEST, &other) } else { honest }
        });
        programs.pull(&Context::new(), address, &format!("@{}", chosen.digest))
    });
}

/// The tag is asked for once; all the rest goes by digest.
#[test]
fn a_tag_that_moves_during_a_pull_changes_nothing() {
    let (world, first) = world();
    let other = world.publish(&Extension::new("tool").version("0.9.0"));
    let other = fs::read(world.blob(&other.digest)).unwrap();
    let asked = AtomicUsize::new(0);
    let (address, _) = registry(&world, &first, move |request, honest| {
        let moved = request.path.ends_with("/1.0.0") && asked.fetch_add(1, Ordering::Relaxed) > 0;
        if moved { Answer::ok(media::MANIFEST, &other) } else { honest }
    });
    let context = Context::new();
    let outcome = Programs::whole(Threat::B3).pull(&context, address, ":1.0.0");
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    let index = fs::read_to_string(context.dir().join("out/index.json")).unwrap();
    assert!(index.contains(&first.digest.to_string()) && !index.contains(&Digest::of(b"").to_string()));
}

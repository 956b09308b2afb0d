//! Whoever may push to a repository may add signatures: ten thousand of them, in front of the one that counts.

use std::time::{Duration, Instant};

use serde_json::json;
use spec::Digest;
use spec::artifact::{limits, media};
use spec::defence::Threat;
use tests::Context;

use crate::harness::{Outcome, Programs, comes_to_nothing};
use crate::registry::{registry, world};
use crate::server::Answer;

/// Pulls an extension with so many signatures that are not there; returns how many of them were asked for.
fn asked_for(programs: &Programs, signatures: usize) -> (Outcome, usize) {
    let (world, manifest) = world();
    let listed = |number: usize| {
        json!({"mediaType": media::MANIFEST, "digest": Digest::of(&number.to_le_bytes()), "size": 700,
               "artifactType": media::BUNDLE})
    };
    let list = json!({"schemaVersion": 2, "mediaType": media::INDEX,
                      "manifests": (0..signatures).map(listed).collect::<Vec<_>>()});
    let list = list.to_string();
    assert!(list.len() < limits::MANIFEST as usize, "the list itself would be refused");
    let (address, asked) = registry(&world, &manifest, move |request, honest| {
        if request.path.contains("/sha256-") { Answer::ok(media::INDEX, list.as_bytes()) } else { honest }
    });
    let outcome = programs.pull(&Context::new(), address, ":1.0.0");
    let asked = asked.lock().unwrap();
    let is_signature = |path: &str| path.contains("manifests/sha256:");
    (outcome, asked.iter().filter(|request| is_signature(&request.path)).count())
}

#[test]
fn no_more_signatures_are_read_than_count() {
    comes_to_nothing(Threat::B4, |programs| {
        let (outcome, asked) = asked_for(programs, limits::BUNDLES + 100);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        match asked <= limits::BUNDLES {
            true => Ok(()),
            false => Err(format!("{asked} signatures were asked for")),
        }
    });
}

#[test]
fn ten_thousand_cost_no_more() {
    let started = Instant::now();
    let (outcome, asked) = asked_for(&Programs::whole(Threat::B4), 10_000);
    assert_eq!((outcome.code, asked), (Some(0), limits::BUNDLES), "{outcome:#?}");
    assert!(outcome.said.contains("10000"), "nobody is told of the flood: {outcome:#?}");
    assert!(started.elapsed() < Duration::from_secs(60));
}

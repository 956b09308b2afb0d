//! What a registry says in headers: who must ask, and which bytes it has.
#![no_main]

#[path = "../../catalog/src/registry/challenge.rs"]
#[allow(dead_code, unreachable_pub, reason = "the registry is behind a feature that brings a network stack")]
mod challenge;
#[path = "../../catalog/src/registry/range.rs"]
#[allow(dead_code, unreachable_pub, reason = "the registry is behind a feature that brings a network stack")]
mod range;

use challenge::Challenge;
use libfuzzer_sys::fuzz_target;
use range::{ContentRange, taken};

/// Bytes of the blob that is meant.
const SIZE: u64 = 10;

fuzz_target!(|text: &str| {
    let challenge = Challenge::of(text.lines());
    if let Some(Challenge::Bearer { realm, service }) = &challenge {
        assert!(
            text.contains(realm.as_str()) && service.iter().all(|service| text.contains(service.as_str()))
        );
    }
    for line in text.lines() {
        let _ = taken(line);
        let rest = ContentRange::parse(line).filter(|range| range.is_rest(range.first, SIZE));
        assert!(rest.is_none_or(|range| range.last == SIZE - 1), "the rest ends where the blob does");
    }
});

//! A trust policy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signing::TrustPolicy;

fuzz_target!(|text: &str| {
    let Ok(policy) = TrustPolicy::parse(text, "trust.yaml") else { return };
    assert!(!policy.keys().is_empty(), "a policy trusts somebody");
    for (at, key) in policy.keys().iter().enumerate() {
        let others = &policy.keys()[..at];
        assert!(others.iter().all(|other| other.public_key() != key.public_key()), "a key counts once");
    }
});

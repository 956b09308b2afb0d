//! The documents of trust: a policy, what must not run any more, and what a class of machines runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signing::{ExtensionSet, Occasion, Revocation, Trust, TrustPolicy, Updates};

fuzz_target!(|text: &str| {
    if let Ok(policy) = TrustPolicy::parse(text, "trust.yaml") {
        assert!(!policy.keys().is_empty(), "a policy trusts somebody");
        for (at, key) in policy.keys().iter().enumerate() {
            let others = &policy.keys()[..at];
            assert!(others.iter().all(|other| other.public_key() != key.public_key()), "a key counts once");
        }
        // An update that nobody has signed changes nothing.
        let updates = Updates::of_files(vec![("update.yaml".to_owned(), text.as_bytes().to_vec())]);
        let trust = Trust::establish(policy.clone(), &updates, Occasion::Boot(None));
        assert_eq!(*trust.policy(), policy);
    }
    if let Ok(revocation) = Revocation::parse(text, "revocation.yaml") {
        let read = Revocation::parse(&revocation.to_yaml(), "written").expect("what is written can be read");
        assert_eq!(read, revocation);
    }
    if let Ok(set) = ExtensionSet::parse(text, "set.yaml") {
        let read = ExtensionSet::parse(&set.to_yaml(), "written").expect("what is written can be read");
        assert_eq!(read, set);
    }
});

//! Kernel profiles.
#![no_main]

use kabi::Profile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(profile) = Profile::parse(bytes) else { return };
    let sorted = profile.exports().map(|(symbol, _)| symbol).is_sorted_by(|one, other| one < other);
    assert!(sorted, "symbols are sorted, and each is there once");
    assert_eq!(Profile::parse(&profile.to_bytes()), Ok(profile), "what is read can be written");
});

//! The state of a node: a slot, and the document of a generation.
#![no_main]

use generations::slots::{self, Slot};
use generations::state::{Fitness, State, TRIES};
use generations::{Generation, Set};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Coverage does not lead through a checksum, so the second one is right.
    let mut sealed = slots::BLANK;
    let count = bytes.len().min(slots::SIZE);
    sealed[..count].copy_from_slice(&bytes[..count]);
    slots::seal(&mut sealed);
    for slot in [slots::decode(bytes), slots::decode(&sealed)] {
        let Slot::Sound(copy) = slot else { continue };
        follow(&copy.state);
        assert_eq!(slots::decode(&slots::encode(&copy)), Slot::Sound(copy));
    }
    if let Ok(set) = Set::parse(bytes, Generation::new(1)) {
        let written = set.to_json().expect("what was read can be written");
        assert_eq!(Set::parse(&written, set.generation).expect("what is written can be read"), set);
    }
});

/// Whatever the state is, what follows from it can be written, and boots come to an end with trials.
fn follow(state: &State) {
    let is_written = |state: &State| {
        let copy = slots::Copy { sequence: 1, state: state.clone() };
        assert_eq!(slots::decode(&slots::encode(&copy)), Slot::Sound(copy));
    };
    let staged = state.stage(Generation::new(1), TRIES);
    is_written(&staged);
    let back = state.rollback(state.current(), "why\n");
    back.iter().chain(state.confirm(Generation::new(1)).iter()).for_each(is_written);
    let mut last = staged;
    for _ in 0..=TRIES.get() {
        let boot = last.boot(|generation| match generation.number() {
            1 => Fitness::Fits,
            _ => Fitness::Damaged("it is not there".into()),
        });
        boot.write.iter().for_each(is_written);
        last = boot.write.unwrap_or(last);
    }
    assert_eq!(last.trial(), None, "nothing is tried for ever");
}

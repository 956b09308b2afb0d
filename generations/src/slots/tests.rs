use proptest::prelude::*;

use super::*;

fn copy(sequence: u64, why: &str) -> Copy {
    let trial = Some(Trial { generation: Generation::new(3), tries_left: 2 });
    let (current, previous) = (Generation::new(2), Generation::new(1));
    Copy { sequence, state: State::from_parts(current, previous, trial, why).unwrap() }
}

#[test]
fn what_is_written_can_be_read() {
    let longest = "w".repeat(WHY_MAX);
    for written in [copy(1, ""), copy(u64::MAX - 1, "because"), copy(7, &longest)] {
        assert_eq!(decode(&encode(&written)), Slot::Sound(written));
    }
}

/// As od(1) shows it: the format must not change under nodes that have it.
#[test]
fn the_bytes_are_these() {
    let block = encode(&copy(5, "why"));
    assert_eq!(&block[..16], b"TENONST1\x05\0\0\0\0\0\0\0");
    assert_eq!(&block[16..40], b"\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0");
    assert_eq!(&block[40..52], b"\x02\0\0\0\x03\0\0\0why\0");
    assert!(block[52..CHECKSUM].iter().all(|byte| *byte == 0));
}

#[test]
fn what_is_no_state_is_said_to_be_none() {
    assert_eq!(decode(&BLANK), Slot::Blank);
    assert_eq!(decode(&[]), Slot::Damaged(SlotError::Size(0)));
    assert_eq!(decode(&[0; SIZE + 1]), Slot::Damaged(SlotError::Size(SIZE + 1)));
    assert_eq!(decode(&[1; SIZE]), Slot::Damaged(SlotError::Magic));
    let mut block = encode(&copy(1, "why"));
    block[WHY] ^= 1;
    assert_eq!(decode(&block), Slot::Damaged(SlotError::Checksum));
}

/// Somebody who can compute a checksum can write these; they must neither be believed nor stop anything.
#[test]
fn impossible_states_with_a_good_checksum() {
    let changes: [(usize, &[u8]); 6] = [
        (SEQUENCE, &[0; 8]),
        (SEQUENCE, &[0xff; 8]),
        (TRIAL, &2_u64.to_le_bytes()),
        (TRIAL, &[0; 8]),
        (WHY_LENGTH, &[0xff; 4]),
        (WHY + 100, b"hidden"),
    ];
    for (at, bytes) in changes {
        let mut block = encode(&copy(1, "why"));
        block[at..at + bytes.len()].copy_from_slice(bytes);
        seal(&mut block);
        assert_eq!(decode(&block), Slot::Damaged(SlotError::Impossible), "{at}");
    }
}

#[test]
fn the_newest_is_read_and_the_other_is_written() {
    let (old, new) = (Slot::Sound(copy(4, "old")), Slot::Sound(copy(5, "new")));
    let damaged = Slot::Damaged(SlotError::Checksum);
    for (slots, newest, place, sequence) in [
        ([old.clone(), new.clone()], Some(5), 0, 6),
        ([new.clone(), old.clone()], Some(5), 1, 6),
        ([damaged.clone(), old.clone()], Some(4), 0, 5),
        ([old.clone(), damaged.clone()], Some(4), 1, 5),
        ([damaged.clone(), Slot::Blank], None, 0, 1),
        ([Slot::Blank, Slot::Blank], None, 0, 1),
        ([old.clone(), old.clone()], Some(4), 1, 5),
    ] {
        let slots = Slots::new(slots);
        assert_eq!(slots.newest().map(|copy| copy.sequence), newest);
        let (written, copy) = slots.next(State::new(""));
        assert_eq!((written, copy.sequence), (place, sequence), "{slots:?}");
    }
}

proptest! {
    #[test]
    fn any_torn_block_is_noticed(kept in 0_u8..255, why in "[a-z]{0,900}") {
        let (old, new) = (encode(&copy(4, "something longer than the new one, perhaps")), encode(&copy(6, &why)));
        let mut torn = old;
        for sector in (0..8).filter(|sector| kept & 1 << sector != 0) {
            let place = sector * 512..(sector + 1) * 512;
            torn[place.clone()].copy_from_slice(&new[place]);
        }
        let found = decode(&torn);
        prop_assert!(torn == old || torn == new || matches!(found, Slot::Damaged(_)));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..SIZE + 2)) {
        decode(&bytes);
    }
}

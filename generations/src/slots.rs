//! The two copies of the state. Each is one block; the older one is written over, and the reader takes the newest that is
//! whole. So a block that the power cut in two is one that nobody needs.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 8 | sequence number, from 1 |
//! | 16 | 8 | current generation |
//! | 24 | 8 | previous generation |
//! | 32 | 8 | generation on trial, 0 for none |
//! | 40 | 4 | tries left, 0 without a trial |
//! | 44 | 4 | length of the reason in bytes |
//! | 48 | | the reason, UTF-8, and zeros behind it |
//! | 4092 | 4 | CRC-32C of all before |
//!
//! Numbers are little-endian. A block of zeros is a slot that was never written.

use crate::checksum::crc32c;
use crate::layout::Generation;
use crate::state::{State, Trial, WHY_MAX};

/// The size of a slot: one page, and one block of the file systems that nodes have.
pub const SIZE: usize = 4096;
/// What a slot starts with; the digit is the version of the format.
pub const MAGIC: &[u8; 8] = b"TENONST1";

const SEQUENCE: usize = 8;
const CURRENT: usize = 16;
const PREVIOUS: usize = 24;
const TRIAL: usize = 32;
const TRIES: usize = 40;
const WHY_LENGTH: usize = 44;
const WHY: usize = 48;
const CHECKSUM: usize = SIZE - 4;

/// A block as it is on disk.
pub type Block = [u8; SIZE];
/// A slot that was never written.
pub const BLANK: Block = [0; SIZE];

/// What is in one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// It was never written.
    Blank,
    /// A state.
    Sound(Copy),
    /// It was not written whole, or something happened to it.
    Damaged(SlotError),
}

/// A state, and when it was written in relation to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Greater than those of all states before it.
    pub sequence: u64,
    /// The state.
    pub state: State,
}

/// A slot cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// It has another size than a slot has.
    #[error("it has {0} bytes instead of {SIZE}")]
    Size(usize),
    /// It is no slot, or one of another version.
    #[error("it does not start as a slot does")]
    Magic,
    /// Some of it was written, or something changed it.
    #[error("its checksum is wrong")]
    Checksum,
    /// It says what no state can be.
    #[error("it holds what no state can be")]
    Impossible,
    /// It could not be read at all.
    #[error("{0}")]
    Unreadable(String),
}

/// Both slots.
#[derive(Debug, Clone)]
pub struct Slots([Slot; 2]);

impl Slots {
    /// The slots with that in them.
    pub fn new(slots: [Slot; 2]) -> Slots {
        Slots(slots)
    }

    /// The newest state, if there is one.
    pub fn newest(&self) -> Option<&Copy> {
        // Of equal ones the first: nothing here writes such.
        match (self.0[0].copy(), self.0[1].copy()) {
            (Some(one), Some(other)) if other.sequence > one.sequence => Some(other),
            (Some(one), _) => Some(one),
            (None, other) => other,
        }
    }

    /// All states, the newest or not.
    pub fn copies(&self) -> impl Iterator<Item = &Copy> {
        self.0.iter().filter_map(Slot::copy)
    }

    /// What is wrong with them: the number of a slot, and what.
    pub fn damage(&self) -> impl Iterator<Item = (usize, &SlotError)> {
        self.0.iter().enumerate().filter_map(|(place, slot)| match slot {
            Slot::Damaged(error) => Some((place, error)),
            Slot::Blank | Slot::Sound(_) => None,
        })
    }

    /// Was there never a state?
    pub fn are_blank(&self) -> bool {
        self.0.iter().all(|slot| *slot == Slot::Blank)
    }

    /// Where the next state is to be written, and as what: over the slot that is not the newest.
    pub fn next(&self, state: State) -> (usize, Copy) {
        let newest = self.newest();
        let place = usize::from(newest.is_some() && newest == self.0[0].copy());
        // The reader takes no slot with the greatest number, so there is one after each.
        let sequence = newest.map_or(0, |copy| copy.sequence).saturating_add(1);
        (place, Copy { sequence, state })
    }

    /// What was in a slot before it was to be written.
    pub fn block(&self, place: usize) -> Block {
        self.0.get(place).and_then(Slot::copy).map_or(BLANK, encode)
    }

    /// The slots after that was written.
    pub fn put(&mut self, place: usize, copy: Copy) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = Slot::Sound(copy);
        }
    }
}

impl Slot {
    fn copy(&self) -> Option<&Copy> {
        match self {
            Slot::Sound(copy) => Some(copy),
            Slot::Blank | Slot::Damaged(_) => None,
        }
    }
}

/// The block that holds a state.
pub fn encode(copy: &Copy) -> Block {
    let mut block = body(copy);
    seal(&mut block);
    block
}

/// Gives a block the checksum of what is in it, sound or not.
pub fn seal(block: &mut Block) {
    let checksum = crc32c(&block[..CHECKSUM]);
    block[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
}

/// All of it but the checksum.
fn body(copy: &Copy) -> Block {
    let Copy { sequence, state } = copy;
    let (trial, tries) = state.trial().map_or((0, 0), |trial| (trial.generation.number(), trial.tries_left));
    let why = state.why().as_bytes();
    let mut block = BLANK;
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, MAGIC);
    put(SEQUENCE, &sequence.to_le_bytes());
    put(CURRENT, &state.current().number().to_le_bytes());
    put(PREVIOUS, &state.previous().number().to_le_bytes());
    put(TRIAL, &trial.to_le_bytes());
    put(TRIES, &tries.to_le_bytes());
    put(WHY_LENGTH, &(why.len() as u32).to_le_bytes());
    put(WHY, why);
    block
}

/// What is in a slot, whatever the bytes are. What is sound has one form: the bytes that [`encode`] makes of it.
pub fn decode(bytes: &[u8]) -> Slot {
    let Ok(block) = <&Block>::try_from(bytes) else {
        return Slot::Damaged(SlotError::Size(bytes.len()));
    };
    if *block == BLANK {
        return Slot::Blank;
    }
    if !block.starts_with(MAGIC) {
        return Slot::Damaged(SlotError::Magic);
    }
    if crc32c(&block[..CHECKSUM]) != u32_at(block, CHECKSUM) {
        return Slot::Damaged(SlotError::Checksum);
    }
    match copy_of(block).filter(|copy| body(copy)[..CHECKSUM] == block[..CHECKSUM]) {
        Some(copy) => Slot::Sound(copy),
        None => Slot::Damaged(SlotError::Impossible),
    }
}

fn copy_of(block: &Block) -> Option<Copy> {
    let generation = |at| Generation::new(u64_at(block, at));
    let sequence = u64_at(block, SEQUENCE);
    let length = usize::try_from(u32_at(block, WHY_LENGTH)).ok().filter(|length| *length <= WHY_MAX)?;
    let why = std::str::from_utf8(&block[WHY..WHY + length]).ok()?;
    let trial = Trial { generation: generation(TRIAL), tries_left: u32_at(block, TRIES) };
    let trial = (!trial.generation.is_base()).then_some(trial);
    let state = State::from_parts(generation(CURRENT), generation(PREVIOUS), trial, why)?;
    (1..u64::MAX).contains(&sequence).then_some(Copy { sequence, state })
}

fn u64_at(block: &Block, at: usize) -> u64 {
    block[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn u32_at(block: &Block, at: usize) -> u32 {
    block[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;

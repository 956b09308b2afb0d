//! A disk with a volatile cache, as a record of what was asked of it, and what such a disk may hold after its power failed.
//!
//! What was flushed is there. Of every write since, each sector is there or is not, whatever came before or after it: a
//! cache writes back in any order, and a write of several sectors can be cut in two. But for one: ext4 does not survive half of
//! its superblock, which lies in two sectors and has a check sum, whoever uses it; so that is always written whole.

/// The unit that a disk writes whole, in bytes.
pub(super) const SECTOR: usize = 512;

/// What is written whole at the start: the first block of ext4, with the superblock in its sectors 2 and 3.
const SUPERBLOCK_END: usize = 4096;

/// Something that was asked of the disk and answered, in the order of the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// These bytes from this offset on.
    Write {
        offset: usize,
        bytes: Vec<u8>,
        /// It was answered when it was durable (forced unit access).
        durable: bool,
    },
    /// All that was written is durable.
    Flush,
}

/// How honest the disk is about flushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Honesty {
    /// What it says it has flushed is flushed.
    Honest,
    /// It answers flushes, and forgets them: what no program can be safe on, and every check must notice.
    Lying,
}

/// What the disk holds if its power fails after `requests`: one of the many that are possible, chosen by `seed`.
pub(super) fn after_cut(base: &[u8], requests: &[Request], honesty: Honesty, seed: u64) -> Vec<u8> {
    let mut disk = base.to_vec();
    let mut chance = Chance(seed);
    let kept = Kept::draw(&mut chance);
    let flushed = match honesty {
        Honesty::Honest => requests.iter().rposition(|request| *request == Request::Flush).unwrap_or(0),
        Honesty::Lying => 0,
    };
    for (number, request) in requests.iter().enumerate() {
        let Request::Write { offset, bytes, durable } = request else { continue };
        let is_safe = number < flushed || (*durable && honesty == Honesty::Honest);
        let is_whole = kept.write(&mut chance);
        let has_superblock = chance.one_of(2);
        for (sector, piece) in bytes.chunks(SECTOR).enumerate() {
            let at = offset + sector * SECTOR;
            let by_itself = if at < SUPERBLOCK_END { has_superblock } else { chance.one_of(2) };
            if is_safe || is_whole.unwrap_or(by_itself) {
                disk[at..at + piece.len()].copy_from_slice(piece);
            }
        }
    }
    disk
}

/// What the disk holds if nothing happens to it.
pub(super) fn after_end(base: &[u8], requests: &[Request]) -> Vec<u8> {
    let mut disk = base.to_vec();
    for request in requests {
        if let Request::Write { offset, bytes, .. } = request {
            disk[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }
    disk
}

/// How much of what was not flushed is left. Chance alone would hardly ever draw the two ends.
enum Kept {
    Nothing,
    Everything,
    WholeWrites,
    Sectors,
}

impl Kept {
    fn draw(chance: &mut Chance) -> Kept {
        match chance.below(4) {
            0 => Kept::Nothing,
            1 => Kept::Everything,
            2 => Kept::WholeWrites,
            _ => Kept::Sectors,
        }
    }

    /// Is a write there? Nothing where each sector is asked.
    fn write(&self, chance: &mut Chance) -> Option<bool> {
        match self {
            Kept::Nothing => Some(false),
            Kept::Everything => Some(true),
            Kept::WholeWrites => Some(chance.one_of(2)),
            Kept::Sectors => None,
        }
    }
}

/// Numbers that follow from a seed: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators").
#[derive(Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn one_of(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(sector: usize, byte: u8, count: usize) -> Request {
        Request::Write { offset: sector * SECTOR, bytes: vec![byte; count * SECTOR], durable: false }
    }

    fn sectors(disk: &[u8]) -> Vec<u8> {
        assert!(
            disk.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])),
            "sectors are whole"
        );
        disk.chunks(SECTOR).map(|sector| sector[0]).collect()
    }

    #[test]
    fn what_was_flushed_is_there_and_the_rest_may_be() {
        let base = vec![0; 16 * SECTOR];
        let forced = Request::Write { offset: 15 * SECTOR, bytes: vec![9; SECTOR], durable: true };
        let requests =
            [write(8, 1, 2), Request::Flush, write(9, 2, 3), forced, write(13, 3, 1), write(2, 4, 2)];
        let (mut torn, mut reordered) = (false, false);
        for seed in 0..500 {
            let all = sectors(&after_cut(&base, &requests, Honesty::Honest, seed));
            assert!(all[2] == all[3], "a superblock is whole: {all:?}");
            let found = &all[8..];
            assert!(found[0] == 1 && found[7] == 9, "{found:?}");
            assert!([1, 2].contains(&found[1]) && [0, 2].contains(&found[2]) && [0, 3].contains(&found[5]));
            torn |= found[1] != found[2] && (found[1] == 2) != (found[2] == 2);
            reordered |= found[5] == 3 && found[1..4] == [1, 0, 0];
            assert_eq!(all, sectors(&after_cut(&base, &requests, Honesty::Honest, seed)));
        }
        assert!(torn && reordered);
    }

    #[test]
    fn a_liar_loses_what_it_flushed() {
        let base = vec![0; SECTOR];
        let requests = [write(0, 1, 1), Request::Flush];
        let lost = |honesty| (0..50).any(|seed| after_cut(&base, &requests, honesty, seed)[0] == 0);
        assert!(lost(Honesty::Lying) && !lost(Honesty::Honest));
    }
}

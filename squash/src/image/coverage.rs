//! Which parts of a table are already somebody's.

use std::collections::BTreeMap;
use std::ops::Range;

/// Parts of a table that do not overlap. Every part is read once, so that reading ends however often it is referred
/// to.
#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeMap<usize, usize>);

impl Coverage {
    /// How many bytes from `start` on are nobody's yet.
    pub(super) fn free_from(&self, start: usize, end: usize) -> usize {
        let before = self.0.range(..=start).next_back().map_or(0, |(_, end)| *end);
        let after = self.0.range(start..).next().map_or(end, |(start, _)| *start);
        if before > start { 0 } else { after.min(end).saturating_sub(start) }
    }

    /// Notes that `range` is somebody's, unless a part of it was before. An empty range needs no place.
    pub(super) fn claim(&mut self, range: Range<usize>) -> bool {
        let free = self.free_from(range.start, range.end) >= range.len();
        if free && !range.is_empty() {
            self.0.insert(range.start, range.end);
        }
        free
    }

    /// The first byte before `end` that is nobody's, and how many there are.
    pub(super) fn gaps(&self, end: usize) -> Option<(usize, usize)> {
        let mut at = 0;
        let mut first = None;
        let mut total = 0;
        for (&start, &next) in self.0.iter().chain([(&end, &end)]) {
            if start > at {
                first = first.or(Some(at));
                total += start - at;
            }
            at = next;
        }
        first.map(|first| (first, total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_claimed_once() {
        let mut coverage = Coverage::default();
        assert!(coverage.claim(10..20));
        for taken in [10..20, 9..11, 19..21, 0..30, 12..13] {
            assert!(!coverage.claim(taken.clone()), "{taken:?}");
        }
        assert!(coverage.claim(15..15), "nothing overlaps nothing");
        assert!(coverage.claim(20..25) && coverage.claim(0..10));
        assert_eq!(coverage.free_from(25, 40), 15);
        assert_eq!(coverage.free_from(24, 40), 0);
    }

    #[test]
    fn gaps_are_found_wherever_they_are() {
        let mut coverage = Coverage::default();
        assert_eq!(coverage.gaps(0), None);
        assert_eq!(coverage.gaps(5), Some((0, 5)));
        coverage.claim(2..4);
        assert_eq!(coverage.gaps(5), Some((0, 3)));
        coverage.claim(0..2);
        coverage.claim(4..5);
        assert_eq!(coverage.gaps(5), None);
    }
}

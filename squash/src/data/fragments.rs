//! Small files together in one block.

use spec::TreePath;

use crate::PackError;

/// Where in which fragment block a small file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FragmentRef {
    pub(crate) index: u32,
    pub(crate) offset: u32,
}

/// The fragment block that is being filled, never longer than a block.
pub(crate) struct Fragments {
    block_size: usize,
    pending: Vec<u8>,
    ended: u32,
}

impl Fragments {
    pub(crate) fn new(block_size: usize) -> Fragments {
        Fragments { block_size, pending: Vec::with_capacity(block_size), ended: 0 }
    }

    /// Gives the content of a file, 1 byte to a block, its place. What comes back first is a block that must be stored
    /// before, for it is complete without this file.
    pub(crate) fn add(
        &mut self,
        path: &TreePath,
        content: &[u8],
    ) -> Result<(Option<Vec<u8>>, FragmentRef), PackError> {
        let is_full = self.pending.len() + content.len() > self.block_size;
        let complete = if is_full || self.ends_before(path) { self.take()? } else { None };
        let offset = self.pending.len() as u32;
        self.pending.extend_from_slice(content);
        Ok((complete, FragmentRef { index: self.ended, offset }))
    }

    /// Every block from three quarters on ends at one in four names. So a file that grows moves its neighbours, but the
    /// blocks after the next such name stay what they are, and need not be compressed again when they are in a cache.
    /// Names decide and not contents, so that the file itself is not what changes the cut.
    fn ends_before(&self, path: &TreePath) -> bool {
        let nearly_full = self.pending.len() >= self.block_size / 4 * 3;
        nearly_full && blake3::hash(path.as_str().as_bytes()).as_bytes()[0].is_multiple_of(4)
    }

    /// Ends the block, if it has anything.
    pub(crate) fn take(&mut self) -> Result<Option<Vec<u8>>, PackError> {
        if self.pending.is_empty() {
            return Ok(None);
        }
        // The last number is for "no fragment".
        let next = self.ended.checked_add(1).filter(|next| *next != u32::MAX);
        self.ended = next.ok_or(PackError::TooLarge("fragment table"))?;
        Ok(Some(std::mem::replace(&mut self.pending, Vec::with_capacity(self.block_size))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks that files of these lengths make.
    fn blocks(lengths: &[usize]) -> Vec<Vec<u8>> {
        let mut fragments = Fragments::new(100);
        let mut blocks = Vec::new();
        for (number, len) in lengths.iter().enumerate() {
            let path = format!("/{number}").parse().unwrap();
            let (complete, place) = fragments.add(&path, &vec![number as u8; *len]).unwrap();
            blocks.extend(complete);
            assert_eq!(place.index as usize, blocks.len());
        }
        blocks.extend(fragments.take().unwrap());
        blocks
    }

    #[test]
    fn no_block_is_overfull_and_nothing_is_lost() {
        let lengths: Vec<usize> = (0..300).map(|number| 1 + number * 37 % 99).collect();
        let blocks = blocks(&lengths);
        assert!(blocks.iter().all(|block| (1..=100).contains(&block.len())));
        assert_eq!(blocks.iter().map(Vec::len).sum::<usize>(), lengths.iter().sum::<usize>());
    }

    #[test]
    fn blocks_far_from_a_file_that_grew_stay_the_same() {
        let mut lengths: Vec<usize> = (0..300).map(|number| 1 + number * 37 % 20).collect();
        let before = blocks(&lengths);
        lengths[100] += 5;
        let after = blocks(&lengths);
        let new = after.iter().filter(|block| !before.contains(block)).count();
        assert!((1..=8).contains(&new), "{new} of {} blocks are new", after.len());
    }
}

//! How much of an image is read before it is refused.

use spec::artifact::ContentFacts;

use super::Unreadable;

/// Bounds that whoever opens an image sets. They hold before memory is taken, whatever the image claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most files, directories and symbolic links, the root included; each counts once, whatever its number of names.
    pub inodes: u32,
    /// Most names in all directories together, the root included.
    pub names: u32,
    /// Most bytes of metadata after decompression: inodes, directories and the smaller tables together. All paths
    /// together may have as many bytes again. An opened image takes this much memory, and some 300 bytes an inode.
    pub metadata: u32,
    /// Deepest directory; the root is at depth 0.
    pub depth: u16,
    /// Most bytes in all files together, each counted once whatever its number of names.
    pub content: u64,
}

/// For images that nobody has vouched for.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Five times the largest tree that the writer is tested with.
            inodes: 1_000_000,
            names: 1_000_000,
            // What a million inodes of about 40 bytes and names of about 80 come to.
            metadata: 128 << 20,
            // Debian's deepest directories are at about 20; paths end at 4095 bytes anyway.
            depth: 256,
            // All of linux-firmware is about 1 GiB. Whoever has more can say so.
            content: 4 << 30,
        }
    }
}

impl Limits {
    /// What an image may have whose facts are signed: exactly that, and no more metadata than there can be for it. The
    /// facts do not count the names of hard links, so there is room for many.
    pub fn of(facts: &ContentFacts) -> Limits {
        let default = Limits::default();
        // An inode with the longest target (4095 bytes) and the longest name (255) is smaller than this.
        const INODE_MAX: u64 = 4608;
        // 60,000 names of the greatest length, beside the first one of each inode.
        const HARD_LINKS: u64 = 16 << 20;
        // Four bytes for each block, which has 4 KiB at least.
        let blocks = facts.bytes / 1024;
        let metadata =
            facts.inodes.saturating_mul(INODE_MAX).saturating_add(blocks).saturating_add(HARD_LINKS);
        Limits {
            inodes: u32::try_from(facts.inodes).unwrap_or(u32::MAX).min(default.inodes),
            metadata: u32::try_from(metadata).unwrap_or(u32::MAX).min(default.metadata),
            content: facts.bytes,
            ..default
        }
    }
}

/// What is left of [`Limits::metadata`].
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    limit: u32,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Budget {
        Budget { left: limits.metadata as usize, limit: limits.metadata }
    }

    /// Takes `bytes` off, before they are allocated.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Unreadable> {
        let left = usize::try_from(bytes).ok().and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or(Unreadable::Limit { what: "bytes of metadata", limit: self.limit.into() })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_facts_are_the_limits() {
        let limits = Limits::of(&ContentFacts { inodes: 10, bytes: 1 << 20 });
        assert_eq!((limits.inodes, limits.content), (10, 1 << 20));
        assert_eq!(limits.metadata, 10 * 4608 + 1024 + (16 << 20));
        let most = Limits::of(&ContentFacts { inodes: u64::MAX, bytes: u64::MAX });
        assert_eq!(most, Limits { content: u64::MAX, ..Limits::default() });
    }

    #[test]
    fn the_budget_is_taken_to_the_last_byte_and_no_further() {
        let mut budget = Budget::new(&Limits { metadata: 10, ..Limits::default() });
        assert!(budget.take(11).is_err());
        assert!(budget.take(10).is_ok());
        assert!(budget.take(0).is_ok());
        assert!(budget.take(1).is_err());
    }
}

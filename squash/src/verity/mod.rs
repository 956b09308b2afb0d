//! dm-verity: after the image, the hashes by which the kernel knows every block of it.
//!
//! What follows the data is the *verity area*: a block with the [`Superblock`], then the hash tree, its top first
//! (Linux Documentation/admin-guide/device-mapper/verity.rst, "On-disk format"). It has the bytes that
//! `veritysetup format --hash-offset` would write with the same salt and UUID, and both follow from what is built:
//! one tree and one choice of options have one verity area.
//!
//! [`HashTree`] is made of an image, and [`check`] holds an image against the facts that were signed.

use spec::verity::{BLOCK_SIZE, Salt};
use spec::{Digest, Hasher};

mod check;
mod superblock;
mod tree;

pub use check::{VerityFault, check, claimed};
pub use superblock::{MAGIC, Superblock, SuperblockError};
pub use tree::HashTree;

/// Bytes of a block, as slices count them.
pub const BLOCK: usize = BLOCK_SIZE as usize;
/// Bytes of a SHA-256.
const HASH: usize = 32;
/// Hashes in a block of the tree.
const FANOUT: u64 = (BLOCK / HASH) as u64;

/// The salt of an image. `seed` must be known before its first byte, so it is of what the image is made of and how,
/// not of the image.
///
/// A salt that everybody can compute still does what salts do here: blocks that images of different trees have in common
/// have different hashes.
pub fn salt(seed: Digest) -> Salt {
    let mut hasher = Hasher::new();
    hasher.update(b"tenon verity salt 1\0");
    hasher.update(seed.as_bytes());
    Salt::new(*hasher.finish().as_bytes())
}

/// Bytes of the verity area after this many bytes of data.
pub fn area_len(data_size: u64) -> u64 {
    let tree: u64 = level_lengths(data_size.div_ceil(BLOCK_SIZE)).iter().sum();
    (1 + tree) * BLOCK_SIZE
}

/// How many blocks each level of the tree has, the one with the hashes of the data first. One block of data has no
/// level: its hash is the root.
fn level_lengths(data_blocks: u64) -> Vec<u64> {
    let above = |blocks: &u64| (*blocks > 1).then(|| blocks.div_ceil(FANOUT));
    std::iter::successors(above(&data_blocks), above).collect()
}

/// Hashes blocks: SHA-256 of the salt and the block, which is hash format 1.
#[derive(Debug, Clone)]
struct BlockHasher(Hasher);

impl BlockHasher {
    fn new(salt: Salt) -> BlockHasher {
        let mut hasher = Hasher::new();
        hasher.update(salt.as_bytes());
        BlockHasher(hasher)
    }

    /// A hasher that has seen the salt and waits for a block.
    fn start(&self) -> Hasher {
        self.0.clone()
    }

    fn hash(&self, block: &[u8]) -> Digest {
        let mut hasher = self.start();
        hasher.update(block);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_end_at_one_block() {
        let cases: [(u64, &[u64]); 6] = [
            (1, &[]),
            (2, &[1]),
            (128, &[1]),
            (129, &[2, 1]),
            (128 * 128, &[128, 1]),
            (128 * 128 + 1, &[129, 2, 1]),
        ];
        for (blocks, levels) in cases {
            assert_eq!(level_lengths(blocks), levels, "{blocks}");
            assert_eq!(area_len(blocks * BLOCK_SIZE), (1 + levels.iter().sum::<u64>()) * BLOCK_SIZE);
        }
        assert_eq!(area_len(u64::MAX) % BLOCK_SIZE, 0, "no size is too large");
    }

    #[test]
    fn seeds_give_salts() {
        let [one, two] = [b"one", b"two"].map(|seed| salt(Digest::of(seed)));
        assert_ne!(one, two);
        assert_ne!(one.as_bytes(), Digest::of(b"one").as_bytes());
    }
}

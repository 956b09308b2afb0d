//! The hash tree, made while the image goes by.

use std::io::{self, Write};

use spec::verity::{BLOCK_SIZE, Salt, VerityFacts};
use spec::{Digest, Hasher};

use super::{BLOCK, BlockHasher, FANOUT, HASH, Superblock};

/// The hashes of the blocks of an image so far. They stay in memory until the end: 32 bytes for each 4096 of the
/// image, so 2 MB for 256 MB.
#[derive(Debug, Clone)]
pub struct Leaves {
    salt: Salt,
    hasher: BlockHasher,
    /// The hash of the block that is not complete yet, and how many of its bytes are in it.
    current: Hasher,
    filled: usize,
    hashes: Vec<Digest>,
}

impl Leaves {
    /// The hashes of nothing yet.
    pub fn new(salt: Salt) -> Leaves {
        let hasher = BlockHasher::new(salt);
        Leaves { salt, current: hasher.start(), hasher, filled: 0, hashes: Vec::new() }
    }

    /// Takes the next bytes of the image, however many.
    pub fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(BLOCK - self.filled));
            self.current.update(part);
            self.filled += part.len();
            if self.filled == BLOCK {
                let block = std::mem::replace(&mut self.current, self.hasher.start());
                self.hashes.push(block.finish());
                self.filled = 0;
            }
            bytes = rest;
        }
    }

    /// Makes the tree of an image whose first block is this one, whatever came first: the superblock of an image
    /// can be written only when everything after it is known.
    ///
    /// An image without a whole last block is hashed as if zeros filled it; they must then be written, too. There is
    /// no empty image, because the first block is always there.
    pub fn finish(mut self, first: &[u8; BLOCK]) -> HashTree {
        if self.filled > 0 {
            self.append(&vec![0; BLOCK - self.filled]);
        }
        let first = self.hasher.hash(first);
        match self.hashes.first_mut() {
            Some(hash) => *hash = first,
            None => self.hashes.push(first),
        }
        HashTree::above(self.hashes, self.salt, &self.hasher)
    }
}

/// The hash tree of an image.
#[derive(Debug, Clone)]
pub struct HashTree {
    salt: Salt,
    root: Digest,
    data_blocks: u64,
    /// The hashes of the data, then those of the blocks that hold these, and so on; the last has one block.
    levels: Vec<Vec<Digest>>,
}

impl HashTree {
    /// `leaves` has at least one hash.
    fn above(leaves: Vec<Digest>, salt: Salt, hasher: &BlockHasher) -> HashTree {
        let data_blocks = leaves.len() as u64;
        let mut levels = Vec::new();
        let mut hashes = leaves;
        while hashes.len() > 1 {
            let above = blocks(&hashes).map(|block| hasher.hash(&block)).collect();
            levels.push(std::mem::replace(&mut hashes, above));
        }
        HashTree { salt, root: hashes[0], data_blocks, levels }
    }

    /// What opens the image.
    pub fn facts(&self) -> VerityFacts {
        VerityFacts { root_hash: self.root, salt: self.salt, hash_offset: self.data_blocks * BLOCK_SIZE }
    }

    /// Writes the verity area, [`super::area_len`] bytes of it; it belongs right after the data.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&Superblock::new(self.root, self.data_blocks, self.salt).to_block())?;
        self.levels.iter().rev().flat_map(|hashes| blocks(hashes)).try_for_each(|block| out.write_all(&block))
    }
}

/// A level as it is on disk: hash after hash, and zeros to the end of the last block.
fn blocks(hashes: &[Digest]) -> impl Iterator<Item = [u8; BLOCK]> {
    hashes.chunks(FANOUT as usize).map(|hashes| {
        let mut block = [0; BLOCK];
        for (place, hash) in block.chunks_mut(HASH).zip(hashes) {
            place.copy_from_slice(hash.as_bytes());
        }
        block
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verity::area_len;

    const SALT: [u8; 32] = [9; 32];

    fn area(tree: &HashTree) -> Vec<u8> {
        let mut bytes = Vec::new();
        tree.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_root_of_one_block_is_its_hash() {
        let tree = Leaves::new(Salt::new(SALT)).finish(&[1; BLOCK]);
        assert_eq!(tree.facts().root_hash, Digest::of(&[&SALT[..], &[1; BLOCK]].concat()));
        assert_eq!((tree.facts().hash_offset, area(&tree).len()), (BLOCK_SIZE, BLOCK));
    }

    #[test]
    fn the_first_block_counts_as_it_is_at_the_end() {
        let tree_of = |image: &[u8]| {
            let mut leaves = Leaves::new(Salt::new(SALT));
            leaves.append(image);
            leaves.finish(&[3; BLOCK])
        };
        let [early, late] = [0, 3].map(|first| tree_of(&[vec![first; BLOCK], vec![5; 200 * BLOCK]].concat()));
        assert_eq!(early.facts(), late.facts());
        assert_eq!(area(&early), area(&late));
        assert_eq!(area(&late).len() as u64, area_len(late.facts().hash_offset));
    }

    #[test]
    fn a_block_that_is_not_whole_is_one_with_zeros() {
        let mut short = Leaves::new(Salt::new(SALT));
        short.append(&[1; BLOCK + 10]);
        let mut whole = short.clone();
        whole.append(&[0; BLOCK - 10]);
        let [short, whole] = [short, whole].map(|leaves| leaves.finish(&[1; BLOCK]).facts());
        assert_eq!(short, whole);
    }
}

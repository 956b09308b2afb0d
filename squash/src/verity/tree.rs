//! The hash tree of an image.

use std::io::{self, Read, Write};

use spec::Digest;
use spec::verity::{BLOCK_SIZE, Salt, VerityFacts};

use super::{BLOCK, BlockHasher, FANOUT, HASH, Superblock};

/// How many blocks are read at once.
const BLOCKS_READ: usize = 64;

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
    /// Hashes an image. One without a whole last block is hashed as if zeros filled it, which must then be written, too;
    /// an empty one is a block of zeros.
    ///
    /// The hashes stay in memory: 32 bytes for each 4096 of the image, so 2 MB for 256 MB.
    pub fn of(mut image: impl Read, salt: Salt) -> io::Result<HashTree> {
        let hasher = BlockHasher::new(salt);
        let mut hashes = Vec::new();
        let mut chunk = Vec::with_capacity(BLOCKS_READ * BLOCK);
        loop {
            chunk.clear();
            let read = (&mut image).take((BLOCKS_READ * BLOCK) as u64).read_to_end(&mut chunk)?;
            if read == 0 && !hashes.is_empty() {
                break;
            }
            chunk.resize(read.next_multiple_of(BLOCK).max(BLOCK), 0);
            hashes.extend(chunk.chunks(BLOCK).map(|block| hasher.hash(block)));
        }
        Ok(HashTree::above(hashes, salt, &hasher))
    }

    /// The tree above the hashes of the data, of which there is at least one.
    fn above(mut hashes: Vec<Digest>, salt: Salt, hasher: &BlockHasher) -> HashTree {
        let data_blocks = hashes.len() as u64;
        let mut levels = Vec::new();
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

    fn tree(image: &[u8]) -> HashTree {
        HashTree::of(image, Salt::new(SALT)).unwrap()
    }

    #[test]
    fn the_root_of_one_block_is_its_hash() {
        let tree = tree(&[1; BLOCK]);
        assert_eq!(tree.facts().root_hash, Digest::of(&[&SALT[..], &[1; BLOCK]].concat()));
        assert_eq!((tree.facts().hash_offset, area(&tree).len()), (BLOCK_SIZE, BLOCK));
    }

    #[test]
    fn an_image_of_any_length_has_the_area_that_is_made_room_for() {
        for blocks in [1, 2, BLOCKS_READ, BLOCKS_READ + 1, FANOUT as usize, FANOUT as usize + 1, 300] {
            let tree = tree(&vec![5; blocks * BLOCK]);
            assert_eq!(tree.facts().hash_offset, (blocks * BLOCK) as u64);
            assert_eq!(area(&tree).len() as u64, area_len(tree.facts().hash_offset));
        }
    }

    #[test]
    fn a_block_that_is_not_whole_is_one_with_zeros() {
        let short = [1; BLOCK + 10];
        let whole = [&short[..], &[0; BLOCK - 10]].concat();
        assert_eq!(tree(&short).facts(), tree(&whole).facts());
        assert_eq!(tree(&[]).facts(), tree(&[0; BLOCK]).facts());
    }
}

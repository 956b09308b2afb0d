//! Is every block of an image the one that its root hash stands for?

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use spec::verity::{BLOCK_SIZE, VerityFacts};
use spec::{Diagnose, Digest, Outcome};

use super::{BLOCK, BlockHasher, FANOUT, HASH, Superblock, SuperblockError, area_len, level_lengths};

/// Reads the whole image and holds each byte of it against the facts: the data and the tree by their hashes, and of
/// the rest, whether it is what [`super::HashTree::write`] writes. That includes the UUID, so a tree that others made
/// passes only if they were given ours.
///
/// Every block is read once and in one piece, and what was hashed is what the next step uses. Half a megabyte and
/// a block for each level of the tree are in memory.
///
/// # Errors
/// The first [`VerityFault`]; which one does not depend on what the image says about itself.
pub fn check(image: &File, facts: &VerityFacts) -> Result<(), VerityFault> {
    let data_blocks = facts.data_blocks().ok_or(VerityFault::Offset(facts.hash_offset))?.get();
    must_end_after_tree(image, facts.hash_offset)?;
    let at = facts.hash_offset;
    Superblock::new(facts.root_hash, data_blocks, facts.salt)
        .must_be(&read_block(image, at)?)
        .map_err(|source| VerityFault::Superblock { at, source })?;
    Walk::new(image, facts, data_blocks).all()
}

/// The facts that an image states about itself, whose data ends at `hash_offset`. Nobody vouches for them: checking
/// the image against them shows damage, not forgery.
///
/// # Errors
/// [`VerityFault`], where there is no verity area like ours.
pub fn claimed(image: &File, hash_offset: u64) -> Result<VerityFacts, VerityFault> {
    must_end_after_tree(image, hash_offset)?;
    let at = hash_offset;
    let superblock =
        Superblock::read(&read_block(image, at)?).map_err(|source| VerityFault::Superblock { at, source })?;
    if at == 0 || superblock.data_blocks.checked_mul(BLOCK_SIZE) != Some(at) {
        return Err(VerityFault::Offset(at));
    }
    // The root is the hash of the first block of the tree, or of the only block of data where there is no tree.
    let top = if superblock.data_blocks > 1 { at + BLOCK_SIZE } else { 0 };
    let root_hash = BlockHasher::new(superblock.salt).hash(&read_block(image, top)?);
    Ok(VerityFacts { root_hash, salt: superblock.salt, hash_offset })
}

fn must_end_after_tree(image: &File, hash_offset: u64) -> Result<(), VerityFault> {
    let wanted = hash_offset.saturating_add(area_len(hash_offset));
    let found = image.metadata().map_err(VerityFault::Read)?.len();
    if found == wanted { Ok(()) } else { Err(VerityFault::Length { wanted, found }) }
}

/// Goes through the data from front to back, and along above it through the tree.
struct Walk<'a> {
    image: &'a File,
    hasher: BlockHasher,
    root: Digest,
    data_blocks: u64,
    /// The hashes of the data first.
    levels: Vec<Level>,
}

/// A level of the tree and where the walk is in it.
struct Level {
    /// Where the level begins in the image.
    start: u64,
    /// How many hashes it has.
    hashes: u64,
    /// The current block, after it was found to be right.
    block: [u8; BLOCK],
}

impl<'a> Walk<'a> {
    fn new(image: &'a File, facts: &VerityFacts, data_blocks: u64) -> Walk<'a> {
        let mut levels = Vec::new();
        let mut start = facts.hash_offset + area_len(facts.hash_offset);
        let mut hashes = data_blocks;
        for blocks in level_lengths(data_blocks) {
            start -= blocks * BLOCK_SIZE;
            levels.push(Level { start, hashes, block: [0; BLOCK] });
            hashes = blocks;
        }
        let hasher = BlockHasher::new(facts.salt);
        Walk { image, hasher, root: facts.root_hash, data_blocks, levels }
    }

    fn all(mut self) -> Result<(), VerityFault> {
        let mut buffer = vec![0; BLOCK * FANOUT as usize];
        for leaf in 0..self.data_blocks.div_ceil(FANOUT) {
            self.enter(leaf)?;
            let first = leaf * FANOUT;
            let count = FANOUT.min(self.data_blocks - first);
            let data = &mut buffer[..count as usize * BLOCK];
            self.image.read_exact_at(data, first * BLOCK_SIZE).map_err(VerityFault::Read)?;
            for (block, bytes) in (first..).zip(data.chunks(BLOCK)) {
                if self.hasher.hash(bytes).as_bytes() != self.expected(0, block) {
                    return Err(VerityFault::Data { block });
                }
            }
        }
        Ok(())
    }

    /// Reads the blocks of the tree that begin at this block of the lowest level, the topmost first.
    fn enter(&mut self, leaf: u64) -> Result<(), VerityFault> {
        for depth in (0..self.levels.len()).rev() {
            let covers = FANOUT.pow(depth as u32);
            if leaf.is_multiple_of(covers) {
                self.levels[depth].block = self.tree_block(depth, leaf / covers)?;
            }
        }
        Ok(())
    }

    fn tree_block(&self, depth: usize, index: u64) -> Result<[u8; BLOCK], VerityFault> {
        let level = &self.levels[depth];
        let at = level.start + index * BLOCK_SIZE;
        let block = read_block(self.image, at)?;
        let used = FANOUT.min(level.hashes - index * FANOUT) as usize * HASH;
        let is_right = self.hasher.hash(&block).as_bytes() == self.expected(depth + 1, index)
            && block[used..].iter().all(|byte| *byte == 0);
        if is_right { Ok(block) } else { Err(VerityFault::Tree { at }) }
    }

    /// The hash that block `index` must have; the data is at depth 0, the tree above it.
    fn expected(&self, depth: usize, index: u64) -> &[u8] {
        let Some(level) = self.levels.get(depth) else {
            return self.root.as_bytes();
        };
        let at = (index % FANOUT) as usize * HASH;
        &level.block[at..at + HASH]
    }
}

fn read_block(image: &File, at: u64) -> Result<[u8; BLOCK], VerityFault> {
    let mut block = [0; BLOCK];
    image.read_exact_at(&mut block, at).map_err(VerityFault::Read)?;
    Ok(block)
}

/// Why an image is not the one that its verity facts are about.
#[derive(Debug, thiserror::Error)]
pub enum VerityFault {
    /// It could not be read to its end.
    #[error("the image cannot be read")]
    Read(#[source] io::Error),
    /// The facts are about no image, or those of the image about another one.
    #[error("{0} is not where the data of the image can end, in whole blocks of 4096 bytes")]
    Offset(u64),
    /// Something is missing or follows.
    #[error("the image has {found} bytes; with its hash tree it must have {wanted}")]
    Length {
        /// What it has, in bytes.
        found: u64,
        /// What the facts imply, in bytes.
        wanted: u64,
    },
    /// The verity superblock is another one.
    #[error("byte {at}: there is no verity superblock of the image")]
    Superblock {
        /// Where it is, in bytes.
        at: u64,
        /// Which field.
        #[source]
        source: SuperblockError,
    },
    /// Data that was not there when the hash tree was made.
    #[error("block {block} of the image, at byte {}, does not have the hash that the tree has for it", block * BLOCK_SIZE)]
    Data {
        /// Its number, from 0, in blocks of 4096 bytes.
        block: u64,
    },
    /// Hashes that were not there when the root hash was made.
    #[error("the block of the hash tree at byte {at} is not the one that the root hash stands for")]
    Tree {
        /// Where it is, in bytes.
        at: u64,
    },
}

impl Diagnose for VerityFault {
    fn outcome(&self) -> Outcome {
        match self {
            VerityFault::Read(_) => Outcome::Unavailable,
            VerityFault::Offset(_)
            | VerityFault::Length { .. }
            | VerityFault::Superblock { .. }
            | VerityFault::Data { .. }
            | VerityFault::Tree { .. } => Outcome::Refused,
        }
    }
}

//! A block in its shorter form: from the cache, or compressed now.

use super::read::{Of, Piece};
use crate::cache::{Blocks, Cached};
use crate::compress::Compressor;
use crate::format::DATA_RAW;
use crate::{Options, PackError};

/// A piece as it will lie in the image.
#[derive(Debug)]
pub(super) struct Packed {
    /// Nothing where there are only zeros.
    pub(super) bytes: Vec<u8>,
    is_raw: bool,
    pub(super) of: Of,
    /// Its length before compression.
    pub(super) len: usize,
    /// How many bytes of content are dealt with when it is stored.
    pub(super) done: u64,
}

impl Packed {
    /// Its size as inodes and fragment tables have it; 0 is a block of zeros.
    pub(super) fn size(&self) -> u32 {
        // A block has at most 1 MiB.
        let flag = if self.is_raw { DATA_RAW } else { 0 };
        flag | self.bytes.len() as u32
    }
}

/// What one thread stores pieces with.
pub(super) struct Packer<'a> {
    compressor: Compressor,
    cache: Option<&'a Blocks<'a>>,
}

impl<'a> Packer<'a> {
    pub(super) fn new(options: &Options, cache: Option<&'a Blocks<'a>>) -> Result<Packer<'a>, PackError> {
        Ok(Packer { compressor: Compressor::new(options.compression, options.block_size)?, cache })
    }

    pub(super) fn store(&mut self, piece: Piece) -> Result<Packed, PackError> {
        let Piece { bytes, of, done } = piece;
        let len = bytes.len();
        let is_hole = matches!(of, Of::File(_)) && is_zero(&bytes);
        let short = if is_hole { Some(Vec::new()) } else { self.shorten(&bytes)? };
        let is_raw = short.is_none();
        Ok(Packed { bytes: short.unwrap_or(bytes), is_raw, of, len, done })
    }

    /// The compressed form of a block; nothing if it is not shorter.
    fn shorten(&mut self, block: &[u8]) -> Result<Option<Vec<u8>>, PackError> {
        let Some(cache) = self.cache else { return Ok(self.compressor.store(block)?.shorter()) };
        let name = cache.name(block);
        match cache.get(&name, block.len()) {
            Some(Cached::Compressed(short)) => Ok(Some(short)),
            Some(Cached::Raw) => Ok(None),
            None => {
                let stored = self.compressor.store(block)?;
                cache.put(&name, stored);
                Ok(stored.shorter())
            }
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|part| part == &ZEROS[..part.len()])
}

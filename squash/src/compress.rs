//! One block in, the shorter of its two forms out.

use crate::{Level, PackError};

/// A zstd context that is used again for every block.
pub(crate) struct Compressor {
    context: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

/// A block as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored<'a> {
    /// A zstd frame, shorter than the block.
    Compressed(&'a [u8]),
    /// The block as it is, because compression would not make it shorter.
    Raw(&'a [u8]),
}

impl Compressor {
    pub(crate) fn new(level: Level) -> Result<Compressor, PackError> {
        let context = zstd::bulk::Compressor::new(level.get()).map_err(PackError::Compress)?;
        Ok(Compressor { context, buffer: Vec::new() })
    }

    pub(crate) fn store<'a>(&'a mut self, block: &'a [u8]) -> Result<Stored<'a>, PackError> {
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(block.len()));
        self.context.compress_to_buffer(block, &mut self.buffer).map_err(PackError::Compress)?;
        let shorter = self.buffer.len() < block.len();
        Ok(if shorter { Stored::Compressed(&self.buffer) } else { Stored::Raw(block) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_never_grows_and_a_context_forgets_the_block_before() {
        let mut compressor = Compressor::new(Level::default()).unwrap();
        let noise: Vec<u8> = (0..32u8).flat_map(|n| *spec::Digest::of(&[n]).as_bytes()).collect();
        let text = b"all work and no play ".repeat(50);
        let first = match compressor.store(&text).unwrap() {
            Stored::Compressed(bytes) => bytes.to_vec(),
            raw => panic!("{raw:?}"),
        };
        assert_eq!(zstd::bulk::decompress(&first, text.len()).unwrap(), text);
        assert_eq!(compressor.store(&noise).unwrap(), Stored::Raw(&noise));
        assert_eq!(compressor.store(&text).unwrap(), Stored::Compressed(&first));
    }
}

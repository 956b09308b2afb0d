//! One block in, the shorter of its two forms out.

use std::io;

use flate2::{Compress, FlushCompress, Status};
use liblzma::stream::{Action, Check, Filters, LzmaOptions, Stream};

use crate::PackError;
use crate::format::METADATA_SIZE;
use crate::options::{BlockSize, Compression, Method};

/// A compressor that is used again for every block.
pub(crate) struct Compressor {
    engine: Engine,
    buffer: Vec<u8>,
}

enum Engine {
    Zstd(zstd::bulk::Compressor<'static>),
    Gzip(Compress),
    Xz { preset: u32, dictionary: u32 },
    Lz4,
}

/// A block as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored<'a> {
    /// A compressed stream, shorter than the block.
    Compressed(&'a [u8]),
    /// The block as it is, because compression would not make it shorter.
    Raw(&'a [u8]),
}

impl Stored<'_> {
    /// The compressed form, if it is shorter.
    pub(crate) fn shorter(self) -> Option<Vec<u8>> {
        match self {
            Stored::Compressed(bytes) => Some(bytes.to_vec()),
            Stored::Raw(_) => None,
        }
    }
}

impl Compressor {
    pub(crate) fn new(compression: Compression, block_size: BlockSize) -> Result<Compressor, PackError> {
        let level = compression.level();
        let engine = match compression.method() {
            Method::Zstd => {
                Engine::Zstd(zstd::bulk::Compressor::new(level.into()).map_err(PackError::Compress)?)
            }
            Method::Gzip => Engine::Gzip(Compress::new(flate2::Compression::new(level.into()), true)),
            Method::Xz => Engine::Xz { preset: level.into(), dictionary: block_size.get() },
            Method::Lz4 => Engine::Lz4,
        };
        Ok(Compressor { engine, buffer: Vec::new() })
    }

    pub(crate) fn store<'a>(&'a mut self, block: &'a [u8]) -> Result<Stored<'a>, PackError> {
        self.buffer.clear();
        let shorter = self.engine.compress(block, &mut self.buffer).map_err(PackError::Compress)?;
        Ok(if shorter { Stored::Compressed(&self.buffer) } else { Stored::Raw(block) })
    }
}

impl Engine {
    /// Fills the empty buffer with the compressed block; false if it is not shorter than the block, and the buffer
    /// worth nothing.
    fn compress(&mut self, block: &[u8], buffer: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Engine::Zstd(context) => {
                buffer.reserve_exact(zstd::zstd_safe::compress_bound(block.len()));
                context.compress_to_buffer(block, buffer)?;
            }
            Engine::Gzip(stream) => {
                buffer.reserve_exact(block.len());
                stream.reset();
                if stream.compress_vec(block, buffer, FlushCompress::Finish)? != Status::StreamEnd {
                    return Ok(false);
                }
            }
            Engine::Xz { preset, dictionary } => {
                buffer.reserve_exact(block.len());
                let ended = xz(*preset, *dictionary)?.process_vec(block, buffer, Action::Finish)?;
                if ended != liblzma::stream::Status::StreamEnd {
                    return Ok(false);
                }
            }
            Engine::Lz4 => {
                buffer.resize(lz4_flex::block::get_maximum_output_size(block.len()), 0);
                let len = lz4_flex::block::compress_into(block, buffer).map_err(io::Error::other)?;
                buffer.truncate(len);
            }
        }
        Ok(buffer.len() < block.len())
    }
}

/// The kernel unpacks xz with a dictionary of one block (fs/squashfs/xz_wrapper.c, `squashfs_xz_comp_opts`) and knows
/// no checks but CRC-32 (lib/xz/xz_dec_stream.c).
fn xz(preset: u32, dictionary: u32) -> io::Result<Stream> {
    let mut options = LzmaOptions::new_preset(preset)?;
    options.dict_size(dictionary.max(METADATA_SIZE as u32));
    let mut filters = Filters::new();
    filters.lzma2(&options);
    Ok(Stream::new_stream_encoder(&filters, Check::Crc32)?)
}

/// What the compressor options after the superblock say, so that a reader of the image knows how it was made; lz4 must
/// have them.
///
/// The structures are `zstd_comp_opts`, `gzip_comp_opts`, `xz_comp_opts` (`disk_comp_opts` in the kernel's
/// xz_wrapper.c) and `lz4_comp_opts` of squashfs-tools.
pub(crate) fn options(compression: Compression, block_size: BlockSize) -> Vec<u8> {
    let level = u32::from(compression.level()).to_le_bytes();
    match compression.method() {
        Method::Zstd => level.to_vec(),
        // Window of 15 bits, and no strategies, of which the default is the only one.
        Method::Gzip => [level.as_slice(), &15u16.to_le_bytes(), &0u16.to_le_bytes()].concat(),
        // No filters for machine code.
        Method::Xz => [block_size.get().max(METADATA_SIZE as u32).to_le_bytes(), 0u32.to_le_bytes()].concat(),
        // `LZ4_LEGACY`, and not the high-compression variant.
        Method::Lz4 => [1u32.to_le_bytes(), 0u32.to_le_bytes()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_form_is_stored() {
        for method in [Method::Zstd, Method::Gzip, Method::Xz, Method::Lz4] {
            let compression = Compression::new(method, None).unwrap();
            let mut compressor = Compressor::new(compression, BlockSize::default()).unwrap();
            for _ in 0..2 {
                assert!(
                    matches!(compressor.store(&[7; 4096]).unwrap(), Stored::Compressed(short) if short.len() < 100)
                );
                assert_eq!(compressor.store(b"short").unwrap(), Stored::Raw(b"short"), "{method}");
            }
        }
    }
}

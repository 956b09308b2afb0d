//! Blocks of an image, decompressed into a place of a fixed size.

use crate::options::Method;

/// Most memory that the xz decoder of one block may take, in bytes. A dictionary is never larger than a block, and so
/// than 1 MiB (Linux fs/squashfs/xz_wrapper.c, `squashfs_xz_comp_opts`); what liblzma needs besides is some 100 KiB.
const XZ_MEMORY_MAX: u64 = 4 << 20;

/// The stored bytes are not those of a block: they are damaged, or would make more than the block may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadBlock;

/// Undoes one [`Method`], with its memory kept from block to block.
pub(crate) enum Decompressor {
    /// Boxed, as the state of zlib is large and that of the others is behind a pointer.
    Gzip(Box<flate2::Decompress>),
    Lz4,
    Xz,
    Zstd(zstd::bulk::Decompressor<'static>),
}

impl Decompressor {
    /// It fails only where there is no memory.
    pub(crate) fn new(method: Method) -> std::io::Result<Decompressor> {
        Ok(match method {
            Method::Gzip => Decompressor::Gzip(Box::new(flate2::Decompress::new(true))),
            Method::Lz4 => Decompressor::Lz4,
            Method::Xz => Decompressor::Xz,
            Method::Zstd => Decompressor::Zstd(zstd::bulk::Decompressor::new()?),
        })
    }

    /// Fills the front of `place` and says how much of it. All of `stored` must belong to the block.
    pub(crate) fn decompress(&mut self, stored: &[u8], place: &mut [u8]) -> Result<usize, BadBlock> {
        match self {
            // To zstd this is a whole number of frames, namely none.
            _ if stored.is_empty() => Err(BadBlock),
            Decompressor::Gzip(zlib) => inflate(zlib, stored, place),
            Decompressor::Lz4 => lz4_flex::block::decompress_into(stored, place).map_err(|_| BadBlock),
            Decompressor::Xz => unxz(stored, place),
            Decompressor::Zstd(zstd) => zstd.decompress_to_buffer(stored, place).map_err(|_| BadBlock),
        }
    }
}

fn inflate(zlib: &mut flate2::Decompress, stored: &[u8], place: &mut [u8]) -> Result<usize, BadBlock> {
    zlib.reset(true);
    let status = zlib.decompress(stored, place, flate2::FlushDecompress::Finish).map_err(|_| BadBlock)?;
    let whole = status == flate2::Status::StreamEnd && zlib.total_in() == stored.len() as u64;
    // What was written has room in `place`, so it is counted by usize.
    if whole { Ok(zlib.total_out() as usize) } else { Err(BadBlock) }
}

fn unxz(stored: &[u8], place: &mut [u8]) -> Result<usize, BadBlock> {
    use liblzma::stream::{Action, Status, Stream};
    let mut stream = Stream::new_stream_decoder(XZ_MEMORY_MAX, 0).map_err(|_| BadBlock)?;
    let status = stream.process(stored, place, Action::Finish).map_err(|_| BadBlock)?;
    let whole = status == Status::StreamEnd && stream.total_in() == stored.len() as u64;
    if whole { Ok(stream.total_out() as usize) } else { Err(BadBlock) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const METHODS: [Method; 4] = [Method::Gzip, Method::Lz4, Method::Xz, Method::Zstd];

    fn stored(method: Method, bytes: &[u8]) -> Vec<u8> {
        match method {
            Method::Gzip => {
                let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                zlib.write_all(bytes).unwrap();
                zlib.finish().unwrap()
            }
            Method::Lz4 => lz4_flex::block::compress(bytes),
            Method::Xz => {
                let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
                xz.write_all(bytes).unwrap();
                xz.finish().unwrap()
            }
            Method::Zstd => zstd::bulk::compress(bytes, 1).unwrap(),
        }
    }

    #[test]
    fn blocks_come_back_and_fill_no_more_than_their_place() {
        for method in METHODS {
            let mut decompressor = Decompressor::new(method).unwrap();
            let bytes = vec![7; 5000];
            let stored = stored(method, &bytes);
            let mut place = vec![0; 8192];
            for _ in 0..2 {
                assert_eq!(decompressor.decompress(&stored, &mut place), Ok(5000), "{method}");
                assert_eq!(place[..5000], bytes, "{method}");
            }
            assert_eq!(decompressor.decompress(&stored, &mut place[..5000]), Ok(5000), "{method}");
            assert_eq!(decompressor.decompress(&stored, &mut place[..4999]), Err(BadBlock), "{method}");
        }
    }

    #[test]
    fn a_block_that_is_cut_short_or_has_more_is_refused() {
        for method in METHODS {
            let mut decompressor = Decompressor::new(method).unwrap();
            let stored = stored(method, b"0123456789 0123456789 0123456789");
            let mut place = vec![0; 8192];
            for len in 0..stored.len() - 1 {
                let cut = decompressor.decompress(&stored[..len], &mut place);
                // The last literals of an LZ4 block end where the block ends, so a cut within them cannot show.
                assert!(cut == Err(BadBlock) || method == Method::Lz4 && cut != Ok(32), "{method} {len}");
            }
            if method != Method::Lz4 {
                let more = [&stored[..], b"more"].concat();
                assert_eq!(decompressor.decompress(&more, &mut place), Err(BadBlock), "{method}");
            }
        }
    }

    /// A dictionary of 64 MiB is announced, and must not be allocated.
    #[test]
    fn xz_takes_no_more_memory_than_its_limit() {
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 9);
        xz.write_all(&[7; 100]).unwrap();
        let stored = xz.finish().unwrap();
        let mut decompressor = Decompressor::new(Method::Xz).unwrap();
        assert_eq!(decompressor.decompress(&stored, &mut [0; 8192]), Err(BadBlock));
    }
}

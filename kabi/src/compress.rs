//! From the file of a module to the module: `.ko`, and what distributions compress it with.

use std::io::{self, Read};

use liblzma::stream::Stream;
use spec::{Diagnose, Outcome};

/// Largest module, in bytes: NVIDIA's with debug information has 185 MB.
pub const MAX_BYTES: usize = 512 << 20;

/// Largest memory that an xz stream may ask for, in bytes. `xz -9` needs 65 MiB to unpack (xz(1), "memory usage").
const XZ_MEMORY: u64 = 80 << 20;

/// Largest zstd window as a power of two: 128 MiB, ZSTD_WINDOWLOG_LIMIT_DEFAULT (zstd.h).
const ZSTD_WINDOW_LOG: u32 = 27;

/// Why a file is not a module that can be read.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    /// The ending of the name is none of the known ones.
    #[error("{file}: the name does not end with .ko, .ko.xz, .ko.zst or .ko.gz")]
    Unsupported {
        /// Name of the file.
        file: String,
    },
    /// Unpacked it has more than it may have.
    #[error("{file}: the module has more than {limit} bytes")]
    TooLarge {
        /// Name of the file.
        file: String,
        /// How many it may have.
        limit: usize,
    },
    /// The compressed stream is damaged, cut short, or asks for too much memory.
    #[error("{file}: the compressed stream cannot be read")]
    Damaged {
        /// Name of the file.
        file: String,
        /// What the decompressor says.
        #[source]
        source: io::Error,
    },
}

impl Diagnose for DecompressError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// The bytes of the module that the file called `file` holds, unpacked if the name says that they are packed. They are
/// at most [`MAX_BYTES`].
pub fn decompress(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DecompressError> {
    decompress_within(MAX_BYTES, file, bytes)
}

/// The same, with at most `limit` bytes.
pub fn decompress_within(limit: usize, file: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DecompressError> {
    let damaged = |source| DecompressError::Damaged { file: file.to_owned(), source };
    let read = |stream: &mut dyn Read| read_bounded(stream, limit).map_err(damaged);
    let module = match file.rsplit_once(".ko").map(|(_, ending)| ending) {
        Some("") => bytes,
        Some(".xz") => read(&mut xz(&bytes).map_err(damaged)?)?,
        Some(".zst") => read(&mut zst(&bytes).map_err(damaged)?)?,
        Some(".gz") => read(&mut flate2::bufread::GzDecoder::new(bytes.as_slice()))?,
        _ => return Err(DecompressError::Unsupported { file: file.to_owned() }),
    };
    match module.len() <= limit {
        true => Ok(module),
        false => Err(DecompressError::TooLarge { file: file.to_owned(), limit }),
    }
}

fn xz(bytes: &[u8]) -> io::Result<impl Read> {
    Ok(liblzma::bufread::XzDecoder::new_stream(bytes, Stream::new_stream_decoder(XZ_MEMORY, 0)?))
}

fn zst(bytes: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

/// Reads at most one byte more than `limit`: enough to see that there is too much.
pub(crate) fn read_bounded(stream: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn packed(plain: &[u8]) -> [(&'static str, Vec<u8>); 4] {
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(plain).unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(plain).unwrap();
        [
            ("m.ko", plain.to_vec()),
            ("m.ko.xz", xz.finish().unwrap()),
            ("m.ko.zst", zstd::encode_all(plain, 3).unwrap()),
            ("m.ko.gz", gz.finish().unwrap()),
        ]
    }

    #[test]
    fn every_packing_gives_the_same_module() {
        let plain: Vec<u8> = (0..100_000u32).flat_map(|n| n.to_le_bytes()).collect();
        for (file, bytes) in packed(&plain) {
            assert!(decompress(file, bytes).unwrap() == plain, "{file}");
        }
    }

    #[test]
    fn a_cut_stream_is_damaged_at_every_length() {
        for (file, bytes) in packed(&b"some module ".repeat(20)).into_iter().skip(1) {
            for length in 0..bytes.len() {
                let result = decompress(file, bytes[..length].to_vec());
                assert!(matches!(result, Err(DecompressError::Damaged { .. })), "{file} {length}");
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        for (file, bytes) in packed(&vec![0; 1 << 20]) {
            assert!(decompress_within(1 << 20, file, bytes.clone()).is_ok(), "{file}");
            let error = decompress_within((1 << 20) - 1, file, bytes).unwrap_err();
            assert!(matches!(error, DecompressError::TooLarge { .. }), "{file}: {error}");
        }
    }

    #[test]
    fn other_names_are_not_supported() {
        for file in ["m", "m.ko.bz2", "m.xz", "m.ko.xz.sig", "m.kox"] {
            let error = decompress(file, Vec::new()).unwrap_err();
            assert!(matches!(error, DecompressError::Unsupported { .. }), "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_stream_makes_the_decompressors_panic(
            index: prop::sample::Index,
            bytes in prop::collection::vec(any::<u8>(), 1..9),
        ) {
            for (file, mut stream) in packed(&b"some module ".repeat(20)) {
                let start = index.index(stream.len());
                stream.splice(start..(start + bytes.len()).min(stream.len()), bytes.clone());
                let _ = decompress_within(1 << 16, file, stream);
            }
        }
    }
}

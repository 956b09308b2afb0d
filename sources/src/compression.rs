//! Compressed streams. They cannot be read by position, so they are unpacked once.

use std::io::{self, BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};

use crate::error::Problem;
use crate::region::Region;
use crate::spool::Spool;

/// Largest memory that an xz stream may ask for, in bytes. `xz -9` needs 65 MiB to unpack (xz(1), "Memory usage");
/// this is as much as the largest zstd window.
const XZ_MEMORY: u64 = 128 << 20;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// By the magic bytes at the start of a stream (RFC 1952; xz file format 1.1; RFC 8878). Those that are known and
    /// not read here are refused by name (bzip2's decompress.c; LZ4 frame format 1.6).
    pub(crate) fn detect(stream: &Region) -> Result<Compression, Problem> {
        let mut start = [0; 6];
        stream.read_at(0, &mut start).map_err(Problem::Read)?;
        let other = |name| format!("it is compressed with {name}; pack it with gzip, xz or zstd");
        match start {
            [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Ok(Compression::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Compression::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41] => Err(other("bzip2").into()),
            [0x04, 0x22, 0x4d, 0x18, ..] => Err(other("lz4").into()),
            _ => Ok(Compression::None),
        }
    }

    /// The bytes inside: those of `stream` itself where it is plain, else unpacked into `spool`.
    pub(crate) fn unpack(self, stream: &Region, spool: &mut Spool) -> Result<Region, Problem> {
        match self {
            Compression::None => Ok(stream.clone()),
            _ => spool.add(self.decoder(stream.reader()).map_err(Problem::while_reading)?),
        }
    }

    /// A zstd window above 128 MiB is refused by the library, which bounds memory.
    fn decoder<'a>(self, stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let stream = BufReader::with_capacity(64 << 10, stream);
        Ok(match self {
            Compression::None => Box::new(stream),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
            Compression::Xz => {
                let decoder = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(stream, decoder))
            }
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(stream)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::region;

    fn unpacked(stream: &[u8]) -> Result<Vec<u8>, Problem> {
        let stream = region(stream);
        let inside = Compression::detect(&stream)?.unpack(&stream, &mut Spool::new())?;
        let mut bytes = Vec::new();
        inside.reader().read_to_end(&mut bytes).unwrap();
        Ok(bytes)
    }

    fn xz(dictionary: u32) -> Vec<u8> {
        let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
        options.dict_size(dictionary);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        let encoder = Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).unwrap();
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new_stream(&b"text"[..], encoder).read_to_end(&mut packed).unwrap();
        packed
    }

    fn gzip() -> Vec<u8> {
        let mut packed = Vec::new();
        flate2::read::GzEncoder::new(&b"text"[..], Default::default()).read_to_end(&mut packed).unwrap();
        packed
    }

    #[test]
    fn what_is_known_is_unpacked_to_its_last_frame() {
        let zstd = zstd::encode_all(&b"text"[..], 3).unwrap();
        for packed in [zstd, xz(1 << 20), gzip()] {
            assert_eq!(unpacked(&packed).unwrap(), b"text");
            assert_eq!(unpacked(&[&packed[..], &packed].concat()).unwrap(), b"texttext");
            assert!(unpacked(&packed[..packed.len() - 1]).is_err(), "cut off");
            assert!(unpacked(&[&packed[..], b"rest"].concat()).is_err(), "something behind it");
        }
        assert_eq!(unpacked(b"plain").unwrap(), b"plain");
    }

    #[test]
    fn other_compressions_are_refused_by_name() {
        let Err(Problem::Unsound(problem)) = unpacked(b"BZh91AY&SY") else { panic!("it was read") };
        assert_eq!(problem, "it is compressed with bzip2; pack it with gzip, xz or zstd");
    }

    /// The memory limit lies above what `xz -9` needs and below what one byte of a header can ask for.
    #[test]
    fn xz_streams_may_ask_for_the_memory_of_the_highest_preset_and_no_more() {
        assert_eq!(unpacked(&xz(64 << 20)).unwrap(), b"text");
        assert!(unpacked(&xz(256 << 20)).is_err());
    }
}

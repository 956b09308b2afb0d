//! vmlinuz for x86: a program that unpacks the kernel, the kernel packed inside, and a header that says where
//! (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").

use std::io;

use liblzma::stream::Stream;

use super::{ImageError, MAX_BYTES};
use crate::compress::read_bounded;

/// Offsets of the header's fields, from the start of the file.
const SETUP_SECTS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// The first protocol that says where the kernel inside is.
const VERSION_MIN: u16 = 0x0208;
/// `setup_sects` counts these, in bytes; 0 stands for 4.
const SECTOR: usize = 512;

/// Where EFI zboot images have `zimg` (drivers/firmware/efi/libstub/zboot-header.S), and arm64 images `ARM\x64`
/// (Documentation/arch/arm64/booting.rst).
const ZBOOT_MAGIC: usize = 4;
const ARM64_MAGIC: usize = 56;

/// Largest memory that an xz stream may ask for. Kernels are packed with dictionaries of up to 128 MiB (scripts/xz_wrap.sh).
const XZ_MEMORY: u64 = 160 << 20;
/// Largest zstd window as a power of two: `zstd --ultra -22`, as kernels are packed, takes 27.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The form of `lz4 -l`: a magic number, then blocks behind their lengths (lz4's lz4_Frame_format.md, "Legacy frame").
const LZ4_MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// Most bytes of a block once it is unpacked.
const LZ4_BLOCK: usize = 8 << 20;

/// Behind the packed kernel is its size once it is unpacked, in 4 bytes (scripts/Makefile.lib, size_append). In gzip,
/// these are part of the stream.
const SIZE: usize = 4;

/// The kernel inside; nothing if the file is an ELF file itself.
pub(super) fn unpack(bytes: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
    let has = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if bytes.len() > MAX_BYTES {
        return Err(ImageError::TooLarge);
    }
    if has(0, b"\x7fELF") {
        return Ok(None);
    }
    if !has(MAGIC, b"HdrS") {
        return Err(match () {
            () if has(ZBOOT_MAGIC, b"zimg") => ImageError::NoTables("EFI zboot"),
            () if has(ARM64_MAGIC, b"ARM\x64") => ImageError::NoTables("arm64 Image"),
            () => ImageError::NotKernel,
        });
    }
    unpack_payload(payload(bytes)?, MAX_BYTES).map(Some)
}

fn payload(bytes: &[u8]) -> Result<&[u8], ImageError> {
    let word = |field, offset: usize| {
        let word = bytes.get(offset..).and_then(<[u8]>::first_chunk);
        word.map(|word| u32::from_le_bytes(*word)).ok_or(ImageError::Header { field, offset, value: 0 })
    };
    let version = word("version", VERSION)? as u16;
    if version < VERSION_MIN {
        return Err(ImageError::Protocol(version));
    }
    let sectors = match word("setup_sects", SETUP_SECTS)? as u8 {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let offset = word("payload_offset", PAYLOAD_OFFSET)?;
    let rest = bytes.get((sectors + 1) * SECTOR..).and_then(|kernel| kernel.get(offset as usize..));
    let outside = |field, offset, value| ImageError::Header { field, offset, value };
    let rest = rest.ok_or(outside("payload_offset", PAYLOAD_OFFSET, offset))?;
    let length = word("payload_length", PAYLOAD_LENGTH)?;
    rest.get(..length as usize).ok_or(outside("payload_length", PAYLOAD_LENGTH, length))
}

/// The magic numbers are those that the kernel's own scripts/extract-vmlinux and lib/decompress.c know.
fn unpack_payload(payload: &[u8], limit: usize) -> Result<Vec<u8>, ImageError> {
    let stream = &payload[..payload.len().saturating_sub(SIZE)];
    let (packing, unpacked) = match payload {
        [0x7f, b'E', b'L', b'F', ..] => return Ok(payload.to_vec()),
        [0x1f, 0x8b, ..] => ("gzip", read_bounded(flate2::bufread::GzDecoder::new(payload), limit)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("xz", xz(stream, limit)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", zstd(stream, limit)),
        _ if payload.starts_with(&LZ4_MAGIC) => ("lz4", lz4(stream, limit)),
        [b'B', b'Z', b'h', ..] => return Err(ImageError::Packing("bzip2")),
        [0x5d, 0, 0, ..] => return Err(ImageError::Packing("lzma")),
        [0x89, b'L', b'Z', b'O', ..] => return Err(ImageError::Packing("lzo")),
        _ => return Err(ImageError::Packing("something unknown")),
    };
    let damaged = |source| ImageError::Damaged { packing, source };
    let unpacked = unpacked.map_err(damaged)?;
    if unpacked.len() > limit {
        return Err(ImageError::TooLarge);
    }
    check_size(payload, unpacked.len()).map_err(damaged)?;
    Ok(unpacked)
}

fn xz(stream: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let decoder = Stream::new_stream_decoder(XZ_MEMORY, 0)?;
    read_bounded(liblzma::bufread::XzDecoder::new_stream(stream, decoder), limit)
}

fn zstd(stream: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stream)?.single_frame();
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    read_bounded(decoder, limit)
}

fn lz4(stream: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut blocks = stream.get(LZ4_MAGIC.len()..).unwrap_or_default();
    let mut unpacked = Vec::new();
    let mut block = vec![0; LZ4_BLOCK];
    while !blocks.is_empty() && unpacked.len() <= limit {
        let (packed, rest) = lz4_block(blocks).ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = lz4_flex::block::decompress_into(packed, &mut block).map_err(io::Error::other)?;
        unpacked.extend(&block[..length]);
        blocks = rest;
    }
    Ok(unpacked)
}

fn lz4_block(blocks: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = blocks.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

fn check_size(payload: &[u8], unpacked: usize) -> io::Result<()> {
    let size = payload.last_chunk().map(|size| u32::from_le_bytes(*size) as usize);
    match size == Some(unpacked) {
        true => Ok(()),
        false => Err(io::Error::other("it has another size than is written behind it")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const KERNEL: &[u8] = b"\x7fELF, or so it says";

    fn sized(mut packed: Vec<u8>, size: usize) -> Vec<u8> {
        packed.extend(u32::try_from(size).unwrap().to_le_bytes());
        packed
    }

    fn packed(kernel: &[u8]) -> [(&'static str, Vec<u8>); 4] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(kernel).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(kernel).unwrap();
        let mut lz4 = LZ4_MAGIC.to_vec();
        for chunk in kernel.chunks(LZ4_BLOCK) {
            let block = lz4_flex::block::compress(chunk);
            lz4.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
            lz4.extend(block);
        }
        let size = kernel.len();
        [
            ("gzip", gzip.finish().unwrap()),
            ("xz", sized(xz.finish().unwrap(), size)),
            ("zstd", sized(zstd::encode_all(kernel, 3).unwrap(), size)),
            ("lz4", sized(lz4, size)),
        ]
    }

    pub(super) fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 2 * SECTOR];
        image[SETUP_SECTS] = 1;
        image[MAGIC..][..4].copy_from_slice(b"HdrS");
        image[VERSION..][..2].copy_from_slice(&0x020fu16.to_le_bytes());
        image[PAYLOAD_OFFSET..][..4].copy_from_slice(&7u32.to_le_bytes());
        image[PAYLOAD_LENGTH..][..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend([0; 7]);
        image.extend(payload);
        image.extend([0; 9]);
        image
    }

    #[test]
    fn every_packing_gives_the_same_kernel() {
        let large = KERNEL.repeat(LZ4_BLOCK / KERNEL.len() + 1);
        for kernel in [KERNEL, &large] {
            for (packing, payload) in packed(kernel) {
                assert!(unpack(&bzimage(&payload)).unwrap().unwrap() == kernel, "{packing}");
            }
        }
        assert_eq!(unpack(&bzimage(KERNEL)).unwrap().unwrap(), KERNEL);
        assert!(unpack(KERNEL).unwrap().is_none());
    }

    #[test]
    fn a_kernel_that_is_cut_short_or_of_another_size_is_damaged() {
        for (packing, payload) in packed(&KERNEL.repeat(20)) {
            for length in 0..payload.len() {
                assert!(unpack_payload(&payload[..length], MAX_BYTES).is_err(), "{packing} {length}");
            }
            let mut other = payload.clone();
            *other.last_mut().unwrap() ^= 1;
            assert!(unpack_payload(&other, MAX_BYTES).is_err(), "{packing}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        for (packing, payload) in packed(&vec![0; 1 << 20]) {
            assert!(unpack_payload(&payload, 1 << 20).is_ok(), "{packing}");
            let error = unpack_payload(&payload, (1 << 20) - 1).unwrap_err();
            assert!(matches!(error, ImageError::TooLarge), "{packing}: {error}");
        }
    }

    #[test]
    fn other_files_are_refused_with_what_they_are() {
        let at = |offset: usize, magic: &[u8]| [&vec![0; offset], magic, &[0; 9]].concat();
        let with = |offset: usize, value: &[u8]| {
            let mut image = bzimage(KERNEL);
            image[offset..][..value.len()].copy_from_slice(value);
            image
        };
        for (bytes, part) in [
            (b"GIF89a".to_vec(), "neither an ELF file nor"),
            (at(4, b"zimg"), "EFI zboot"),
            (at(56, b"ARM\x64"), "arm64 Image"),
            (at(MAGIC, b"HdrS"), "boot protocol at offset 0x206 is 0x0000"),
            (bzimage(KERNEL)[..0x210].to_vec(), "payload_offset at offset 0x248"),
            (with(PAYLOAD_OFFSET, &[0xff; 4]), "payload_offset at offset 0x248 has 0xffffffff"),
            (with(PAYLOAD_LENGTH, &[0xff, 0xff]), "payload_length at offset 0x24c has 0xffff"),
            (bzimage(b"BZh91AY"), "packed with bzip2"),
            (bzimage(b""), "packed with something unknown"),
        ] {
            let error = unpack(&bytes).unwrap_err().to_string();
            assert!(error.contains(part), "{error:?} does not say {part:?}");
        }
    }

    proptest! {
        #[test]
        fn no_change_makes_the_reader_panic(
            packing in 0usize..4,
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut image = bzimage(&packed(&KERNEL.repeat(20))[packing].1);
            for (index, byte) in edits {
                *index.get_mut(&mut image) = byte;
            }
            let _ = unpack(&image);
        }
    }
}

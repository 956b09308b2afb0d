//! Small kernel images and profiles of them.

use std::error::Error;

use kabi::{Exports, KernelFacts, KernelImage, KernelOptions, Profile};
use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};

/// ET_EXEC and where it goes (ELF gABI, "ELF Header").
const E_TYPE: usize = 16;
const ET_EXEC: u8 = 2;

/// A `vmlinux`, and as a `vmlinuz` packed in the ways that need no compressor.
pub(super) fn images() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let vmlinux = vmlinux()?;
    let size = u32::try_from(vmlinux.len())?.to_le_bytes();
    let zstd = [&super::zstd(&vmlinux)?[..], &size].concat();
    // A block of literals (lz4's lz4_Block_format.md) in a legacy frame.
    let mut block = vec![0xf0];
    block.extend(std::iter::repeat_n(255, (vmlinux.len() - 15) / 255));
    block.push(u8::try_from((vmlinux.len() - 15) % 255)?);
    block.extend(&vmlinux);
    let length = u32::try_from(block.len())?.to_le_bytes();
    let lz4 = [&[0x02, 0x21, 0x4c, 0x18][..], &length, &block, &size].concat();
    let packed = [&vmlinux, &zstd, &lz4].map(|payload| vmlinuz(payload));
    Ok([vmlinux].into_iter().chain(packed).collect())
}

/// Profiles of the image: all that can be known, and nothing but its name.
pub(super) fn profiles() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let image = KernelImage::parse(&vmlinux()?)?;
    let mut exports = Exports::from_symvers("0x00000003\ttunnel\tnet/ipv4/tunnel\tEXPORT_SYMBOL\n")?;
    exports.add_kernel(image.exports)?;
    let facts = KernelFacts {
        vermagic: Some("6.1.0 SMP mod_unload modversions ".parse()?),
        build_id: Some("00ff".parse()?),
        options: KernelOptions::from_config("CONFIG_MODVERSIONS=y\n")?,
        builtins: ["ext4".parse()?, "fuse".parse()?].into(),
        ..KernelFacts::default()
    };
    let full = Profile::new(image.release.clone(), image.arch, exports, facts);
    let bare = Profile::new(image.release, image.arch, Exports::default(), KernelFacts::default());
    Ok(vec![full.to_bytes(), bare.to_bytes()])
}

/// Two exports, one of them in a namespace. All sections are at address 0, so references lead to offsets.
fn vmlinux() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let mut section = |name: &str, data: &[u8]| {
        let id = elf.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::ReadOnlyData);
        elf.append_section_data(id, data, 4);
    };
    let words = |words: [i32; 3]| words.map(i32::to_le_bytes).concat();
    section(".rodata", b"Linux version 6.1.0 (somebody)\0");
    section("__ksymtab_strings", b"\0_printk\0cxl_open\0CXL\0");
    section("__ksymtab", &words([0, 1 - 4, -8]));
    section("__ksymtab_gpl", &words([0, 9 - 4, 18 - 8]));
    section("__kcrctab", &[1, 0, 0, 0]);
    section("__kcrctab_gpl", &[2, 0, 0, 0]);
    section(".notes", &[4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0, 0xab, 0xcd, 0, 0]);
    let mut bytes = elf.write()?;
    bytes[E_TYPE] = ET_EXEC;
    Ok(bytes)
}

/// The header that says where the kernel is (Documentation/arch/x86/boot.rst), and the kernel behind it.
fn vmlinuz(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
    image[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    image.extend(payload);
    image
}

//! Kernel modules with everything that is read of them, and records of such.

use std::error::Error;

use kabi::{Module, Record};
use object::elf::R_X86_64_64;
use object::write::{Object, Relocation, SectionId, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

const INFO: &str = "license=GPL\0alias=pci:v*\0softdep=pre: a\0weakdep=b c\0firmware=f.bin\0import_ns=N\0intree=Y\0\
    depends=a,b\0name=m\0vermagic=6.1.0 SMP mod_unload modversions \0";

/// CMS about detached data, by a key that has an identifier: the smallest that is read, its signature but one byte.
const SIGNATURE: &[u8] = &[
    0x30, 0x47, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x3a, 0x30, 0x38,
    0x02, 0x01, 0x03, 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07,
    0x01, 0x31, 0x24, 0x30, 0x22, 0x02, 0x01, 0x03, 0x80, 0x01, 0x0a, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,
    0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
    0x03, 0x02, 0x04, 0x01, 0x07,
];

/// For each architecture one with basic and one with extended versions; a signed one; and one as a gzip stream.
pub(crate) fn modules() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut modules = Vec::new();
    for architecture in [Architecture::X86_64, Architecture::Aarch64] {
        for extended in [false, true] {
            modules.push(module(architecture, extended)?);
        }
    }
    let plain = modules[0].clone();
    let length = u32::try_from(SIGNATURE.len())?.to_be_bytes();
    let trailer = [&[0, 0, 2, 0, 0, 0, 0, 0], length.as_slice(), b"~Module signature appended~\n"].concat();
    modules.push([plain.as_slice(), SIGNATURE, &trailer].concat());
    modules.push(super::zstd(&plain)?);
    Ok(modules)
}

/// Records of these modules, one by one, and of none.
pub(crate) fn records(modules: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut records = vec![Record::default().to_json()];
    for bytes in modules.iter().filter(|bytes| bytes.starts_with(b"\x7fELF")) {
        let module = Module::parse(&"/usr/lib/modules/6.1.0/m.ko".parse()?, bytes)?;
        records.push(Record::new(vec![module])?.to_json());
    }
    Ok(records)
}

fn module(architecture: Architecture, extended: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut elf = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
    let mut section = |name: &str, data: &[u8]| {
        let id = elf.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::ReadOnlyData);
        elf.append_section_data(id, data, 1);
        id
    };
    section(".modinfo", INFO.as_bytes());
    section(".BTF", b"x");
    match extended {
        false => {
            section("__versions", &[version("module_layout"), version("a")].concat());
        }
        true => {
            section("__version_ext_crcs", &[1, 0, 0, 0, 2, 0, 0, 0]);
            section("__version_ext_names", b"module_layout\0a\0");
        }
    }
    let exports = section("__ksymtab", &[0; 12]);
    section("__kcrctab", &[3, 0, 0, 0]);
    section("__kflagstab", &[1]);
    let strings = section("__ksymtab_strings", b"NAMESPACE\0");
    let this_module = section(".gnu.linkonce.this_module", &[0; 64]);
    for (name, place) in [
        ("a", SymbolSection::Undefined),
        ("__ksymtab_given", SymbolSection::Section(exports)),
        ("__kstrtabns_given", SymbolSection::Section(strings)),
    ] {
        elf.add_symbol(symbol(name, place));
    }
    if architecture == Architecture::X86_64 {
        add_init(&mut elf, this_module)?;
    }
    Ok(elf.write()?)
}

/// The address of the function that starts it.
fn add_init(elf: &mut Object<'_>, this_module: SectionId) -> Result<(), Box<dyn Error>> {
    let init = elf.add_symbol(symbol("init_module", SymbolSection::Section(this_module)));
    let flags = RelocationFlags::Elf { r_type: R_X86_64_64 };
    Ok(elf.add_relocation(this_module, Relocation { offset: 8, symbol: init, addend: 0, flags })?)
}

fn symbol(name: &str, section: SymbolSection) -> Symbol {
    Symbol {
        name: name.into(),
        value: 0,
        size: 0,
        kind: SymbolKind::Data,
        scope: if section == SymbolSection::Undefined {
            SymbolScope::Unknown
        } else {
            SymbolScope::Compilation
        },
        weak: false,
        section,
        flags: SymbolFlags::None,
    }
}

/// `struct modversion_info` (linux/module.h).
fn version(name: &str) -> Vec<u8> {
    let mut entry = 1u64.to_le_bytes().to_vec();
    entry.extend(name.bytes());
    entry.resize(64, 0);
    entry
}

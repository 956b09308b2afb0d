//! Modules and profiles made by hand, for the tests of this room.

use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};
use spec::{Arch, KernelRelease, TreePath};

use crate::{Module, Profile, Record, SymbolName};

pub(crate) const RELEASE: &str = "6.1.0-test";

/// A module file to be: sound unless a test makes it otherwise.
#[derive(Clone)]
pub(crate) struct ModuleFile {
    file: String,
    architecture: Architecture,
    info: Vec<(String, String)>,
    versions: Vec<(String, u32)>,
    undefined: Vec<(String, bool)>,
    exports: Vec<(String, u32, bool, String)>,
    extra: Vec<(String, Vec<u8>)>,
}

impl ModuleFile {
    pub(crate) fn new(file: &str) -> ModuleFile {
        let new = ModuleFile {
            file: file.to_owned(),
            architecture: Architecture::X86_64,
            info: Vec::new(),
            versions: Vec::new(),
            undefined: Vec::new(),
            exports: Vec::new(),
            extra: Vec::new(),
        };
        new.info("license", "GPL")
            .info("name", &file.replace('-', "_"))
            .info("vermagic", &format!("{RELEASE} SMP mod_unload modversions "))
    }

    pub(crate) fn arch(self, architecture: Architecture) -> ModuleFile {
        ModuleFile { architecture, ..self }
    }

    pub(crate) fn info(mut self, key: &str, value: &str) -> ModuleFile {
        self.info.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, key: &str) -> ModuleFile {
        self.info.retain(|(name, _)| name != key);
        self
    }

    pub(crate) fn version(mut self, symbol: &str, crc: u32) -> ModuleFile {
        self.versions.push((symbol.to_owned(), crc));
        self
    }

    pub(crate) fn import(self, symbol: &str, crc: u32) -> ModuleFile {
        self.strong(symbol).version(symbol, crc)
    }

    pub(crate) fn strong(mut self, symbol: &str) -> ModuleFile {
        self.undefined.push((symbol.to_owned(), false));
        self
    }

    pub(crate) fn weak(mut self, symbol: &str) -> ModuleFile {
        self.undefined.push((symbol.to_owned(), true));
        self
    }

    pub(crate) fn export(self, symbol: &str, crc: u32) -> ModuleFile {
        self.export_in(symbol, crc, false, "")
    }

    pub(crate) fn gpl_export(self, symbol: &str, crc: u32) -> ModuleFile {
        self.export_in(symbol, crc, true, "")
    }

    pub(crate) fn export_in(mut self, symbol: &str, crc: u32, gpl: bool, namespace: &str) -> ModuleFile {
        self.exports.push((symbol.to_owned(), crc, gpl, namespace.to_owned()));
        self
    }

    pub(crate) fn section(mut self, name: &str, data: &[u8]) -> ModuleFile {
        self.extra.push((name.to_owned(), data.to_vec()));
        self
    }

    pub(crate) fn path(&self) -> TreePath {
        format!("/usr/lib/modules/{RELEASE}/kernel/{}.ko", self.file).parse().unwrap()
    }

    pub(crate) fn parse(&self) -> Module {
        Module::parse(&self.path(), &self.bytes()).unwrap()
    }

    #[track_caller]
    pub(crate) fn refused(&self) -> String {
        Module::parse(&self.path(), &self.bytes()).unwrap_err().problem.to_string()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut elf = Object::new(BinaryFormat::Elf, self.architecture, Endianness::Little);
        let mut section = |name: &str, data: &[u8]| {
            let id = elf.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::ReadOnlyData);
            elf.append_section_data(id, data, 1);
            id
        };
        let info = self.info.iter().map(|(key, value)| format!("{key}={value}\0")).collect::<String>();
        section(".modinfo", info.as_bytes());
        section(".gnu.linkonce.this_module", &[0; 64]);
        let versions: Vec<u8> = self.versions.iter().flat_map(|(name, crc)| version(name, *crc)).collect();
        section("__versions", &versions);

        let mut symbols = Vec::new();
        let mut strings = Vec::new();
        let strings_id = section("__ksymtab_strings", &[]);
        for (table, crcs, gpl) in
            [("__ksymtab", "__kcrctab", false), ("__ksymtab_gpl", "__kcrctab_gpl", true)]
        {
            let exports: Vec<_> = self.exports.iter().filter(|export| export.2 == gpl).collect();
            let id = section(table, &vec![0; exports.len() * 12]);
            let crc_bytes: Vec<u8> = exports.iter().flat_map(|(_, crc, ..)| crc.to_le_bytes()).collect();
            section(crcs, &crc_bytes);
            for (index, (name, _, _, namespace)) in exports.iter().enumerate() {
                symbols.push((format!("__ksymtab_{name}"), index as u64 * 12, id));
                symbols.push((format!("__kstrtabns_{name}"), strings.len() as u64, strings_id));
                strings.extend(namespace.bytes().chain([0]));
            }
        }
        for (name, data) in &self.extra {
            section(name, data);
        }
        elf.append_section_data(strings_id, &strings, 1);
        for (name, value, id) in symbols {
            elf.add_symbol(symbol_entry(
                name,
                value,
                SymbolSection::Section(id),
                SymbolScope::Compilation,
                false,
            ));
        }
        for (name, weak) in &self.undefined {
            elf.add_symbol(symbol_entry(
                name.clone(),
                0,
                SymbolSection::Undefined,
                SymbolScope::Unknown,
                *weak,
            ));
        }
        elf.write().unwrap()
    }
}

fn version(name: &str, crc: u32) -> Vec<u8> {
    let mut entry = u64::from(crc).to_le_bytes().to_vec();
    entry.extend(name.bytes());
    entry.resize(64, 0);
    entry
}

fn symbol_entry(name: String, value: u64, section: SymbolSection, scope: SymbolScope, weak: bool) -> Symbol {
    Symbol {
        name: name.into_bytes(),
        value,
        size: 0,
        kind: SymbolKind::Data,
        scope,
        weak,
        section,
        flags: SymbolFlags::None,
    }
}

/// A sound module with these imports and GPL-free exports.
pub(crate) fn module(name: &str, imports: &[(&str, u32)], exports: &[(&str, u32)]) -> Module {
    let file = imports.iter().fold(ModuleFile::new(name), |file, (symbol, crc)| file.import(symbol, *crc));
    exports.iter().fold(file, |file, (symbol, crc)| file.export(symbol, *crc)).parse()
}

pub(crate) fn symbol(name: &str) -> SymbolName {
    name.parse().unwrap()
}

pub(crate) fn release() -> KernelRelease {
    RELEASE.parse().unwrap()
}

pub(crate) fn profile(symvers: &str) -> Profile {
    Profile::from_symvers(symvers, release(), Arch::Amd64).unwrap()
}

pub(crate) fn record(modules: &[Module]) -> Record {
    Record::new(modules.to_vec()).unwrap()
}

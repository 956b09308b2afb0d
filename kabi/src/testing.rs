//! Modules and profiles made by hand, for the tests of this room.

use cms::cert::IssuerAndSerialNumber;
use cms::cert::x509::der::Encode;
use cms::cert::x509::der::asn1::{Any, OctetString};
use cms::cert::x509::serial_number::SerialNumber;
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo};
use object::elf::{R_AARCH64_ABS64, R_X86_64_64};
use object::write::{Object, Relocation, SectionId, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};
use spec::{Arch, Digest, KernelRelease, TreePath};

use crate::signature::digest_of_name;
use crate::{Module, Profile, Record, StructLayout, SymbolName};

pub(crate) const RELEASE: &str = "6.1.0-test";

/// Who issues the certificates with which modules are signed here.
pub(crate) const ISSUER: &str = "CN=Somebody,O=Somewhere";

/// A module file to be: sound unless a test makes it otherwise.
#[derive(Clone)]
pub(crate) struct ModuleFile {
    file: String,
    architecture: Architecture,
    info: Vec<(String, String)>,
    /// None leaves the section out.
    versions: Option<Vec<(String, u32)>>,
    layout: StructLayout,
    undefined: Vec<(String, bool)>,
    common: Vec<String>,
    exports: Vec<(String, u32, bool, String)>,
    extra: Vec<(String, Vec<u8>)>,
    appended: Vec<u8>,
}

impl ModuleFile {
    pub(crate) fn new(file: &str) -> ModuleFile {
        let new = ModuleFile {
            file: file.to_owned(),
            architecture: Architecture::X86_64,
            info: Vec::new(),
            versions: Some(Vec::new()),
            layout: StructLayout { size: 64, init: None, exit: None },
            undefined: Vec::new(),
            common: Vec::new(),
            exports: Vec::new(),
            extra: Vec::new(),
            appended: Vec::new(),
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
        self.versions.get_or_insert_default().push((symbol.to_owned(), crc));
        self
    }

    /// Without any CRCs, as `modprobe --force` makes it.
    pub(crate) fn unversioned(self) -> ModuleFile {
        ModuleFile { versions: None, ..self }
    }

    pub(crate) fn layout(self, size: u32, init: Option<u32>, exit: Option<u32>) -> ModuleFile {
        ModuleFile { layout: StructLayout { size, init, exit }, ..self }
    }

    /// With bytes after the end of the ELF file.
    pub(crate) fn appended(self, bytes: &[u8]) -> ModuleFile {
        ModuleFile { appended: bytes.to_vec(), ..self }
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

    pub(crate) fn common(mut self, symbol: &str) -> ModuleFile {
        self.common.push(symbol.to_owned());
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
        let this_module = section(".gnu.linkonce.this_module", &vec![0; self.layout.size as usize]);
        if let Some(versions) = &self.versions {
            let entries: Vec<u8> = versions.iter().flat_map(|(name, crc)| version(name, *crc)).collect();
            section("__versions", &entries);
        }

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
            let (section, scope) = (SymbolSection::Undefined, SymbolScope::Unknown);
            elf.add_symbol(symbol_entry(name.clone(), 0, section, scope, *weak));
        }
        for name in &self.common {
            let (section, scope) = (SymbolSection::Common, SymbolScope::Linkage);
            elf.add_symbol(symbol_entry(name.clone(), 0, section, scope, false));
        }
        self.add_layout(&mut elf, this_module);
        let mut bytes = elf.write().unwrap();
        bytes.extend(&self.appended);
        bytes
    }

    /// The addresses of both functions, which the loader is to write into `struct module`.
    fn add_layout(&self, elf: &mut Object<'_>, this_module: SectionId) {
        let r_type = match self.architecture {
            Architecture::Aarch64 => R_AARCH64_ABS64,
            _ => R_X86_64_64,
        };
        for (name, offset) in [("init_module", self.layout.init), ("cleanup_module", self.layout.exit)] {
            let Some(offset) = offset else { continue };
            let place = SymbolSection::Section(this_module);
            let symbol = elf.add_symbol(symbol_entry(name.to_owned(), 0, place, SymbolScope::Dynamic, false));
            let flags = RelocationFlags::Elf { r_type };
            let relocation = Relocation { offset: offset.into(), symbol, addend: 0, flags };
            elf.add_relocation(this_module, relocation).unwrap();
        }
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

/// A signature in form, by the certificate of [`ISSUER`] with this serial number.
pub(crate) fn cms_message(serial: &[u8]) -> Vec<u8> {
    let algorithm =
        |identifier: &str| AlgorithmIdentifierOwned { oid: identifier.parse().unwrap(), parameters: None };
    let (sha256, rsa) = (algorithm("2.16.840.1.101.3.4.2.1"), algorithm("1.2.840.113549.1.1.1"));
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: ISSUER.parse().unwrap(),
            serial_number: SerialNumber::new(serial).unwrap(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: None,
        signature_algorithm: rsa,
        signature: OctetString::new([7; 256]).unwrap(),
        unsigned_attrs: None,
    };
    let data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: vec![sha256].try_into().unwrap(),
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: "1.2.840.113549.1.7.1".parse().unwrap(),
            econtent: None,
        },
        certificates: None,
        crls: None,
        signer_infos: vec![signer].try_into().unwrap(),
    };
    let content_type = "1.2.840.113549.1.7.2".parse().unwrap();
    ContentInfo { content_type, content: Any::encode_from(&data).unwrap() }.to_der().unwrap()
}

/// What stands for an issuer of this name (RFC 4514).
pub(crate) fn issuer_of(name: &str) -> Digest {
    digest_of_name(&name.parse().unwrap()).unwrap()
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

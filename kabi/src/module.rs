//! One module: what its file says about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::{Arch, ModuleName, TreePath};

use crate::elf::Elf;
use crate::modinfo::ModInfo;
use crate::problem::{ModuleError, ModuleProblem};
use crate::{Alias, Crc, InfoText, SymbolName, symbols};

/// The facts about a module that decide whether a kernel takes it, and those that modprobe needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Module {
    /// Its name.
    pub name: ModuleName,
    /// Its file in the image.
    pub path: TreePath,
    /// Its architecture.
    pub arch: Arch,
    /// Release and flags of the kernel it was built for, with the blank at the end that the kernel has.
    pub vermagic: InfoText,
    /// Its licence, as the kernel reads it; none makes it proprietary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<InfoText>,
    /// A hash of its sources, where the build made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srcversion: Option<InfoText>,
    /// Modules that its build took symbols from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<ModuleName>,
    /// Modules to load before or after it if they are there: `pre: a b post: c`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub softdeps: Vec<InfoText>,
    /// Firmware that it may ask for, below /usr/lib/firmware.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<InfoText>,
    /// Devices and names that stand for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// Symbol namespaces that it imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<InfoText>,
    /// Symbols that it takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<SymbolName, Import>,
    /// Symbols that it gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<SymbolName, Export>,
}

/// How a module imports a symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The CRC that it was built against; none without CONFIG_MODVERSIONS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc: Option<Crc>,
    /// May the symbol be missing?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weak: bool,
}

/// How a symbol is exported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Its CRC; none without CONFIG_MODVERSIONS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc: Option<Crc>,
    /// Is it for GPL-compatible modules only?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gpl: bool,
    /// The namespace that must be imported to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<InfoText>,
}

impl Module {
    /// Reads the uncompressed module `bytes`, which is at `path` in its image. It may have a signature at its end.
    pub fn parse(path: &TreePath, bytes: &[u8]) -> Result<Module, ModuleError> {
        read(path, bytes).map_err(|problem| ModuleError { path: path.clone(), problem })
    }

    /// The kernel release that it was built for: the first word of the vermagic (linux/vermagic.h).
    pub fn release(&self) -> &str {
        self.vermagic.as_str().split(' ').next().unwrap_or_default()
    }
}

fn read(path: &TreePath, bytes: &[u8]) -> Result<Module, ModuleProblem> {
    let elf = Elf::parse(bytes)?;
    // `struct module` itself; without it the loader says "No module found in object".
    elf.required(".gnu.linkonce.this_module")?;
    let info = ModInfo::parse(elf.required(".modinfo")?)?;
    let table = elf.symbols()?;
    Ok(Module {
        name: name(path, &info)?,
        path: path.clone(),
        arch: elf.arch,
        vermagic: info.first("vermagic")?.ok_or(ModuleProblem::InfoMissing("vermagic"))?,
        license: info.first("license")?,
        srcversion: info.first("srcversion")?,
        depends: info.listed("depends")?,
        softdeps: info.all("softdep")?,
        firmware: info.all("firmware")?,
        aliases: info.all("alias")?,
        namespaces: info.all("import_ns")?,
        imports: symbols::imports(&elf, &table)?,
        exports: symbols::exports(&elf, &table)?,
    })
}

/// modprobe finds a module by the name of its file and the kernel knows it by the one inside: they must agree.
fn name(path: &TreePath, info: &ModInfo<'_>) -> Result<ModuleName, ModuleProblem> {
    let inside: ModuleName = info.first("name")?.ok_or(ModuleProblem::InfoMissing("name"))?;
    match path.file_name().and_then(ModuleName::from_file_name) {
        Some(outside) if outside == inside => Ok(inside),
        _ => Err(ModuleProblem::NameDiffers(inside.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use object::Architecture;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{ModuleFile, symbol};

    fn sample() -> ModuleFile {
        ModuleFile::new("sound-card")
            .info("depends", "soundcore,snd-pcm")
            .info("alias", "pci:v00008086d*")
            .info("alias", "sound-slot-*")
            .info("softdep", "pre: snd-hda post: ledtrig")
            .info("firmware", "card/one two.bin")
            .info("import_ns", "SND")
            .info("srcversion", "A54194B1D21918923AF110D")
            .version("module_layout", 0x1234)
            .import("_printk", 0x92997ed8)
            .weak("maybe")
            .export("card_open", 7)
            .gpl_export("card_a", 8)
            .export_in("card_b", 9, true, "CARD")
    }

    #[test]
    fn every_fact_is_read() {
        let module = sample().parse();
        let texts = |list: &[InfoText]| list.iter().map(|text| text.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!((module.name.as_str(), module.arch), ("sound_card", Arch::Amd64));
        assert_eq!(module.release(), "6.1.0-test");
        assert_eq!(module.license.as_ref().unwrap().as_str(), "GPL");
        assert_eq!(module.depends, ["soundcore", "snd_pcm"].map(|name| name.parse().unwrap()));
        assert_eq!(texts(&module.softdeps), ["pre: snd-hda post: ledtrig"]);
        assert_eq!(texts(&module.firmware), ["card/one two.bin"]);
        assert_eq!(texts(&module.namespaces), ["SND"]);
        assert_eq!(module.aliases[1].as_str(), "sound-slot-*");

        let imported = |name| module.imports[&symbol(name)].clone();
        assert_eq!(imported("module_layout"), Import { crc: Crc::new(0x1234), weak: false });
        assert_eq!(imported("_printk"), Import { crc: Crc::new(0x92997ed8), weak: false });
        assert_eq!(imported("maybe"), Import { crc: None, weak: true });
        let exported = |name| module.exports[&symbol(name)].clone();
        assert_eq!(exported("card_open"), Export { crc: Crc::new(7), gpl: false, namespace: None });
        assert_eq!(exported("card_a"), Export { crc: Crc::new(8), gpl: true, namespace: None });
        let namespace = Some("CARD".parse().unwrap());
        assert_eq!(exported("card_b"), Export { crc: Crc::new(9), gpl: true, namespace });
    }

    #[test]
    fn flags_of_newer_kernels_say_what_is_gpl_only() {
        let file = ModuleFile::new("m").export("free", 1).export("bound", 2);
        let module = file.clone().section("__kflagstab", &[0, 1]).parse();
        assert!(!module.exports[&symbol("free")].gpl);
        assert!(module.exports[&symbol("bound")].gpl);
        assert!(file.section("__kflagstab", &[0]).refused().contains("entries for 1 exports; there are 2"));
    }

    #[test]
    fn other_files_are_refused_with_what_they_are() {
        let file = ModuleFile::new("m");
        for (file, part) in [
            (file.clone().arch(Architecture::Riscv64), "machine 243"),
            (file.clone().arch(Architecture::I386), "64-bit little-endian"),
            (file.clone().without("vermagic"), "no vermagic="),
            (file.clone().without("name"), "no name="),
            (file.clone().without("name").info("name", "n"), "name=n"),
            (file.clone().without("name").info("name", "a/b"), "\"a/b\" is not a module name"),
            (file.clone().info("alias", "a b"), ".modinfo, alias=: \"a b\" is not an alias"),
            (file.clone().section(".modinfo", b"name=m\0"), "more than one section .modinfo"),
            (file.clone().section("__versions", b""), "more than one section __versions"),
            (file.clone().export("", 1), "\"\" is not a symbol"),
            (file.clone().import("a b", 1), "\"a b\" is not a symbol"),
            (file.clone().version(&"x".repeat(56), 1), "section __versions, entry 0: the name has no end"),
            (file.clone().export("twice", 1).export("twice", 2), "has 2 exports, and only 1"),
        ] {
            let problem = file.refused();
            assert!(problem.contains(part), "{problem:?} does not say {part:?}");
        }
        assert_eq!(file.arch(Architecture::Aarch64).parse().arch, Arch::Arm64);
    }

    #[test]
    fn a_module_cut_short_is_an_error_at_every_length() {
        let (path, bytes) = (sample().path(), sample().bytes());
        assert!(Module::parse(&path, &bytes).is_ok());
        for length in 0..bytes.len() {
            let error = Module::parse(&path, &bytes[..length]).unwrap_err();
            assert!(error.to_string().starts_with("/usr/lib/modules/"), "{length}: {error}");
        }
    }

    #[test]
    fn a_module_lies_anywhere_in_memory() {
        let (path, mut bytes) = (sample().path(), sample().bytes());
        bytes.insert(0, 0);
        assert!(Module::parse(&path, &bytes[1..]).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Module::parse(&sample().path(), &bytes);
        }

        #[test]
        fn no_change_to_a_module_makes_the_parser_panic(
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            words in proptest::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 0..2),
        ) {
            let mut bytes = sample().bytes();
            for (index, byte) in edits {
                *index.get_mut(&mut bytes) = byte;
            }
            for (index, word) in words {
                let (chunks, _) = bytes.as_chunks_mut::<8>();
                *index.get_mut(chunks) = word.to_le_bytes();
            }
            let _ = Module::parse(&sample().path(), &bytes);
        }
    }
}

use object::Architecture;
use proptest::prelude::*;

use super::*;
use crate::testing::{ModuleFile, symbol};

fn sample() -> ModuleFile {
    ModuleFile::new("sound-card")
        .info("intree", "Y")
        .info("depends", "soundcore,snd-pcm")
        .info("alias", "pci:v00008086d*")
        .info("alias", "sound-slot-*")
        .info("softdep", "pre: snd-hda post: ledtrig")
        .info("weakdep", "snd-seq snd-timer")
        .info("firmware", "card/one two.bin")
        .info("import_ns", "SND")
        .info("srcversion", "A54194B1D21918923AF110D")
        .version("module_layout", 0x1234)
        .import("_printk", 0x92997ed8)
        .weak("maybe")
        .export("card_open", 7)
        .gpl_export("card_a", 8)
        .export_in("card_b", 9, true, "CARD")
        .layout(1280, Some(0x138), Some(0x4b0))
}

#[test]
fn every_fact_is_read() {
    let module = sample().parse();
    let texts = |list: &[InfoText]| list.iter().map(|text| text.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!((module.name.as_str(), module.arch), ("sound_card", Arch::Amd64));
    assert_eq!(module.vermagic.as_ref().unwrap().as_str(), "6.1.0-test SMP mod_unload modversions ");
    assert_eq!(module.release(), Some("6.1.0-test"));
    assert_eq!(module.layout, Some(StructLayout { size: 1280, init: Some(0x138), exit: Some(0x4b0) }));
    assert_eq!((module.in_tree, module.livepatch, module.versioned), (true, false, true));
    assert_eq!((module.btf, module.signature), (None, None));
    assert_eq!(module.license.as_ref().unwrap().as_str(), "GPL");
    assert_eq!(module.depends, ["soundcore", "snd_pcm"].map(|name| name.parse().unwrap()));
    assert_eq!(texts(&module.softdeps), ["pre: snd-hda post: ledtrig"]);
    assert_eq!(texts(&module.weakdeps), ["snd-seq snd-timer"]);
    assert_eq!(texts(&module.firmware), ["card/one two.bin"]);
    assert_eq!(texts(&module.namespaces), ["SND"]);
    assert_eq!(module.aliases[1].as_str(), "sound-slot-*");

    let imported = |name| module.imports[&symbol(name)].clone();
    assert_eq!(imported("module_layout"), Import { crc: Crc::new(0x1234), weak: false, place: 0 });
    assert_eq!(imported("_printk"), Import { crc: Crc::new(0x92997ed8), weak: false, place: 1 });
    assert_eq!(imported("maybe"), Import { crc: None, weak: true, place: 2 });
    let exported = |name| module.exports[&symbol(name)].clone();
    assert_eq!(exported("card_open"), Export { crc: Crc::new(7), gpl: false, namespace: None });
    assert_eq!(exported("card_a"), Export { crc: Crc::new(8), gpl: true, namespace: None });
    let namespace = Some("CARD".parse().unwrap());
    assert_eq!(exported("card_b"), Export { crc: Crc::new(9), gpl: true, namespace });
}

#[test]
fn what_is_not_there_is_none_and_not_an_error() {
    let bare = ModuleFile::new("m").without("license").without("vermagic").unversioned().parse();
    assert_eq!((bare.vermagic.clone(), bare.release(), bare.license.clone()), (None, None, None));
    assert_eq!((bare.versioned, bare.in_tree), (false, false));
    assert_eq!(bare.layout, Some(StructLayout { size: 64, init: None, exit: None }));
    let patch = ModuleFile::new("m").info("livepatch", "Y").parse();
    assert!(patch.livepatch && patch.versioned);
}

#[test]
fn type_information_is_for_one_kernel_or_for_any() {
    let btf = |file: ModuleFile| file.parse().btf;
    let file = ModuleFile::new("m");
    assert_eq!(btf(file.clone().section(".BTF", b"x")), Some(Btf::Split));
    assert_eq!(btf(file.clone().section(".BTF", b"x").section(".BTF.base", b"y")), Some(Btf::Relocatable));
    assert_eq!(btf(file.clone().section(".BTF", b"")), None);
    assert_eq!(btf(file.section(".BTF.base", b"y")), None);
}

#[test]
fn every_entry_is_shown_in_its_order() {
    let file = ModuleFile::new("m").info("author", "A=B").info("author", "C");
    let shown = Module::info(&file.bytes()).unwrap();
    let shown: Vec<_> = shown.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    assert_eq!(shown[..2], [("license", "GPL"), ("name", "m")]);
    assert_eq!(shown[3..], [("author", "A=B"), ("author", "C")]);
}

/// The two sections of the extended form.
fn extended(file: ModuleFile, crcs: &[u32], names: &str) -> ModuleFile {
    let crcs: Vec<u8> = crcs.iter().flat_map(|crc| crc.to_le_bytes()).collect();
    file.section("__version_ext_crcs", &crcs).section("__version_ext_names", names.as_bytes())
}

#[test]
fn versions_in_the_extended_form_come_before_the_basic_ones() {
    let long = "x".repeat(300);
    let names = format!("module_layout\0a\0{long}\0a\0");
    let file = ModuleFile::new("m").import("a", 1).strong(&long).strong("b").version("b", 5);
    let module = extended(file.clone(), &[2, 3, 4, 9], &names).parse();
    let crc = |name: &str| module.imports[&symbol(name)].crc;
    assert_eq!((crc("module_layout"), crc("a"), crc(&long)), (Crc::new(2), Crc::new(3), Crc::new(4)));
    assert_eq!(crc("b"), None, "the basic form is not asked for what the extended one lacks");
    let only = extended(file.clone().unversioned(), &[], "").parse();
    assert!(only.versioned && only.extended_only && !module.extended_only && !file.parse().extended_only);

    let more = extended(file.clone(), &[1, 2, 3], "a\0b\0").refused();
    assert!(more.contains("section __version_ext_names, entry 2: the name has no end"), "{more}");
    let endless = extended(file.clone(), &[1], "a").refused();
    assert!(endless.contains("entry 0: the name has no end"), "{endless}");
    let one = file.clone().section("__version_ext_crcs", &[0; 4]).refused();
    assert_eq!(one, "there is no section __version_ext_names");
    let other = file.clone().section("__version_ext_names", b"a\0").refused();
    assert_eq!(other, "there is no section __version_ext_crcs");
    assert!(
        file.section("__version_ext_crcs", &[0; 3])
            .section("__version_ext_names", b"")
            .refused()
            .contains("3 bytes")
    );
}

#[test]
fn a_version_of_what_is_not_undefined_means_nothing() {
    let module =
        ModuleFile::new("m").version("module_layout", 1).version("unused", 2).version("a b", 3).parse();
    assert_eq!(module.imports.into_keys().collect::<Vec<_>>(), [symbol("module_layout")]);
    let twice = ModuleFile::new("m").import("a", 1).version("a", 2).weak("a").parse();
    assert_eq!(twice.imports[&symbol("a")], Import { crc: Crc::new(1), weak: false, place: 0 });
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
        (file.clone().without("name"), "no name="),
        (file.clone().without("name").info("name", "n"), "name=n"),
        (file.clone().without("name").info("name", "a/b"), "\"a/b\" is not a module name"),
        (file.clone().info("alias", "a b"), ".modinfo, alias=: \"a b\" is not an alias"),
        (file.clone().section(".modinfo", b"name=m\0"), "more than one section .modinfo"),
        (file.clone().section("__versions", b""), "more than one section __versions"),
        (file.clone().export("", 1), "\"\" is not a symbol"),
        (file.clone().import("a b", 1), "\"a b\" is not a symbol"),
        (file.clone().version(&"x".repeat(56), 1), "section __versions, entry 0: the name has no end"),
        (file.clone().common("shared"), "symbol shared is a common one"),
        (file.clone().section(".BTF", b"").section(".BTF", b""), "more than one section .BTF"),
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

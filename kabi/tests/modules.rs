//! Every module of two Debian kernels, with modinfo, modprobe, nm, readelf and openssl as judges of what is read.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

mod inputs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use inputs::{Kernel, output, read_bytes, text};
use kabi::{Btf, InfoEntry, InfoText, KeyId, Module, ModuleSignature, StructLayout};

/// Reads all modules of both kernels; the second has them packed.
fn both() -> [Kernel; 2] {
    let kernels = [Kernel::plain(), Kernel::packed()];
    assert_eq!(kernels.each_ref().map(|kernel| kernel.files.len()), [1121, 1138]);
    kernels
}

#[test]
fn modinfo_shows_the_same_and_facts_are_what_it_shows() {
    let mut seen = BTreeMap::new();
    for kernel in both() {
        // modinfo(8), --null: a line `filename:`, then `key=value` with a NUL after each.
        let shown = output(Command::new("modinfo").arg("--null").args(&kernel.files));
        let mut shown = shown.split(|byte| *byte == 0).map(String::from_utf8_lossy).peekable();
        for file in &kernel.files {
            assert_eq!(shown.next().unwrap(), format!("filename:       {}", file.display()));
            let mut theirs = Vec::new();
            while let Some(entry) =
                shown.next_if(|entry| !entry.starts_with("filename:") && !entry.is_empty())
            {
                theirs.push(entry.into_owned());
            }
            // The bytes of the signature are of no interest; openssl and the signature tests look at them.
            theirs.retain(|entry| !entry.starts_with("signature="));

            let bytes = read_bytes(file);
            let (module, entries) = (kernel.parse(file, &bytes), Module::info(&bytes).unwrap());
            assert_eq!(as_modinfo_shows(&module, &entries), theirs, "{}", file.display());
            assert_facts(&module, &entries, &mut seen);
            assert_eq!(module.release(), Some(kernel.release.as_str()));
        }
    }
    for key in ["softdep", "firmware", "import_ns", "alias", "depends"] {
        assert!(seen[key] > 10, "{key}: {seen:?}");
    }
}

/// Entries in their order, then the signature, then the parameters, each in one line with its type, the last first.
fn as_modinfo_shows(module: &Module, entries: &[InfoEntry]) -> Vec<String> {
    let (parameters, others): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.key == "parm" || entry.key == "parmtype");
    let mut lines: Vec<String> =
        others.iter().map(|entry| format!("{}={}", entry.key, entry.value)).collect();
    let ModuleSignature { signer, issuer: _, key, hash } = module.signature.as_ref().unwrap();
    lines.push("sig_id=PKCS#7".to_owned());
    lines.extend(signer.iter().map(|signer| format!("signer={signer}")));
    lines.push(format!("sig_key={}", with_colons(key)));
    lines.push(format!("sig_hashalgo={hash}"));

    let mut shown: Vec<(String, Option<String>, Option<String>)> = Vec::new();
    for entry in parameters {
        let (name, value) = entry.value.split_once(':').unwrap();
        if !shown.iter().any(|known| known.0 == name) {
            shown.insert(0, (name.to_owned(), None, None));
        }
        let known = shown.iter_mut().find(|known| known.0 == name).unwrap();
        match entry.key.as_str() {
            "parm" => known.1 = Some(value.to_owned()),
            _ => known.2 = Some(value.to_owned()),
        }
    }
    for (name, meaning, kind) in shown {
        let meaning = meaning.unwrap_or_default();
        lines.push(match kind {
            Some(kind) if meaning.is_empty() => format!("parm:           {name}:{kind}"),
            Some(kind) => format!("parm:           {name}:{meaning} ({kind})"),
            None => format!("parm:           {name}:{meaning}"),
        });
    }
    lines
}

fn with_colons(key: &KeyId) -> String {
    let (pairs, _) = key.as_str().as_bytes().as_chunks::<2>();
    let pairs: Vec<String> = pairs.iter().map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
    pairs.join(":")
}

/// Each fact is what the entries say under its key, which is counted in `seen`.
fn assert_facts(module: &Module, entries: &[InfoEntry], seen: &mut BTreeMap<&'static str, usize>) {
    let said = |key: &str| -> Vec<String> {
        entries.iter().filter(|entry| entry.key == key).map(|entry| entry.value.clone()).collect()
    };
    let texts = |values: &[InfoText]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let depends: Vec<_> = module.depends.iter().map(ToString::to_string).collect();
    for (key, found) in [
        ("name", vec![module.name.to_string()]),
        ("vermagic", texts(module.vermagic.as_slice())),
        ("license", texts(module.license.as_slice())),
        ("srcversion", texts(module.srcversion.as_slice())),
        ("softdep", texts(&module.softdeps)),
        ("weakdep", texts(&module.weakdeps)),
        ("firmware", texts(&module.firmware)),
        ("import_ns", texts(&module.namespaces)),
        ("alias", module.aliases.iter().map(ToString::to_string).collect()),
        ("intree", vec!["Y".to_owned(); module.in_tree.into()]),
        ("livepatch", vec!["Y".to_owned(); module.livepatch.into()]),
        ("depends", vec![depends.join(",")]),
    ] {
        let mut said = said(key);
        *seen.entry(key).or_default() += said.len();
        match key {
            // Modules of several files say it several times, and the kernel takes the first.
            "license" => said.truncate(1),
            "depends" => said[0] = said[0].replace('-', "_"),
            _ => {}
        }
        assert_eq!(found, said, "{} {key}", module.path);
    }
    assert!(module.versioned && module.in_tree, "{}", module.path);
}

#[test]
fn modprobe_dumps_the_same_versions() {
    for kernel in both() {
        // One shell for all of them: modprobe takes one at a time.
        let script = r#"for file; do modprobe --dump-modversions "$file" && echo; done"#;
        let dumped = text(Command::new("sh").args(["-c", script, "sh"]).args(&kernel.files));
        let mut dumped = dumped.split_terminator("\n\n");
        for module in kernel.modules() {
            let theirs: BTreeMap<&str, String> = (dumped.next().unwrap().lines())
                .map(|line| line.split_once('\t').map(|(crc, symbol)| (symbol, crc.to_owned())).unwrap())
                .collect();
            let crc = |crc: Option<kabi::Crc>| crc.unwrap().to_string();
            let ours = module.imports.iter().map(|(symbol, import)| (symbol.as_str(), crc(import.crc)));
            assert!(ours.eq(theirs), "{}", module.path);
        }
        assert_eq!(dumped.next(), None);
    }
}

/// The modules in a directory, unpacked for programs that cannot do it, by their names.
fn unpacked(files: &[&PathBuf]) -> (tempfile::TempDir, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<String> = files.iter().map(|file| format!("{}.ko", inputs::stem(file))).collect();
    for (file, name) in files.iter().zip(&names) {
        std::fs::write(directory.path().join(name), read_bytes(file)).unwrap();
    }
    (directory, names)
}

#[test]
fn nm_lists_the_same_undefined_symbols() {
    for kernel in both() {
        let (directory, names) = unpacked(&kernel.files.iter().collect::<Vec<_>>());
        let mut nm = Command::new("nm");
        nm.args(["--print-file-name", "--format=posix", "--undefined-only"]).args(&names);
        let listed = text(nm.current_dir(&directory));
        // POSIX nm: `FILE: NAME TYPE`; a small letter is a weak symbol.
        let mut theirs = BTreeMap::<&str, BTreeMap<&str, bool>>::new();
        for line in listed.lines() {
            let (file, symbol) = line.split_once(": ").unwrap();
            let (symbol, kind) = symbol.trim_end().split_once(' ').unwrap();
            theirs.entry(file).or_default().insert(symbol, kind != "U");
        }
        for (file, name) in kernel.files.iter().zip(&names) {
            let mut ours = kernel.read(file).imports;
            assert!(ours.remove("module_layout").is_some(), "{}", file.display());
            let theirs = theirs.remove(name.as_str()).unwrap_or_default();
            let weak = ours.iter().map(|(symbol, import)| (symbol.as_str(), import.weak));
            assert!(weak.eq(theirs), "{}", file.display());
        }
    }
}

#[test]
fn readelf_shows_the_same_layout_and_type_information() {
    let mut layouts = Vec::new();
    for kernel in both() {
        let sample: Vec<&PathBuf> = kernel.files.iter().step_by(20).collect();
        let (directory, names) = unpacked(&sample);
        for (file, name) in sample.iter().zip(&names) {
            let module = kernel.read(file);
            let mut readelf = Command::new("readelf");
            let shown =
                text(readelf.args(["--sections", "--relocs", "--wide", name]).current_dir(&directory));
            let found = module.layout.unwrap();
            assert_eq!(layout(&shown), found, "{name}");
            let has =
                |section: &str| shown.lines().any(|line| line.split_whitespace().any(|word| word == section));
            let btf = match (has(".BTF"), has(".BTF.base")) {
                (false, _) => None,
                (true, false) => Some(Btf::Split),
                (true, true) => Some(Btf::Relocatable),
            };
            assert_eq!(module.btf, btf, "{name}");
            layouts.push((found.size, found.init, found.exit));
        }
    }
    layouts.sort_unstable();
    layouts.dedup();
    assert!(layouts.contains(&(896, Some(0x138), Some(0x350))), "{layouts:x?}");
    assert!(layouts.contains(&(1280, Some(0x138), Some(0x4b0))), "{layouts:x?}");
    // Libraries start and end without a function.
    assert!(layouts.contains(&(896, None, None)), "{layouts:x?}");
}

/// `struct module` as readelf shows it.
fn layout(shown: &str) -> StructLayout {
    let hex = |digits: &str| u32::from_str_radix(digits, 16).unwrap();
    let section = shown.lines().find(|line| line.contains(" .gnu.linkonce.this_module ")).unwrap();
    // [Nr] Name Type Address Off Size …
    let section: Vec<&str> = section.split(']').nth(1).unwrap().split_whitespace().collect();
    let table = shown
        .split("\nRelocation section ")
        .find(|table| table.starts_with("'.rela.gnu.linkonce.this_module'"));
    let offset = |symbol: &str| {
        let line = table?.lines().find(|line| line.split_whitespace().any(|word| word == symbol))?;
        line.split_whitespace().next().map(hex)
    };
    StructLayout { size: hex(section[4]), init: offset("init_module"), exit: offset("cleanup_module") }
}

#[test]
fn openssl_shows_the_same_signature() {
    for kernel in both() {
        for file in kernel.files.iter().step_by(400) {
            let bytes = read_bytes(file);
            // The length is in the last four bytes of the trailer, before the magic string of 28 bytes.
            let end = bytes.len() - 28 - 12;
            let length = u32::from_be_bytes(*bytes[end + 8..].first_chunk().unwrap()) as usize;
            let message = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(message.path(), &bytes[end - length..end]).unwrap();
            let mut openssl = Command::new("openssl");
            openssl.args(["cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in"]).arg(message.path());
            let shown = text(&mut openssl);
            let line = |start: &str| {
                let line = shown.lines().map(str::trim).find(|line| line.starts_with(start));
                line.unwrap_or_else(|| panic!("no {start} in {shown}")).to_owned()
            };
            let signature = kernel.read(file).signature.unwrap();
            assert_eq!(
                line("serialNumber:"),
                format!("serialNumber: 0x{}", signature.key.as_str().to_uppercase())
            );
            assert_eq!(line("issuer:"), format!("issuer: CN={}", signature.signer.unwrap()));
            assert!(line("algorithm:").starts_with(&format!("algorithm: {} ", signature.hash)), "{shown}");
        }
    }
}

#[test]
fn a_module_is_the_same_in_every_packing() {
    let kernel = Kernel::plain();
    let file = kernel.file("wireguard");
    let bytes = read_bytes(file);
    for (program, ending) in [("xz", "xz"), ("zstd", "zst"), ("gzip", "gz")] {
        let packed = output(Command::new(program).arg("--stdout").arg(file));
        assert!(packed.len() < bytes.len() / 2);
        assert!(kabi::decompress(&format!("wireguard.ko.{ending}"), packed).unwrap() == bytes, "{program}");
    }
}

#[test]
fn a_real_module_cut_short_is_an_error_at_any_length() {
    let kernel = Kernel::plain();
    let file = kernel.file("wireguard");
    let (path, bytes) = (kernel.image_path(file), read_bytes(file));
    let end = end_of_elf(&bytes);
    assert!(Module::parse(&path, &bytes[..end]).is_ok());
    for length in (0..end).step_by(97).chain(end - 100..end) {
        let error = Module::parse(&path, &bytes[..length]).unwrap_err().to_string();
        assert!(error.contains("header"), "{length}: {error}");
    }
    for length in end..bytes.len() {
        let module = Module::parse(&path, &bytes[..length]).unwrap();
        assert_eq!(module.signature, None, "{length}: what is cut off is no signature");
    }
}

/// Section headers end the ELF file: e_shoff and e_shnum (ELF gABI, ELF header); the signature follows.
fn end_of_elf(bytes: &[u8]) -> usize {
    let shoff = u64::from_le_bytes(*bytes[0x28..].first_chunk().unwrap()) as usize;
    shoff + usize::from(u16::from_le_bytes(*bytes[0x3c..].first_chunk().unwrap())) * 64
}

#[test]
fn no_change_to_the_frame_of_a_real_module_makes_the_reader_panic() {
    let kernel = Kernel::packed();
    let file: &Path = kernel.file("wireguard");
    let (path, sound) = (kernel.image_path(file), read_bytes(file));
    let end = end_of_elf(&sound);
    let headers = u64::from_le_bytes(*sound[0x28..].first_chunk().unwrap()) as usize;
    let mut bytes = sound.clone();
    let mut refused = 0;
    // ELF header, every third byte of the section headers, and the signature with its trailer.
    for place in (0..64).chain((headers..end).step_by(3)).chain(end..sound.len()) {
        for value in [0, 0xff] {
            bytes[place] = value;
            refused += usize::from(Module::parse(&path, &bytes).is_err());
        }
        bytes[place] = sound[place];
    }
    assert!(refused > 500, "{refused}");
}

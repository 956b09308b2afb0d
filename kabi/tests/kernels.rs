//! Profiles of two Debian kernels, with what their builds left, modinfo, readelf and their own signatures as judges.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

mod inputs;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use inputs::{Kernel, text};
use kabi::{
    Exports, KernelFacts, KernelImage, KernelOption, KernelOptions, Module, Owner, Profile, StructLayout,
    diff, read_builtins,
};
use spec::Arch;

/// A kernel with everything that can be read of it.
struct Known {
    kernel: Kernel,
    image: KernelImage,
    modules: Vec<Module>,
}

/// Linux 6.1, packed with lz4.
static PLAIN: LazyLock<Known> = LazyLock::new(|| Known::read(Kernel::plain()));
/// Linux 6.12, packed with zstd.
static PACKED: LazyLock<Known> = LazyLock::new(|| Known::read(Kernel::packed()));

impl Known {
    fn read(kernel: Kernel) -> Known {
        let image = std::fs::read(kernel.root.join(format!("boot/vmlinuz-{}", kernel.release))).unwrap();
        Known { image: KernelImage::parse(&image).unwrap(), modules: kernel.modules(), kernel }
    }

    fn text(&self, path: &str) -> String {
        let path = path.replace("RELEASE", self.kernel.release.as_str());
        std::fs::read_to_string(self.kernel.root.join(path)).unwrap()
    }

    fn by_symvers(&self) -> Exports {
        Exports::from_symvers(&self.text("usr/src/linux-headers-RELEASE/Module.symvers")).unwrap()
    }

    fn by_files(&self) -> Exports {
        let mut exports = Exports::default();
        exports.add_kernel(self.image.exports.clone()).unwrap();
        for module in &self.modules {
            let (_, place) = module.path.as_str().split_once("/kernel/").unwrap();
            let (directory, _) = place.rsplit_once('/').unwrap();
            exports.add_module(Some(&directory.parse().unwrap()), module).unwrap();
        }
        exports
    }

    fn profile(&self) -> Profile {
        let is_whole = |layout: &StructLayout| layout.init.is_some() && layout.exit.is_some();
        let mut layouts = self.modules.iter().filter_map(|module| module.layout);
        let facts = KernelFacts {
            vermagic: self.modules[0].vermagic.clone(),
            build_id: self.image.build_id.clone(),
            layout: layouts.find(is_whole),
            options: KernelOptions::from_config(&self.text("boot/config-RELEASE")).unwrap(),
            builtins: read_builtins(&self.text("lib/modules/RELEASE/modules.builtin")).unwrap(),
            keys: self.image.keys.clone(),
        };
        Profile::new(self.image.release.clone(), self.image.arch, self.by_symvers(), facts)
    }
}

#[test]
fn an_image_and_its_modules_export_what_the_build_says() {
    for (known, count) in [(&PLAIN, 14_415), (&PACKED, 15_069)] {
        let (wanted, found) = (known.by_symvers(), known.by_files());
        assert!(wanted == found, "{}", known.kernel.release);
        assert_eq!((&known.image.release, known.image.arch), (&known.kernel.release, Arch::Amd64));
        assert_eq!(known.profile().exports().count(), count);
    }
}

#[test]
fn a_profile_of_a_whole_kernel_is_small_and_reads_back() {
    for known in [&PLAIN, &PACKED] {
        let profile = known.profile();
        let bytes = profile.to_bytes();
        assert!(bytes.len() <= 250_000, "{} has {} bytes", known.kernel.release, bytes.len());
        let read = Profile::parse(&bytes).unwrap();
        assert!(read == profile && read.to_bytes() == bytes, "{}", known.kernel.release);
        let kernel_only = profile.restricted_to(&BTreeSet::new());
        assert!(kernel_only.exports().all(|(_, known)| known.owner == Owner::Kernel));
        assert_eq!(kernel_only.exports().count(), known.image.exports.len());
        assert!(Profile::parse(&kernel_only.to_bytes()).unwrap() == kernel_only);
    }
}

#[test]
fn a_profile_knows_the_facts_that_other_programs_know() {
    for known in [&PLAIN, &PACKED] {
        let profile = known.profile();
        let vermagic = text(Command::new("modinfo").args(["-F", "vermagic"]).arg(&known.kernel.files[0]));
        assert_eq!(profile.vermagic().unwrap().as_str(), vermagic.trim_end_matches('\n'));
        let lines = known.text("lib/modules/RELEASE/modules.builtin");
        let names =
            lines.lines().map(|line| line.rsplit('/').next().unwrap().replace(".ko", "").replace('-', "_"));
        assert_eq!(profile.builtins().map(ToString::to_string).collect::<BTreeSet<_>>(), names.collect());
        let config = known.text("boot/config-RELEASE");
        for option in KernelOption::ALL {
            let is_on = config.lines().any(|line| line == format!("{option}=y"));
            assert_eq!(profile.option(option), Some(is_on), "{option}");
        }
        assert_eq!(profile.option(KernelOption::Modversions), Some(true));
    }
    let later = PACKED.profile();
    assert_eq!(later.option(KernelOption::FwLoaderCompressZstd), Some(true));
    assert_eq!(PLAIN.profile().option(KernelOption::FwLoaderCompressZstd), Some(false));
}

/// The kernel that is packed with zstd can be unpacked without this room.
#[test]
fn the_build_id_is_the_one_that_readelf_shows() {
    let known = &PACKED;
    let image =
        std::fs::read(known.kernel.root.join(format!("boot/vmlinuz-{}", known.kernel.release))).unwrap();
    let start = image.windows(4).position(|window| window == [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("vmlinux.zst"), &image[start..]).unwrap();
    // zstd complains about what follows the frame, once it has written the kernel.
    let unpacked = std::fs::File::create(dir.path().join("vmlinux")).unwrap();
    let mut zstd = Command::new("zstd");
    zstd.args(["-dc", "vmlinux.zst"])
        .current_dir(dir.path())
        .stdout(unpacked)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let shown = text(Command::new("readelf").args(["-n", "vmlinux"]).current_dir(dir.path()));
    let id = shown.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).unwrap();
    assert_eq!(known.image.build_id.as_ref().unwrap().as_str(), id);
}

#[test]
fn every_module_is_signed_with_a_key_that_is_found_in_the_image() {
    for known in [&PLAIN, &PACKED] {
        let [key] = &known.image.keys[..] else { panic!("{:?}", known.image.keys) };
        assert_eq!(key.subject.as_str(), "Build time autogenerated kernel key");
        assert!(key.key_id.is_some());
        for module in &known.modules {
            assert!(key.is_named_by(module.signature.as_ref().unwrap()), "{}", module.path);
        }
    }
}

#[cfg(feature = "verify")]
#[test]
fn a_key_that_is_found_in_the_image_has_signed_its_modules() {
    for (known, other) in [(&PLAIN, &PACKED), (&PACKED, &PLAIN)] {
        let bytes = inputs::read_bytes(&known.kernel.files[0]);
        assert!(kabi::signature::verify(&bytes, &known.image.keys[0].spki).is_ok());
        assert!(kabi::signature::verify(&bytes, &other.image.keys[0].spki).is_err());
    }
}

#[test]
fn two_kernels_differ_where_their_module_symvers_do() {
    let (old, new) = (PLAIN.profile(), PACKED.profile());
    let diff = diff(&old, &new);
    let lines = |known: &Known| -> BTreeSet<(String, String)> {
        let line = |line: &str| line.split('\t').nth(1).map(|symbol| (symbol.to_owned(), line.to_owned()));
        known.text("usr/src/linux-headers-RELEASE/Module.symvers").lines().filter_map(line).collect()
    };
    let (before, after) = (lines(&PLAIN), lines(&PACKED));
    let wanted: BTreeSet<&str> =
        before.symmetric_difference(&after).map(|(symbol, _)| symbol.as_str()).collect();
    let changes = || diff.exports.values().flatten();
    let found: BTreeSet<&str> = changes().map(|change| change.symbol.as_str()).collect();
    // What only moved to another directory is the same for modules.
    let moved: BTreeSet<_> = wanted.difference(&found).collect();
    assert!(found.is_subset(&wanted) && moved.len() < 100, "{moved:?}");
    let gone = changes().filter(|change| change.new.is_none()).count();
    let only_before =
        before.iter().filter(|(symbol, _)| !after.iter().any(|(other, _)| other == symbol)).count();
    assert_eq!(gone, only_before);
    assert!(diff.exports.contains_key("net/ipv4") && diff.exports.contains_key("vmlinux"));
    assert!(diff.options.contains(&(KernelOption::FwLoaderCompressZstd, true)));
}

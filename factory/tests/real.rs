//! Composing with Debian's own kernel and boot stub.

#![allow(clippy::unwrap_used)] // its helpers are tests too

use std::path::{Path, PathBuf};
use std::process::Command;

use factory::uki::{Content, Stub};
use spec::Arch;

fn inputs() -> PathBuf {
    std::env::var("TENON_INPUTS").map(PathBuf::from).expect("TENON_INPUTS is not set: run `cargo xtask test`")
}

/// The one file in `directory` whose name starts with `start`.
fn find(directory: &Path, start: &str) -> PathBuf {
    let mut entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.find(|path| path.file_name().unwrap().to_string_lossy().starts_with(start));
    found.unwrap_or_else(|| panic!("no {start}* in {}", directory.display()))
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn stub(directory: &Path) -> Vec<u8> {
    let package = find(&inputs().join("debs"), "systemd-boot-efi_");
    run("dpkg-deb", &["-x", package.to_str().unwrap(), directory.to_str().unwrap()]);
    std::fs::read(directory.join("usr/lib/systemd/boot/efi/linuxx64.efi.stub")).unwrap()
}

#[test]
fn systemds_stub_bears_a_debian_kernel() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::parse(stub(directory.path()), Arch::Amd64).unwrap();
    for kernel in ["kernel", "other-kernel"] {
        let kernel = std::fs::read(find(&inputs().join(kernel).join("boot"), "vmlinuz-")).unwrap();
        let content = Content {
            os_release: "ID=debian\n",
            uname: "6.1.0",
            command_line: "quiet",
            initramfs: &[7; 1_000_001],
            kernel: &kernel,
        };
        let file = directory.path().join("uki.efi");
        std::fs::write(&file, stub.link(&content).unwrap()).unwrap();
        let file = file.to_str().unwrap();
        let sections = sections(&run("objdump", &["-h", file]));
        let names: Vec<&str> = sections.iter().map(|(name, ..)| name.as_str()).collect();
        assert!(names.ends_with(&[".osrel", ".uname", ".cmdline", ".initrd", ".linux"]), "{names:?}");
        for pair in sections.windows(2) {
            let [(_, size, address), (name, _, next)] = pair else { unreachable!() };
            assert!(address + size <= *next, "{name} overlaps what is before it");
        }
        let dumped = directory.path().join("linux");
        let option = format!(".linux={}", dumped.display());
        run("objcopy", &["-O", "binary", "--dump-section", &option, file, "/dev/null"]);
        assert!(std::fs::read(dumped).unwrap() == kernel);
    }
}

/// Name, size and address of the sections, from the table of objdump.
fn sections(listing: &str) -> Vec<(String, u64, u64)> {
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    listing
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() == 7 && words[0].parse::<u32>().is_ok())
        .map(|words| (words[1].to_owned(), hex(words[2]), hex(words[3])))
        .collect()
}

#[test]
fn debian_kernels_are_uefi_programs_for_their_own_machine_only() {
    for kernel in ["kernel", "other-kernel"] {
        let kernel = std::fs::read(find(&inputs().join(kernel).join("boot"), "vmlinuz-")).unwrap();
        assert!(factory::is_uefi_program(&kernel, Arch::Amd64));
        assert!(!factory::is_uefi_program(&kernel, Arch::Arm64));
    }
}

//! The kernels that the tests of this room read, and the programs that they are held against.

// Every test file has its own copy and uses what it needs; clippy.toml allows `unwrap` in test functions only.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use kabi::{Module, decompress};
use spec::{KernelRelease, TreePath};

/// A Debian kernel, unpacked.
pub(crate) struct Kernel {
    /// Where the packages were unpacked.
    pub(crate) root: PathBuf,
    /// Its release.
    pub(crate) release: KernelRelease,
    /// Its modules, in the order of their paths.
    pub(crate) files: Vec<PathBuf>,
}

impl Kernel {
    /// Linux 6.1 with plain modules, signed with RSA.
    pub(crate) fn plain() -> Kernel {
        Kernel::find("kernel")
    }

    /// Linux 6.12 with modules in xz, signed with ECDSA.
    pub(crate) fn packed() -> Kernel {
        Kernel::find("other-kernel")
    }

    fn find(directory: &str) -> Kernel {
        let root = real_input(directory);
        let release: KernelRelease = only_entry(&root.join("lib/modules")).parse().unwrap();
        let mut files = Vec::new();
        collect_files(&root.join(format!("lib/modules/{release}/kernel")), &mut files);
        files.sort();
        Kernel { root, release, files }
    }

    /// The file of a module.
    pub(crate) fn file(&self, name: &str) -> &Path {
        let holds = |file: &&PathBuf| stem(file).replace('-', "_") == name.replace('-', "_");
        self.files.iter().find(holds).unwrap()
    }

    /// The path that a file has in an image, where /lib is /usr/lib.
    pub(crate) fn image_path(&self, file: &Path) -> TreePath {
        format!("/usr/{}", file.strip_prefix(&self.root).unwrap().display()).parse().unwrap()
    }

    /// The facts about the module in a file.
    pub(crate) fn read(&self, file: &Path) -> Module {
        self.parse(file, &read_bytes(file))
    }

    /// The facts about the module that was read from a file.
    pub(crate) fn parse(&self, file: &Path, bytes: &[u8]) -> Module {
        Module::parse(&self.image_path(file), bytes).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The facts about all its modules.
    pub(crate) fn modules(&self) -> Vec<Module> {
        self.files.iter().map(|file| self.read(file)).collect()
    }
}

/// A file or directory among the real inputs.
pub(crate) fn real_input(path: &str) -> PathBuf {
    let inputs = std::env::var("TENON_INPUTS")
        .expect("TENON_INPUTS does not name the directory of real kernels: run `cargo xtask test`");
    Path::new(&inputs).join(path)
}

/// The name of a file up to its first dot.
pub(crate) fn stem(file: &Path) -> &str {
    file_name(file).split('.').next().unwrap()
}

fn file_name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

/// The bytes of a module, unpacked.
pub(crate) fn read_bytes(file: &Path) -> Vec<u8> {
    decompress(file_name(file), std::fs::read(file).unwrap()).unwrap()
}

/// What a program that succeeds prints.
pub(crate) fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The same, as text.
pub(crate) fn text(command: &mut Command) -> String {
    String::from_utf8(output(command)).unwrap()
}

fn only_entry(directory: &Path) -> String {
    let mut entries = std::fs::read_dir(directory).unwrap();
    let entry = entries.next().unwrap().unwrap().file_name().into_string().unwrap();
    assert!(entries.next().is_none(), "{} holds more than one kernel", directory.display());
    entry
}

fn collect_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect_files(&path, files),
            false => files.push(path),
        }
    }
}

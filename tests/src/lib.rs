//! What the whole-system tests share: a directory for each test, our programs run as a user runs them, and what they
//! said in a form that is the same on every machine.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory of its own for one test; gone with the value.
#[derive(Debug)]
pub struct Context {
    dir: tempfile::TempDir,
    cache: tempfile::TempDir,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Said {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Words.
    pub stderr: String,
}

/// The value of a variable that `cargo xtask test` sets.
///
/// # Panics
/// Where it is not set: a test that cannot look must not pass.
pub fn from_xtask(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(value) => value.into(),
        None => panic!("{variable} is not set; run `cargo xtask test`"),
    }
}

/// The directory of real inputs.
pub fn inputs() -> PathBuf {
    from_xtask("TENON_INPUTS")
}

/// The top directory of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is one level below the top")
}

impl Default for Context {
    fn default() -> Context {
        Context::new()
    }
}

impl Context {
    /// A new, empty directory.
    pub fn new() -> Context {
        let dir = || tempfile::tempdir().expect("there is room for temporary files");
        Context { dir: dir(), cache: dir() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The cache of [`Context::extbuild`], outside the directory.
    pub fn cache(&self) -> &Path {
        self.cache.path()
    }

    /// A path in the directory, as an argument.
    pub fn path(&self, relative: &str) -> String {
        self.dir().join(relative).display().to_string()
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(relative);
        fs::create_dir_all(path.parent().expect("a file is in a directory"))
            .expect("the directory can be made");
        fs::write(&path, bytes).expect("the file can be written");
        path
    }

    /// Runs `extbuild` in the directory.
    pub fn extbuild(&self, args: &[&str]) -> Said {
        let mut extbuild = Command::new(from_xtask("TENON_EXTBUILD"));
        // Nobody's own cache is used, nor filled.
        extbuild.env("TENON_CACHE_DIR", self.cache()).env_remove("TENON_PASSPHRASE_FILE");
        self.run(extbuild.args(args))
    }

    /// Runs `extfactory` in the directory.
    pub fn extfactory(&self, args: &[&str]) -> Said {
        self.run(Command::new(from_xtask("TENON_EXTFACTORY")).args(args))
    }

    /// Runs any program in the directory.
    pub fn run(&self, command: &mut Command) -> Said {
        let output = command.current_dir(self.dir()).output().expect("the program starts");
        let text = |bytes: Vec<u8>| self.plain(&String::from_utf8_lossy(&bytes));
        Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Takes out what differs between machines.
    fn plain(&self, text: &str) -> String {
        let inputs = std::env::var("TENON_INPUTS").unwrap_or_else(|_| "[INPUTS]".into());
        text.replace(&self.dir().display().to_string(), "[DIR]")
            .replace(&inputs, "[INPUTS]")
            .replace(&root().display().to_string(), "[ROOT]")
    }
}

impl Said {
    /// The program must have succeeded; returns its data without the end of line.
    ///
    /// # Panics
    /// Where it has not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout.trim_end().to_owned()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit code {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        if !self.stdout.is_empty() {
            writeln!(f, "--- stdout\n{}", self.stdout)?;
        }
        write!(f, "--- stderr\n{}", self.stderr)
    }
}

/// A directory with the layout `out`, in which the extension `acme` 1.0.0 for amd64 is signed with `key.pem`.
///
/// # Panics
/// Where that does not go.
pub fn signed_extension() -> Context {
    const MANIFEST: &str = "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.0.0
sources:
  files:
    dir: files
contents:
  - from: files
    to: /usr/share/acme
";
    let context = Context::new();
    context.write("extension.yaml", MANIFEST);
    context.write("files/readme", "read me\n");
    context.extbuild(&["build", "extension.yaml", "--arch", "amd64", "-o", "oci:out"]).ok();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    context.extbuild(&["sign", "oci:out", "--key", "key.pem"]).ok();
    context
}

/// The smallest program that counts as a boot program for a medium: an ELF executable without an interpreter. It is
/// never run.
pub fn boot_program() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(2_u16.to_le_bytes()); // e_type: executable
    bytes.extend(62_u16.to_le_bytes()); // e_machine: x86-64
    bytes.extend(1_u32.to_le_bytes()); // e_version
    bytes.extend([0; 8]); // e_entry
    bytes.extend(64_u64.to_le_bytes()); // e_phoff
    bytes.extend([0; 8 + 4]); // e_shoff, e_flags
    bytes.extend([64_u16, 56, 1, 64, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    bytes.extend(1_u32.to_le_bytes()); // one segment to load
    bytes.resize(64 + 56, 0);
    bytes
}

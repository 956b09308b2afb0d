//! The plan of a medium: every choice is made in it, and it can be printed. Writing it decides nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use catalog::Layout;
use spec::TreePath;
use spec::base::BaseDescription;
use spec::boot::medium;

use crate::base::Base;
use crate::cpio::{Entries, Entry};
use crate::error::ComposeError;
use crate::initramfs;
use crate::inputs::Loaded;
use crate::iso::Source;
use crate::schematic::KernelArg;
use crate::secure_boot::SecureBoot;
use crate::select::Selected;
use crate::uki::{Content, Stub};

/// Kernel arguments of every medium. Those of a schematic follow and win. `quiet`: the console is for warnings and for
/// what the boot program says; a serial line prints slowly. `panic=10`: a machine that nobody looks at starts again,
/// after time enough to read why.
pub const DEFAULT_KERNEL_ARGS: &str = "quiet panic=10";
/// Longest command line: `COMMAND_LINE_SIZE` without its NUL (linux/arch/x86/include/asm/setup.h; arm64 has the same
/// in linux/include/uapi/asm-generic/setup.h).
pub const COMMAND_LINE_MAX: usize = 2047;

/// A medium that can be written.
#[derive(Debug)]
pub struct Plan {
    /// The base.
    pub base: BaseDescription,
    /// The kernel command line.
    pub command_line: String,
    /// What is in the initramfs.
    pub initramfs: Entries,
    /// The extensions, in the order of the machine config.
    pub extensions: Vec<Selected>,
    /// What is to be known about the trust policy and its updates.
    pub notes: Vec<String>,
    /// The files of the medium but those of the store.
    pub files: BTreeMap<TreePath, Source>,
    /// Who signs the boot program of the firmware, if anybody.
    pub secure_boot: Option<SecureBoot>,
    pub(crate) layout: Layout,
    kernel: Vec<u8>,
    stub: Stub,
}

impl Plan {
    pub(crate) fn make(loaded: Loaded) -> Result<Plan, ComposeError> {
        let Loaded {
            base,
            machine,
            trust,
            updates,
            notes,
            layout,
            extensions,
            runtime,
            stub,
            secure_boot,
            kernel_args,
        } = loaded;
        let command_line = command_line(&kernel_args)?;
        let initramfs = initramfs::entries(&base, trust, runtime);
        let Base { description, description_json, root, kernel, modules: _ } = base;
        let machine = spec::machine::to_yaml(&machine);
        let files = files(root, description_json, machine, updates);
        Ok(Plan {
            base: description,
            command_line,
            initramfs,
            extensions,
            notes,
            files,
            secure_boot,
            layout,
            kernel,
            stub,
        })
    }

    /// The boot program of the firmware, with `initramfs` packed.
    pub(crate) fn link(&self, initramfs: &[u8]) -> Result<Vec<u8>, ComposeError> {
        let content = Content {
            os_release: &self.os_release(),
            uname: self.base.kernel.as_str(),
            command_line: &self.command_line,
            initramfs,
            kernel: &self.kernel,
        };
        self.stub.link(&content).map_err(ComposeError::Uki)
    }

    /// What boot menus show (os-release(5)).
    fn os_release(&self) -> String {
        let BaseDescription { name, version, .. } = &self.base;
        format!("ID={name}\nVERSION_ID=\"{version}\"\nPRETTY_NAME=\"{name} {version}\"\n")
    }
}

fn command_line(kernel_args: &[KernelArg]) -> Result<String, ComposeError> {
    let own = kernel_args.iter().map(KernelArg::as_str);
    let line = std::iter::once(DEFAULT_KERNEL_ARGS).chain(own).collect::<Vec<_>>().join(" ");
    match line.len() {
        0..=COMMAND_LINE_MAX => Ok(line),
        length => Err(ComposeError::CommandLine { length }),
    }
}

fn files(
    root: PathBuf,
    description: Vec<u8>,
    machine: String,
    updates: Vec<(String, Vec<u8>)>,
) -> BTreeMap<TreePath, Source> {
    let files = [
        (medium::ROOT, Source::File(root)),
        (medium::BASE, Source::Bytes(description)),
        (medium::MACHINE, Source::Bytes(machine.into_bytes())),
    ];
    let files = files.into_iter().map(|(path, source)| (on_medium(path), source));
    let updates = updates
        .into_iter()
        .map(|(name, bytes)| (on_medium(&format!("{}/{name}", medium::TRUST)), Source::Bytes(bytes)));
    files.chain(updates).collect()
}

/// The place of a file whose name is known to be sound.
pub(crate) fn on_medium(relative: &str) -> TreePath {
    TreePath::root().join(relative).expect("constant names, and digests in them, are sound")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BaseDescription { name, version, arch, kernel, .. } = &self.base;
        writeln!(f, "base: {name} {version} for {arch}, kernel {kernel}")?;
        writeln!(f, "kernel command line: {}", self.command_line)?;
        if let Some(SecureBoot { certificate, .. }) = &self.secure_boot {
            writeln!(f, "signed for Secure Boot, certificate {}", certificate.display())?;
        }
        writeln!(f, "initramfs:")?;
        for (path, entry) in &self.initramfs {
            writeln!(f, "  {path}{}", describe(entry))?;
        }
        writeln!(f, "medium, volume {}:", medium::VOLUME)?;
        for (path, source) in &self.files {
            match source {
                Source::Bytes(bytes) => writeln!(f, "  {path}: {} bytes", bytes.len())?,
                Source::File(file) => writeln!(f, "  {path}: {}", file.display())?,
            }
        }
        writeln!(f, "  /{}: from {}", medium::STORE, self.layout.dir().display())?;
        for Selected { entry, fate } in &self.extensions {
            writeln!(f, "    {} {} {}", entry.name, entry.version, entry.descriptor.digest)?;
            if !fate.signers.is_empty() {
                writeln!(f, "      signed by {}", fate.signers.join(", "))?;
            }
            for reason in &fate.reasons {
                writeln!(f, "      will be refused: {reason}")?;
            }
            for note in &fate.notes {
                writeln!(f, "      note: {note}")?;
            }
        }
        Ok(())
    }
}

fn describe(entry: &Entry) -> String {
    match entry {
        Entry::Directory => "/".to_owned(),
        Entry::File(content) => format!(": {} bytes", content.len()),
        Entry::Program(content) => format!(": program, {} bytes", content.len()),
        Entry::CharacterDevice { major, minor } => format!(": character device {major}:{minor}"),
    }
}

//! Why a medium was not composed.

use std::io;
use std::path::PathBuf;

use catalog::CatalogError;
use extruntime::plan::PlanError;
use spec::machine::MachineError;
use spec::{Arch, Diagnose, ExtensionName, Outcome, VersionRange};

use crate::base::BaseError;
use crate::iso::IsoError;
use crate::plan::COMMAND_LINE_MAX;
use crate::runtime::RuntimeError;
use crate::schematic::SchematicError;
use crate::secure_boot::SecureBootError;
use crate::uki::UkiError;

/// Why a medium was not composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// The output would replace something that is not an earlier output.
    #[error("{} {why}", path.display())]
    Output {
        /// The output.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
    /// The schematic is refused.
    #[error(transparent)]
    Schematic(#[from] SchematicError),
    /// The machine config or a patch is refused.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The extensions cannot be judged.
    #[error(transparent)]
    Judge(#[from] PlanError),
    /// The base directory is refused or cannot be read.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The layout of the extensions is refused or cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The boot program could not start.
    #[error("{} cannot be the boot program", path.display())]
    Runtime {
        /// The program.
        path: PathBuf,
        /// Why.
        source: RuntimeError,
    },
    /// The stub is none.
    #[error("{} cannot be the boot stub", path.display())]
    Stub {
        /// The stub.
        path: PathBuf,
        /// Why.
        source: UkiError,
    },
    /// There are too many kernel arguments.
    #[error("the kernel command line has {length} bytes; the kernel reads {COMMAND_LINE_MAX}")]
    CommandLine {
        /// Its length in bytes.
        length: usize,
    },
    /// The machine wants an extension that is not there.
    #[error(
        "no version of {name} in the range {range} for {arch} is in {}: it has {}",
        directory.display(), listed(there)
    )]
    NoCandidate {
        /// The extension.
        name: ExtensionName,
        /// The versions that would do.
        range: VersionRange,
        /// The architecture of the base.
        arch: Arch,
        /// The layout.
        directory: PathBuf,
        /// The versions that are there.
        there: Vec<String>,
    },
    /// The initramfs cannot be made.
    #[error("the initramfs cannot be packed")]
    Initramfs(#[source] io::Error),
    /// The stub, kernel and initramfs do not go together.
    #[error("the unified kernel image cannot be made")]
    Uki(#[source] UkiError),
    /// It cannot be signed.
    #[error("the unified kernel image cannot be signed for Secure Boot")]
    SecureBoot(#[source] SecureBootError),
    /// The EFI system partition cannot be made.
    #[error("the EFI system partition cannot be made")]
    Esp(#[source] io::Error),
    /// The ISO image cannot be written.
    #[error("cannot compose {}", path.display())]
    Iso {
        /// The output.
        path: PathBuf,
        /// Why.
        source: IsoError,
    },
}

impl ComposeError {
    /// An I/O error with its place.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| ComposeError::Io { action, path, source }
    }
}

fn listed(versions: &[String]) -> String {
    const SHOWN: usize = 8;
    match versions.len() {
        0 => "none".into(),
        1..=SHOWN => versions.join(", "),
        count => format!("{} and {} more", versions[..SHOWN].join(", "), count - SHOWN),
    }
}

impl Diagnose for ComposeError {
    fn outcome(&self) -> Outcome {
        match self {
            ComposeError::Schematic(error) => error.outcome(),
            ComposeError::Machine(error) => error.outcome(),
            ComposeError::Judge(error) => error.outcome(),
            ComposeError::Base(error) => error.outcome(),
            ComposeError::Catalog(error) => error.outcome(),
            ComposeError::Iso { source, .. } => source.outcome(),
            ComposeError::SecureBoot(source) => source.outcome(),
            ComposeError::Io { .. }
            | ComposeError::Output { .. }
            | ComposeError::Initramfs(_)
            | ComposeError::Esp(_) => Outcome::Unavailable,
            ComposeError::Runtime { .. }
            | ComposeError::Stub { .. }
            | ComposeError::CommandLine { .. }
            | ComposeError::NoCandidate { .. }
            | ComposeError::Uki(_) => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ComposeError::Schematic(error) => error.hint(),
            ComposeError::Machine(error) => error.hint(),
            ComposeError::Judge(error) => error.hint(),
            ComposeError::Base(error) => error.hint(),
            ComposeError::Catalog(error) => error.hint(),
            ComposeError::Runtime { source, .. } => source.hint(),
            ComposeError::Stub { source, .. } | ComposeError::Uki(source) => source.hint(),
            ComposeError::Iso { source, .. } => source.hint(),
            ComposeError::SecureBoot(source) => source.hint(),
            ComposeError::Output { .. } => Some("name another file with -o".into()),
            ComposeError::CommandLine { .. } => Some("leave out some of kernelArgs".into()),
            ComposeError::NoCandidate { name, there, .. } if there.is_empty() => {
                Some(format!("build {name} into the layout, or take it out of the machine config"))
            }
            ComposeError::NoCandidate { .. } => {
                Some("change the version in the machine config, or build that version into the layout".into())
            }
            ComposeError::Io { action: "read", .. } => Some(
                "check the path; those in a schematic are relative to the directory that it is in".into(),
            ),
            ComposeError::Io { .. } => {
                Some("the output is written beside its final place first: is there room?".into())
            }
            ComposeError::Initramfs(_) | ComposeError::Esp(_) => None,
        }
    }
}

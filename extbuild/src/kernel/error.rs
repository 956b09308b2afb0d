//! Why a kernel cannot be used.

use std::path::{Path, PathBuf};

use spec::{Diagnose, KernelRelease, Outcome};

/// Why a kernel cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something that a kernel has is not there.
    #[error("{} is not the directory of a kernel: there is no {what}", dir.display())]
    Nothing {
        /// The directory.
        dir: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A file that is no profile.
    #[error("{} is neither the directory of a base or a kernel nor a kernel profile", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: kabi::ProfileError,
    },
    /// It is not clear which kernel is meant.
    #[error("{} has several kernels: {}", dir.display(), releases.join(", "))]
    Several {
        /// The directory.
        dir: PathBuf,
        /// Their releases.
        releases: Vec<String>,
    },
    /// A directory of modules that is called otherwise.
    #[error("{} is not named after a kernel release", dir.display())]
    NoRelease {
        /// The directory.
        dir: PathBuf,
    },
    /// Neither an image nor modules say which kernel it is.
    #[error("nothing here says which kernel it is")]
    Nameless,
    /// Image and modules are of two kernels.
    #[error("the kernel image is of {image} and the modules in {} are of {modules}", dir.display())]
    Mismatch {
        /// What the image says.
        image: KernelRelease,
        /// Where the modules are.
        dir: PathBuf,
        /// What they are for.
        modules: KernelRelease,
    },
    /// The kernel image cannot be read.
    #[error("{} is not a kernel image that can be read", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        source: kabi::ImageError,
    },
    /// The list of exported symbols is damaged.
    #[error("{} cannot be used", path.display())]
    Symvers {
        /// The file.
        path: PathBuf,
        /// Why.
        source: kabi::SymversError,
    },
    /// The list of exported symbols and the kernel image are of two builds, if of the same release.
    #[error("{} is not of the build that the kernel image is of: they differ in symbol {symbol}", path.display())]
    OtherBuild {
        /// The list.
        path: PathBuf,
        /// The first symbol that one of them lacks or has with another CRC.
        symbol: kabi::SymbolName,
    },
    /// The configuration is none.
    #[error("{} is not the configuration of a kernel", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        source: kabi::ConfigError,
    },
    /// The list of built-in modules is damaged.
    #[error("{} is not a list of built-in modules", path.display())]
    Builtin {
        /// The file.
        path: PathBuf,
        /// Why.
        source: kabi::BuiltinError,
    },
    /// Image and modules cannot be of one kernel.
    #[error(transparent)]
    Exports(#[from] kabi::ExportsError),
    /// A module has a name that no image can have.
    #[error("{} cannot be in an image", file.display())]
    Name {
        /// The file.
        file: PathBuf,
        /// Why.
        source: spec::path::PathError,
    },
    /// A compressed module is damaged.
    #[error("{} cannot be unpacked", file.display())]
    Compressed {
        /// The file.
        file: PathBuf,
        /// Why.
        source: kabi::DecompressError,
    },
    /// A module is damaged.
    #[error("{} is not a sound kernel module", file.display())]
    Module {
        /// The file.
        file: PathBuf,
        /// Why.
        source: kabi::ModuleError,
    },
}

impl KernelError {
    /// For `map_err`: which file could not be read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> KernelError {
        let path = path.to_owned();
        move |source| KernelError::Read { path, source }
    }
}

impl Diagnose for KernelError {
    fn outcome(&self) -> Outcome {
        match self {
            KernelError::Read { .. } | KernelError::Nothing { .. } | KernelError::Nameless => {
                Outcome::Unavailable
            }
            _ => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            KernelError::Nothing { .. } => Some(
                "unpack the kernel's image and headers packages into one directory: dpkg -x FILE.deb DIR"
                    .into(),
            ),
            KernelError::Profile { .. } => Some("make a profile with extbuild kernel profile".into()),
            KernelError::Read { path, .. } if path.as_os_str().as_encoded_bytes().starts_with(b"oci:") => {
                Some("kernels and bases are named by directory or by profile, not by reference".into())
            }
            KernelError::Several { .. } => Some("unpack each kernel into a directory of its own".into()),
            KernelError::NoRelease { .. } => Some("name the directory lib/modules/RELEASE".into()),
            KernelError::Nameless => Some("give a vmlinuz, or --modules lib/modules/RELEASE".into()),
            KernelError::OtherBuild { .. } => {
                Some("take image and headers packages of exactly the same version".into())
            }
            KernelError::Image { source, .. } => source.hint(),
            _ => None,
        }
    }
}

//! Kernels as their packages unpack (image and headers, `dpkg -x` into one directory), and parts of them.

mod build_files;
mod error;
mod modules;
mod parts;

use std::path::{Path, PathBuf};

use kabi::Profile;
use spec::{Arch, KernelRelease, ModuleName};

pub(crate) use build_files::BuildFiles;
pub(crate) use error::KernelError;
pub(crate) use modules::{KernelModule, ModuleDir, release_of};
pub(crate) use parts::Parts;

/// One kernel: its release, its modules, what it exports, its image.
#[derive(Debug)]
pub(crate) struct Kernel {
    dir: PathBuf,
    /// `uname -r` of it.
    pub release: KernelRelease,
    /// The architecture of its modules.
    pub arch: Arch,
    /// What it is held to be.
    pub profile: Profile,
    image: Option<PathBuf>,
    modules: ModuleDir,
}

impl Kernel {
    /// Reads what is in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Kernel, KernelError> {
        let (modules, parts) = Parts::in_directory(dir)?;
        let profile = parts.profile(Some(&modules))?;
        let (release, arch) = (profile.release().clone(), profile.arch());
        Ok(Kernel { dir: dir.to_owned(), release, arch, profile, image: parts.image, modules })
    }

    /// Reads an in-tree module, or nothing where the kernel has none of that name.
    pub(crate) fn module(&self, name: &ModuleName) -> Result<Option<KernelModule>, KernelError> {
        self.modules.read(name).transpose()
    }

    /// What its build left beside the modules.
    pub(crate) fn build_files(&self) -> Result<BuildFiles, KernelError> {
        BuildFiles::read(self.modules.path())
    }

    /// Is there an in-tree module of that name?
    pub(crate) fn has(&self, name: &ModuleName) -> bool {
        self.modules.has(name)
    }

    /// The kernel image that boots.
    pub(crate) fn image(&self) -> Result<&Path, KernelError> {
        self.image.as_deref().ok_or_else(|| KernelError::Nothing {
            dir: self.dir.clone(),
            what: format!("boot/vmlinuz-{}", self.release),
        })
    }
}

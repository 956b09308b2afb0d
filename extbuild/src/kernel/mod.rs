//! Kernels as their packages unpack (image and headers, `dpkg -x` into one directory), and parts of them.

mod build_files;
mod error;
mod modules;
mod parts;

use std::path::{Path, PathBuf};

use kabi::Profile;
use spec::artifact::limits;
use spec::{Arch, KernelRelease, ModuleName};

pub(crate) use build_files::BuildFiles;
pub(crate) use error::KernelError;
pub(crate) use modules::{KernelModule, ModuleDir, release_of};
pub(crate) use parts::Parts;

/// One kernel: its release, what it exports, and its modules and its image where there is more than a profile of it.
#[derive(Debug)]
pub(crate) struct Kernel {
    path: PathBuf,
    /// `uname -r` of it.
    pub release: KernelRelease,
    /// The architecture of its modules.
    pub arch: Arch,
    /// What it is held to be.
    pub profile: Profile,
    image: Option<PathBuf>,
    modules: Option<ModuleDir>,
}

impl Kernel {
    /// Reads a directory that packages were unpacked into, or a kernel profile.
    pub(crate) fn open(path: &Path) -> Result<Kernel, KernelError> {
        let (profile, image, modules) = if path.is_dir() {
            let (modules, parts) = Parts::in_directory(path)?;
            (parts.profile(Some(&modules))?, parts.image, Some(modules))
        } else {
            (read_profile(path)?, None, None)
        };
        let (release, arch) = (profile.release().clone(), profile.arch());
        Ok(Kernel { path: path.to_owned(), release, arch, profile, image, modules })
    }

    /// Reads an in-tree module, or nothing where the kernel has none of that name.
    pub(crate) fn module(&self, name: &ModuleName) -> Result<Option<KernelModule>, KernelError> {
        self.modules()?.read(name).transpose()
    }

    /// What its build left beside the modules.
    pub(crate) fn build_files(&self) -> Result<BuildFiles, KernelError> {
        BuildFiles::read(self.modules()?.path())
    }

    /// May there be an in-tree module of that name? A profile knows some of them only.
    pub(crate) fn may_have(&self, name: &ModuleName) -> bool {
        self.modules.as_ref().is_none_or(|modules| modules.has(name))
    }

    /// The kernel image that boots.
    pub(crate) fn image(&self) -> Result<&Path, KernelError> {
        self.image.as_deref().ok_or_else(|| self.nothing(&format!("boot/vmlinuz-{}", self.release)))
    }

    fn modules(&self) -> Result<&ModuleDir, KernelError> {
        self.modules.as_ref().ok_or_else(|| self.nothing("lib/modules/RELEASE/kernel"))
    }

    fn nothing(&self, what: &str) -> KernelError {
        KernelError::Nothing { dir: self.path.clone(), what: what.to_owned() }
    }
}

/// Reads a kernel profile.
pub(crate) fn read_profile(path: &Path) -> Result<Profile, KernelError> {
    let bytes = terminal::read_regular(path, limits::FACTS).map_err(KernelError::read(path))?;
    Profile::parse(&bytes).map_err(|source| KernelError::Profile { path: path.to_owned(), source })
}

//! The directory behind `--kernel`: a kernel as its packages unpack (image and headers, `dpkg -x` into one directory).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kabi::{Module, Profile, ProfileError};
use spec::{Arch, Diagnose, KernelRelease, ModuleName, Outcome};
use walkdir::WalkDir;

/// Where packages put modules, newest habit first.
const MODULE_ROOTS: [&str; 2] = ["usr/lib/modules", "lib/modules"];

/// One kernel: its release, its modules, what it exports, its image.
#[derive(Debug)]
pub(crate) struct Kernel {
    dir: PathBuf,
    /// `uname -r` of it.
    pub release: KernelRelease,
    /// The architecture of its modules.
    pub arch: Arch,
    /// Everything that it and its modules export.
    pub profile: Profile,
    /// `…/lib/modules/RELEASE`.
    modules_dir: PathBuf,
    /// In-tree modules and where they are below `modules_dir`.
    modules: BTreeMap<ModuleName, PathBuf>,
}

/// A module of a kernel, read and understood.
#[derive(Debug)]
pub(crate) struct KernelModule {
    /// The module, not compressed.
    pub bytes: Vec<u8>,
    /// What it says of itself; its path is the one that it has in a base, `/usr/lib/modules/RELEASE/kernel/…/NAME.ko`.
    pub facts: Module,
}

impl Kernel {
    /// Reads what is in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Kernel, KernelError> {
        let (release, modules_dir) = find_release(dir)?;
        let modules = find_modules(&modules_dir)?;
        let arch = arch_of(&modules_dir, &release, &modules)?;
        let symvers = find_symvers(dir, &release)?;
        let text = std::fs::read_to_string(&symvers).map_err(KernelError::read(&symvers))?;
        let profile = Profile::from_symvers(&text, release.clone(), arch)
            .map_err(|source| KernelError::Symvers { path: symvers, source })?;
        Ok(Kernel { dir: dir.to_owned(), release, arch, profile, modules_dir, modules })
    }

    /// Reads an in-tree module, or nothing where the kernel has none of that name.
    pub(crate) fn module(&self, name: &ModuleName) -> Result<Option<KernelModule>, KernelError> {
        self.modules
            .get(name)
            .map(|relative| read_module(&self.modules_dir, &self.release, relative))
            .transpose()
    }

    /// Is there an in-tree module of that name?
    pub(crate) fn has(&self, name: &ModuleName) -> bool {
        self.modules.contains_key(name)
    }

    /// The kernel image that boots.
    pub(crate) fn image(&self) -> Result<PathBuf, KernelError> {
        let path = self.dir.join(format!("boot/vmlinuz-{}", self.release));
        match path.is_file() {
            true => Ok(path),
            false => Err(KernelError::Nothing {
                dir: self.dir.clone(),
                what: format!("boot/vmlinuz-{}", self.release),
            }),
        }
    }
}

fn find_release(dir: &Path) -> Result<(KernelRelease, PathBuf), KernelError> {
    let mut found = Vec::new();
    for root in MODULE_ROOTS.map(|root| dir.join(root)) {
        let Ok(children) = std::fs::read_dir(&root) else { continue };
        for child in children {
            let child = child.map_err(KernelError::read(&root))?;
            let release = child.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(release) = release.filter(|_| child.path().join("kernel").is_dir()) {
                found.push((release, child.path()));
            }
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(KernelError::Nothing { dir: dir.to_owned(), what: "lib/modules/RELEASE/kernel".into() }),
        _ => {
            let mut releases: Vec<String> = found.iter().map(|(release, _)| release.to_string()).collect();
            releases.sort();
            Err(KernelError::Several { dir: dir.to_owned(), releases })
        }
    }
}

fn find_modules(modules_dir: &Path) -> Result<BTreeMap<ModuleName, PathBuf>, KernelError> {
    let mut modules = BTreeMap::new();
    for found in WalkDir::new(modules_dir.join("kernel")).sort_by_file_name() {
        let found = found.map_err(|error| {
            let path = error.path().unwrap_or(modules_dir).to_owned();
            KernelError::Read { path, source: error.into() }
        })?;
        let name = found.file_name().to_str().and_then(ModuleName::from_file_name);
        if let (Some(name), true) = (name, found.file_type().is_file()) {
            let relative = found.path().strip_prefix(modules_dir).unwrap_or(found.path());
            modules.insert(name, relative.to_owned());
        }
    }
    Ok(modules)
}

/// All modules of a kernel are of its architecture: the first one tells.
fn arch_of(
    modules_dir: &Path,
    release: &KernelRelease,
    modules: &BTreeMap<ModuleName, PathBuf>,
) -> Result<Arch, KernelError> {
    let first = modules.values().next().ok_or_else(|| KernelError::Nothing {
        dir: modules_dir.to_owned(),
        what: "a module below kernel/".into(),
    })?;
    Ok(read_module(modules_dir, release, first)?.facts.arch)
}

fn find_symvers(dir: &Path, release: &KernelRelease) -> Result<PathBuf, KernelError> {
    let places = [
        dir.join(format!("usr/src/linux-headers-{release}/Module.symvers")),
        dir.join(format!("lib/modules/{release}/build/Module.symvers")),
        dir.join("Module.symvers"),
    ];
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| KernelError::Nothing {
        dir: dir.to_owned(),
        what: format!("usr/src/linux-headers-{release}/Module.symvers"),
    })
}

fn read_module(
    modules_dir: &Path,
    release: &KernelRelease,
    relative: &Path,
) -> Result<KernelModule, KernelError> {
    let file = modules_dir.join(relative);
    let bytes = std::fs::read(&file).map_err(KernelError::read(&file))?;
    let name = relative.to_string_lossy();
    let plain = [".xz", ".zst", ".gz"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let path = format!("/usr/lib/modules/{release}/{plain}")
        .parse()
        .map_err(|source| KernelError::Name { file: file.clone(), source })?;
    let bytes = kabi::decompress(&name, bytes)
        .map_err(|source| KernelError::Compressed { file: file.clone(), source })?;
    let facts = Module::parse(&path, &bytes).map_err(|source| KernelError::Module { file, source })?;
    Ok(KernelModule { bytes, facts })
}

/// Why a kernel directory cannot be used.
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
    /// It is not clear which kernel is meant.
    #[error("{} has several kernels: {}", dir.display(), releases.join(", "))]
    Several {
        /// The directory.
        dir: PathBuf,
        /// Their releases.
        releases: Vec<String>,
    },
    /// The list of exported symbols is damaged.
    #[error("{} cannot be used", path.display())]
    Symvers {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ProfileError,
    },
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
    fn read(path: &Path) -> impl FnOnce(std::io::Error) -> KernelError {
        let path = path.to_owned();
        move |source| KernelError::Read { path, source }
    }
}

impl Diagnose for KernelError {
    fn outcome(&self) -> Outcome {
        match self {
            KernelError::Read { .. } | KernelError::Nothing { .. } => Outcome::Unavailable,
            _ => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            KernelError::Nothing { .. } => Some(
                "unpack the kernel's image and headers packages into one directory: dpkg -x FILE.deb DIR"
                    .into(),
            ),
            KernelError::Several { .. } => Some("unpack each kernel into a directory of its own".into()),
            _ => None,
        }
    }
}

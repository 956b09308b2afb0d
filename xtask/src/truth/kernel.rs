//! A kernel that is asked, and the modules that it ships.

use std::fs;
use std::path::{Path, PathBuf};

use spec::{KernelRelease, ModuleName};

use crate::Error;
use crate::dependencies::Dependencies;

/// A kernel package, unpacked, and its modules as the loader wants them.
#[derive(Debug)]
pub(super) struct Kernel {
    root: PathBuf,
    release: KernelRelease,
    dependencies: Dependencies,
    modules: Vec<InTree>,
}

/// A module that the kernel ships.
#[derive(Debug)]
pub(super) struct InTree {
    pub(super) name: ModuleName,
    /// Where it is installed, from the root.
    pub(super) path: String,
    /// The same file, not compressed.
    pub(super) file: PathBuf,
}

impl Kernel {
    /// Opens the package in `root`, and puts its modules into a directory below `dir`.
    ///
    /// # Errors
    /// [`Error::Truth`] if it holds no kernel, [`Error::File`], those of depmod.
    pub(super) fn open(root: PathBuf, dir: &Path) -> Result<Kernel, Error> {
        let release = only_release(&root.join("lib/modules"))?;
        let dir = dir.join(release.as_str());
        fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
        let dependencies = Dependencies::of(&root, release.as_str())?;
        let mut kernel = Kernel { root, release, dependencies, modules: Vec::new() };
        let unpacked = |path: &String| InTree::unpacked(&kernel, path, &dir);
        kernel.modules = kernel.dependencies.order_of_all().iter().map(unpacked).collect::<Result<_, _>>()?;
        Ok(kernel)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn release(&self) -> &KernelRelease {
        &self.release
    }

    /// The directory that depmod and modprobe call that of the release.
    pub(super) fn tree(&self) -> PathBuf {
        self.root.join("lib/modules").join(self.release.as_str())
    }

    /// The image that boots.
    pub(super) fn image(&self) -> PathBuf {
        self.root.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// All modules, each after those that it depends on.
    pub(super) fn modules(&self) -> &[InTree] {
        &self.modules
    }

    /// Modules here and there among them, and all that they depend on, in the same order.
    pub(super) fn sample(&self, size: usize) -> Result<Vec<&InTree>, Error> {
        let step = self.modules.len().div_ceil(size).max(1);
        let names: Vec<&str> = self.modules.iter().step_by(step).map(|module| module.name.as_str()).collect();
        self.with_dependencies(&names)
    }

    /// These modules and all that they depend on, in the same order.
    pub(super) fn with_dependencies(&self, names: &[&str]) -> Result<Vec<&InTree>, Error> {
        let paths = self.dependencies.order(names)?;
        let is_in = |module: &&InTree| paths.iter().any(|path| module.path.ends_with(path.as_str()));
        Ok(self.modules.iter().filter(is_in).collect())
    }

    /// The file of a module.
    pub(super) fn module(&self, name: &str) -> Result<&Path, Error> {
        let found = self.modules.iter().find(|module| module.name.as_str() == name);
        found.map(|module| module.file.as_path()).ok_or_else(|| Error::NoModule(name.to_owned()))
    }
}

impl InTree {
    /// A module by its path in the directory of the release.
    fn unpacked(kernel: &Kernel, path: &str, dir: &Path) -> Result<InTree, Error> {
        let base = path.rsplit('/').next().unwrap_or(path);
        let name =
            ModuleName::from_file_name(base).ok_or_else(|| Error::Truth(format!("{path} is no module")))?;
        let shipped = kernel.tree().join(path);
        let file = match base.ends_with(".ko") {
            true => shipped,
            false => {
                let bytes = fs::read(&shipped).map_err(Error::file("read", &shipped))?;
                let bytes =
                    kabi::decompress(base, bytes).map_err(|error| Error::Truth(spec::sentence(&error)))?;
                let file = dir.join(format!("{name}.ko"));
                fs::write(&file, bytes).map_err(Error::file("write", &file))?;
                file
            }
        };
        Ok(InTree { name, path: format!("/usr/lib/modules/{}/{path}", kernel.release), file })
    }
}

fn only_release(dir: &Path) -> Result<KernelRelease, Error> {
    let mut names = fs::read_dir(dir).map_err(Error::file("read", dir))?.filter_map(Result::ok);
    let name = names.next().and_then(|entry| entry.file_name().to_str()?.parse().ok());
    name.ok_or_else(|| Error::Truth(format!("{} holds no kernel", dir.display())))
}

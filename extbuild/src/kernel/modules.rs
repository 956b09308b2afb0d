//! The in-tree modules of a kernel: `lib/modules/RELEASE/kernel`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kabi::Module;
use kabi::compress::MAX_BYTES;
use spec::{KernelRelease, ModuleName};
use walkdir::WalkDir;

use super::KernelError;

/// `…/lib/modules/RELEASE`.
#[derive(Debug)]
pub(crate) struct ModuleDir {
    dir: PathBuf,
    release: KernelRelease,
    /// Modules and where they are below `dir`.
    files: BTreeMap<ModuleName, PathBuf>,
}

/// A module of a kernel, read and understood.
#[derive(Debug)]
pub(crate) struct KernelModule {
    /// The module, not compressed.
    pub bytes: Vec<u8>,
    /// What it says of itself; its path is the one that it has in a base, `/usr/lib/modules/RELEASE/kernel/…/NAME.ko`.
    pub facts: Module,
}

impl ModuleDir {
    /// Finds the modules in a directory that is called as its kernel's release is.
    pub(crate) fn open(dir: &Path) -> Result<ModuleDir, KernelError> {
        let release = release_of(dir)?;
        let mut files = BTreeMap::new();
        for found in WalkDir::new(dir.join("kernel")).sort_by_file_name() {
            let found = found.map_err(|error| {
                let path = error.path().unwrap_or(dir).to_owned();
                KernelError::Read { path, source: error.into() }
            })?;
            let name = found.file_name().to_str().and_then(ModuleName::from_file_name);
            if let (Some(name), true) = (name, found.file_type().is_file()) {
                let relative = found.path().strip_prefix(dir).unwrap_or(found.path());
                files.insert(name, relative.to_owned());
            }
        }
        Ok(ModuleDir { dir: dir.to_owned(), release, files })
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// The release that it is called by.
    pub(crate) fn release(&self) -> &KernelRelease {
        &self.release
    }

    /// Is there a module of that name?
    pub(crate) fn has(&self, name: &ModuleName) -> bool {
        self.files.contains_key(name)
    }

    /// Reads the module of that name, if there is one.
    pub(crate) fn read(&self, name: &ModuleName) -> Option<Result<KernelModule, KernelError>> {
        self.files.get(name).map(|relative| self.read_file(relative))
    }

    /// Reads all modules, each when it is asked for, with the directory of the kernel's sources that it comes from.
    pub(crate) fn read_all(&self) -> impl Iterator<Item = Result<(String, KernelModule), KernelError>> {
        self.files.values().map(|relative| {
            let directory =
                relative.strip_prefix("kernel").ok().and_then(Path::parent).unwrap_or(Path::new(""));
            Ok((directory.to_string_lossy().into_owned(), self.read_file(relative)?))
        })
    }

    fn read_file(&self, relative: &Path) -> Result<KernelModule, KernelError> {
        let file = self.dir.join(relative);
        // One byte more than is taken, so that it is seen what is too large.
        let bytes = terminal::read_regular(&file, MAX_BYTES as u64 + 1).map_err(KernelError::read(&file))?;
        let name = relative.to_string_lossy();
        let plain = [".xz", ".zst", ".gz"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        let path = format!("/usr/lib/modules/{}/{plain}", self.release)
            .parse()
            .map_err(|source| KernelError::Name { file: file.clone(), source })?;
        let bytes = kabi::decompress(&name, bytes)
            .map_err(|source| KernelError::Compressed { file: file.clone(), source })?;
        let facts = Module::parse(&path, &bytes).map_err(|source| KernelError::Module { file, source })?;
        Ok(KernelModule { bytes, facts })
    }
}

/// The release that a directory of modules is called by.
pub(crate) fn release_of(dir: &Path) -> Result<KernelRelease, KernelError> {
    let name = std::path::absolute(dir).map_err(KernelError::read(dir))?;
    let release = name.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    release.ok_or_else(|| KernelError::NoRelease { dir: dir.to_owned() })
}

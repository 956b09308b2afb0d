//! What the build of a kernel leaves beside its modules, for the module index.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use kabi::index::{self, IndexError, Inputs};
use kabi::{ModuleIndex, Record};
use spec::KernelRelease;
use spec::artifact::limits;

use super::KernelError;

/// The files of a directory of modules that depmod reads and does not write; none need be there.
#[derive(Debug, Default)]
pub(crate) struct BuildFiles {
    order: Option<String>,
    builtin: Option<String>,
    builtin_modinfo: Option<Vec<u8>>,
}

impl BuildFiles {
    /// Reads those of the directory.
    pub(crate) fn read(modules: &Path) -> Result<BuildFiles, KernelError> {
        let read = |name: &str| optional(modules.join(name));
        let text = |name: &str| match read(name)?.map(String::from_utf8).transpose() {
            Ok(text) => Ok(text),
            Err(error) => {
                Err(KernelError::read(&modules.join(name))(io::Error::new(ErrorKind::InvalidData, error)))
            }
        };
        Ok(BuildFiles {
            order: text("modules.order")?,
            builtin: text("modules.builtin")?,
            builtin_modinfo: read("modules.builtin.modinfo")?,
        })
    }

    /// The index of these modules.
    pub(crate) fn index(&self, release: &KernelRelease, modules: &Record) -> Result<ModuleIndex, IndexError> {
        index::build(&Inputs {
            release,
            base: modules,
            extensions: &[],
            order: self.order.as_deref(),
            builtin: self.builtin.as_deref(),
            builtin_modinfo: self.builtin_modinfo.as_deref(),
        })
    }

    /// Those that are there, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let files = [
            ("modules.order", self.order.as_deref().map(str::as_bytes)),
            ("modules.builtin", self.builtin.as_deref().map(str::as_bytes)),
            ("modules.builtin.modinfo", self.builtin_modinfo.as_deref()),
        ];
        files.into_iter().filter_map(|(name, bytes)| Some((name, bytes?)))
    }
}

fn optional(path: PathBuf) -> Result<Option<Vec<u8>>, KernelError> {
    match terminal::read_regular(&path, limits::FACTS) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KernelError::read(&path)(error)),
    }
}

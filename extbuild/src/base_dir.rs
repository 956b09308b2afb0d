//! A base OS as `extbuild base` left it in a directory: what an extension is held against.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kabi::{Profile, Record};
use spec::base::{BaseDescription, BaseDescriptionError, files};
use spec::listing::Listing;
use spec::{Diagnose, ModuleName, Outcome};

/// The facts of a base.
#[derive(Debug)]
pub(crate) struct Base {
    /// Its identity.
    pub description: BaseDescription,
    /// What its kernel and its modules export.
    pub profile: Profile,
    /// Its modules.
    pub modules: Record,
    /// Its paths.
    pub paths: Listing,
}

impl Base {
    /// Reads the facts; the images beside them are not looked at.
    pub(crate) fn open(dir: &Path) -> Result<Base, BaseError> {
        let path = dir.join(files::DESCRIPTION).display().to_string();
        let description = BaseDescription::parse(read(dir, files::DESCRIPTION)?.as_bytes(), &path)?;
        let unsound = |file: &str| {
            let path = dir.join(file);
            move |problem: String| BaseError::Unsound { path, problem }
        };
        let profile = Profile::parse(&read_bytes(dir, files::PROFILE)?)
            .map_err(|error| unsound(files::PROFILE)(error.to_string()))?;
        let modules = Record::parse(read(dir, files::MODULES)?.as_bytes())
            .map_err(|error| unsound(files::MODULES)(error.to_string()))?;
        let paths = Listing::parse(&read(dir, files::PATHS)?)
            .map_err(|error| unsound(files::PATHS)(error.to_string()))?;
        Ok(Base { description, profile, modules, paths })
    }

    /// The names of its modules.
    pub(crate) fn module_names(&self) -> BTreeSet<ModuleName> {
        self.modules.modules().iter().map(|module| module.name.clone()).collect()
    }
}

fn read_bytes(dir: &Path, file: &str) -> Result<Vec<u8>, BaseError> {
    let path = dir.join(file);
    std::fs::read(&path).map_err(|source| BaseError::Read { path, source })
}

fn read(dir: &Path, file: &str) -> Result<String, BaseError> {
    let path = dir.join(file);
    std::fs::read_to_string(&path).map_err(|source| BaseError::Read { path, source })
}

/// Why a base directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The description is not sound.
    #[error(transparent)]
    Description(#[from] BaseDescriptionError),
    /// Another file is not what it should be.
    #[error("{} cannot be used: {problem}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Diagnose for BaseError {
    fn outcome(&self) -> Outcome {
        match self {
            BaseError::Read { .. } => Outcome::Unavailable,
            BaseError::Description(_) | BaseError::Unsound { .. } => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("name a directory that `extbuild base` has written".into())
    }
}

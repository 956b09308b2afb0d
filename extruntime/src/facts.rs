//! What the base says of itself: the ground on which extensions are judged.

use std::path::{Path, PathBuf};

use kabi::{Profile, ProfileError, Record, RecordError};
use spec::artifact::limits;
use spec::base::{files, places};
use spec::listing::{Listing, ListingError};
use spec::{Arch, Diagnose, KernelRelease, Outcome, TreePath};

use crate::cannot::Cannot;
use crate::files as door;

/// A base, as far as extensions are concerned.
#[derive(Debug)]
pub struct BaseFacts {
    /// The architecture of the machine.
    pub arch: Arch,
    /// The kernel that runs.
    pub kernel: KernelRelease,
    /// What the base's kernel exports.
    pub profile: Profile,
    /// The modules that the base ships.
    pub modules: Record,
    /// Every path of the base.
    pub listing: Listing,
}

/// The files with the facts.
#[derive(Debug)]
pub(crate) struct FactFiles {
    profile: PathBuf,
    modules: PathBuf,
    listing: PathBuf,
}

impl FactFiles {
    /// Those in the root of a base.
    pub(crate) fn in_root(root: &Path) -> FactFiles {
        let place = |place: &str| root.join(place.trim_start_matches('/'));
        FactFiles {
            profile: place(places::PROFILE),
            modules: place(places::MODULES),
            listing: place(places::PATHS),
        }
    }

    /// The copies in a base directory.
    pub(crate) fn in_directory(directory: &Path) -> FactFiles {
        FactFiles {
            profile: directory.join(files::PROFILE),
            modules: directory.join(files::MODULES),
            listing: directory.join(files::PATHS),
        }
    }
}

impl BaseFacts {
    /// Is this path, relative to the root, in the base?
    pub(crate) fn has(&self, relative: &Path) -> bool {
        let path = relative.to_str().and_then(|path| TreePath::root().join(path).ok());
        path.is_some_and(|path| self.listing.get(&path).is_some())
    }

    /// Reads the facts.
    pub(crate) fn read(
        files: &FactFiles,
        arch: Arch,
        kernel: KernelRelease,
    ) -> Result<BaseFacts, FactsError> {
        let FactFiles { profile, modules, listing } = files;
        let of = |path: &Path| path.display().to_string();
        let text = |path: &Path| door::read_text(path, limits::FACTS).map_err(FactsError::Read);
        let parsed = Profile::parse(&text(profile)?);
        let profile = parsed.map_err(|source| FactsError::Profile { file: of(profile), source })?;
        let parsed = Record::parse(&door::read(modules, limits::FACTS).map_err(FactsError::Read)?);
        let modules = parsed.map_err(|source| FactsError::Modules { file: of(modules), source })?;
        let parsed = Listing::parse(&text(listing)?);
        let listing = parsed.map_err(|source| FactsError::Listing { file: of(listing), source })?;
        Ok(BaseFacts { arch, kernel, profile, modules, listing })
    }
}

/// Why nothing can be judged against a base.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A file is missing or cannot be read.
    #[error(transparent)]
    Read(Cannot),
    /// The kernel profile is broken.
    #[error("{file} is not a kernel profile")]
    Profile {
        /// The file.
        file: String,
        /// Where.
        source: ProfileError,
    },
    /// The record of the base's modules is broken.
    #[error("{file} is not a record of modules")]
    Modules {
        /// The file.
        file: String,
        /// Where.
        source: RecordError,
    },
    /// The list of the base's paths is broken.
    #[error("{file} is not a list of paths")]
    Listing {
        /// The file.
        file: String,
        /// Where.
        source: ListingError,
    },
}

impl Diagnose for FactsError {
    fn outcome(&self) -> Outcome {
        match self {
            FactsError::Read(error) => error.outcome(),
            FactsError::Profile { .. } | FactsError::Modules { .. } | FactsError::Listing { .. } => {
                Outcome::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some("make the base again with extbuild base".into())
    }
}

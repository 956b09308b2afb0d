//! What the base says of itself: the ground on which extensions are judged.

use std::path::{Path, PathBuf};

use kabi::{Host, Profile, ProfileError, Record, RecordError};
use spec::artifact::limits;
use spec::base::{files, places};
use spec::listing::{Listing, ListingError};
use spec::{Diagnose, KernelRelease, Outcome, TreePath};

use crate::cannot::Cannot;
use crate::files as door;
use crate::running::Running;

/// A base, as far as extensions are concerned.
#[derive(Debug)]
pub struct BaseFacts {
    /// The kernel that runs.
    pub kernel: Running,
    /// What the base's kernel exports.
    pub profile: Profile,
    /// The modules that the base ships.
    pub modules: Record,
    /// Every path of the base.
    pub listing: Listing,
    /// What the kernel's build wrote beside its modules.
    pub build: BuildFiles,
}

/// Files of the kernel's build, as far as the base ships them and its root can be read: the index of modules is made
/// with them.
#[derive(Debug, Default)]
pub struct BuildFiles {
    /// `modules.order`.
    pub order: Option<String>,
    /// `modules.builtin`.
    pub builtin: Option<String>,
    /// `modules.builtin.modinfo`.
    pub builtin_modinfo: Option<Vec<u8>>,
}

/// The files with the facts.
#[derive(Debug)]
pub(crate) struct FactFiles {
    profile: PathBuf,
    modules: PathBuf,
    listing: PathBuf,
    /// The root of the base, where it is mounted.
    root: Option<PathBuf>,
}

impl FactFiles {
    /// Those in the root of a base.
    pub(crate) fn in_root(root: &Path) -> FactFiles {
        let place = |place: &str| root.join(place.trim_start_matches('/'));
        FactFiles {
            profile: place(places::PROFILE),
            modules: place(places::MODULES),
            listing: place(places::PATHS),
            root: Some(root.to_owned()),
        }
    }

    /// The copies in a base directory.
    pub(crate) fn in_directory(directory: &Path) -> FactFiles {
        FactFiles {
            profile: directory.join(files::PROFILE),
            modules: directory.join(files::MODULES),
            listing: directory.join(files::PATHS),
            root: None,
        }
    }

    /// The same, with what the kernel's build left in this root.
    pub(crate) fn and_root(self, root: PathBuf) -> FactFiles {
        FactFiles { root: Some(root), ..self }
    }
}

impl BaseFacts {
    /// What modules are held against.
    pub(crate) fn host(&self) -> Host<'_> {
        let Running { signatures, .. } = self.kernel;
        Host { paths: Some(&self.listing), signatures, ..Host::base(&self.profile, &self.modules) }
    }

    /// Reads the facts.
    pub(crate) fn read(files: &FactFiles, kernel: Running) -> Result<BaseFacts, FactsError> {
        let FactFiles { profile, modules, listing, root } = files;
        let of = |path: &Path| path.display().to_string();
        let text = |path: &Path| door::read_text(path, limits::FACTS).map_err(FactsError::Read);
        let bytes = |path: &Path| door::read(path, limits::FACTS).map_err(FactsError::Read);
        let parsed = Profile::parse(&bytes(profile)?);
        let profile = parsed.map_err(|source| FactsError::Profile { file: of(profile), source })?;
        let parsed = Record::parse(&bytes(modules)?);
        let modules = parsed.map_err(|source| FactsError::Modules { file: of(modules), source })?;
        let parsed = Listing::parse(&text(listing)?);
        let listing = parsed.map_err(|source| FactsError::Listing { file: of(listing), source })?;
        let build = match root {
            Some(root) => BuildFiles::read(root, &kernel.release, &listing).map_err(FactsError::Read)?,
            None => BuildFiles::default(),
        };
        Ok(BaseFacts { kernel, profile, modules, listing, build })
    }
}

impl BuildFiles {
    fn read(root: &Path, release: &KernelRelease, listing: &Listing) -> Result<BuildFiles, Cannot> {
        let place = |name: &str| format!("/usr/lib/modules/{release}/{name}");
        let has = |path: &String| path.parse::<TreePath>().is_ok_and(|path| listing.get(&path).is_some());
        let find = |name| Some(place(name)).filter(has).map(|path| root.join(path.trim_start_matches('/')));
        let text = |name| find(name).map(|path| door::read_text(&path, limits::FACTS)).transpose();
        let bytes = |name| find(name).map(|path| door::read(&path, limits::FACTS)).transpose();
        Ok(BuildFiles {
            order: text("modules.order")?,
            builtin: text("modules.builtin")?,
            builtin_modinfo: bytes("modules.builtin.modinfo")?,
        })
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

//! The base: described in the initramfs, which is trusted, and stored on the medium, which is not.

use std::path::Path;

use spec::artifact::limits;
use spec::base::{BaseDescription, BaseDescriptionError};
use spec::boot::{initramfs, medium as places};
use spec::{Diagnose, Outcome};

use crate::activation::BASE;
use crate::cannot::Cannot;
use crate::content::{ContentError, Expected};
use crate::layer::Layer;
use crate::log::Log;
use crate::running::{Running, RunningError};
use crate::{files, sealed};

/// A base whose root is mounted at [`BASE`].
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) description: BaseDescription,
    /// The kernel that runs.
    pub(crate) kernel: Running,
    _root: Layer,
}

/// Reads the description in the initramfs.
pub(crate) fn describe() -> Result<BaseDescription, BaseError> {
    parse(Path::new(initramfs::BASE))
}

/// Reads a description.
pub(crate) fn parse(path: &Path) -> Result<BaseDescription, BaseError> {
    let bytes = files::read(path, limits::CONFIG)?;
    Ok(BaseDescription::parse(&bytes, &path.display().to_string())?)
}

/// Checks the root image on the medium against the description and mounts it.
pub(crate) fn mount(description: BaseDescription, medium: &Path, log: &Log) -> Result<Base, BaseError> {
    let kernel = Running::look()?;
    let file = files::open(&medium.join(places::ROOT))?;
    let expected = Expected { digest: description.root.digest, size: description.root.size };
    let image = sealed::seal(&file, &expected).map_err(BaseError::Root)?;
    let root = Layer::base(image)?;
    root.attach(Path::new(BASE))?;
    log.say(&format!("base {} {}, {} bytes, is whole", description.name, description.version, expected.size));
    Ok(Base { description, kernel, _root: root })
}

/// Why there is no base to boot.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// A file cannot be read, or an image not be mounted.
    #[error(transparent)]
    System(#[from] Cannot),
    /// The description is broken.
    #[error(transparent)]
    Description(#[from] BaseDescriptionError),
    /// The running kernel cannot be named.
    #[error(transparent)]
    Kernel(#[from] RunningError),
    /// The root image is another one.
    #[error("the root image {} of the medium is not the one that this initramfs is for", places::ROOT)]
    Root(#[source] ContentError),
}

impl Diagnose for BaseError {
    fn outcome(&self) -> Outcome {
        match self {
            BaseError::System(error) => error.outcome(),
            BaseError::Root(error) => error.outcome(),
            BaseError::Description(error) => error.outcome(),
            BaseError::Kernel(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            BaseError::Root(error) => error.hint(),
            BaseError::Description(error) => error.hint(),
            _ => None,
        }
    }
}

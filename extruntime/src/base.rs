//! The base: described in the initramfs, which is trusted, and stored on the medium, which is not.

use std::path::Path;

use spec::artifact::limits;
use spec::base::{BaseDescription, BaseDescriptionError, BaseImage};
use spec::boot::{initramfs, medium as places};
use spec::{Diagnose, Outcome};

use crate::cannot::Cannot;
use crate::content::Expected;
use crate::files;
use crate::held::Means;
use crate::image::ImageError;
use crate::layer::Layer;
use crate::log::Log;
use crate::places::Run;
use crate::running::{Running, RunningError};

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
pub(crate) fn mount(
    description: BaseDescription,
    medium: &Path,
    means: &Means,
    log: &Log,
) -> Result<Base, BaseError> {
    let kernel = Running::look()?;
    let file = files::open(&medium.join(places::ROOT))?;
    let BaseImage { digest, size, verity } = description.root;
    let root = Layer::base(&file, &Expected { digest, size, verity, signature: None }, means)
        .map_err(BaseError::Root)?;
    root.attach(&Run::base())?;
    let BaseDescription { name, version, .. } = &description;
    log.say(&format!("base {name} {version}, {size} bytes, is {}", root.held()));
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
    Root(#[source] ImageError),
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

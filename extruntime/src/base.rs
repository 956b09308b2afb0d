//! The base: described in the initramfs, which is trusted, and stored on the medium, which is not.

use std::path::Path;

use rustix::system::uname;
use spec::artifact::limits;
use spec::base::{BaseDescription, BaseDescriptionError};
use spec::boot::{initramfs, medium as places};
use spec::kernel::ReleaseError;
use spec::{Arch, Diagnose, KernelRelease, Outcome};

use crate::activation::BASE;
use crate::cannot::Cannot;
use crate::content::{ContentError, Expected};
use crate::layer::Layer;
use crate::log::Log;
use crate::{files, sealed};

/// A base whose root is mounted at [`BASE`].
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) description: BaseDescription,
    /// The kernel that runs.
    pub(crate) kernel: KernelRelease,
    /// The architecture of the machine.
    pub(crate) arch: Arch,
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
    let system = uname();
    let kernel = system.release().to_string_lossy();
    let kernel = kernel.parse().map_err(BaseError::Kernel)?;
    let machine = system.machine().to_string_lossy();
    let arch = Arch::from_machine(&machine).ok_or_else(|| BaseError::Machine(machine.into_owned()))?;

    let file = files::open(&medium.join(places::ROOT))?;
    let expected = Expected { digest: description.root.digest, size: description.root.size };
    let image = sealed::seal(&file, &expected).map_err(BaseError::Root)?;
    let root = Layer::base(image)?;
    root.attach(Path::new(BASE))?;
    log.say(&format!("base {} {}, {} bytes, is whole", description.name, description.version, expected.size));
    Ok(Base { description, kernel, arch, _root: root })
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
    #[error("the kernel calls itself something that is no release")]
    Kernel(#[source] ReleaseError),
    /// The machine cannot be named.
    #[error("machines of the kind {0} are not known")]
    Machine(String),
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
            BaseError::Kernel(_) | BaseError::Machine(_) => Outcome::Refused,
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

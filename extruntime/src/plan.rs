//! What a boot would do, on any machine and without being root: the judgement of the boot behind another door.

use std::io;
use std::path::PathBuf;

use kabi::index::IndexError;
use spec::base::files;
use spec::boot::medium;
use spec::status::Status;
use spec::{Diagnose, KernelRelease, Outcome};

use crate::activation::Activation;
use crate::admit::{Unopened, judge};
use crate::base::{self, BaseError};
use crate::content;
use crate::contents;
use crate::facts::FactFiles;
use crate::grounds::{self, ConfigError, GroundsError, Places};
use crate::image::ImageError;
use crate::status;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The root of a medium: a mounted one, or a directory that is to become one.
    pub medium: PathBuf,
    /// The directory of a base, as `extbuild base` writes it.
    pub base: PathBuf,
    /// The trust policy.
    pub trust: PathBuf,
    /// The kernel that is to run; that of the base if there is none.
    pub kernel: Option<KernelRelease>,
}

/// What would come of a boot.
#[derive(Debug)]
pub struct Plan {
    /// The document that the boot would leave.
    pub status: Status,
    /// The steps that it would do.
    pub activation: Activation,
}

/// An image that had the right bytes when it was read. It is worth nothing later, and so it cannot be mounted.
#[derive(Debug)]
struct Looked;

/// Judges a medium.
pub fn plan(request: &Request) -> Result<Plan, PlanError> {
    let description = base::parse(&request.base.join(files::DESCRIPTION))?;
    let config = grounds::read_machine_config(&request.medium)?;
    let kernel = request.kernel.as_ref().unwrap_or(&description.kernel);
    let places = Places {
        store: request.medium.join(medium::STORE),
        trust: request.trust.clone(),
        facts: FactFiles::in_directory(&request.base),
        arch: description.arch,
        kernel: kernel.clone(),
    };
    let grounds = grounds::gather(config, places)?;
    let judgement = judge(&grounds, look);
    let activation = Activation::plan(&grounds.base, &judgement.admitted())?;
    Ok(Plan { status: status::of(&judgement, &description, kernel, Vec::new()), activation })
}

fn look(image: Unopened<'_>) -> Result<Looked, ImageError> {
    let Unopened { file, expected, promise } = image;
    content::copy(&file, &expected, io::sink())?;
    contents::check(&file, promise)?;
    Ok(Looked)
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The base is none.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// There is no sound machine config.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing can be judged.
    #[error(transparent)]
    Grounds(#[from] GroundsError),
    /// The modules that are admitted cannot be indexed.
    #[error("the modules cannot be indexed")]
    Index(#[from] IndexError),
}

impl Diagnose for PlanError {
    fn outcome(&self) -> Outcome {
        match self {
            PlanError::Base(error) => error.outcome(),
            PlanError::Config(error) => error.outcome(),
            PlanError::Grounds(error) => error.outcome(),
            PlanError::Index(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            PlanError::Base(error) => error.hint(),
            PlanError::Config(error) => error.hint(),
            PlanError::Grounds(error) => error.hint(),
            PlanError::Index(error) => error.hint(),
        }
    }
}

//! What a boot would do, on any machine and without being root: the judgement of the boot behind another door.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use kabi::SignatureRule;
use signing::{Moment, Occasion};
use spec::base::files;
use spec::boot::medium as places;
use spec::machine::ExtensionsConfig;
use spec::status::Status;
use spec::{Diagnose, KernelRelease, Outcome};

use crate::activation::{Activation, ActivationError, Target};
use crate::admit::{Unopened, judge};
use crate::base::{self, BaseError};
use crate::content::{self, ContentError};
use crate::facts::{BaseFacts, FactFiles};
use crate::grounds::{self, ConfigError, GroundsError, Places};
use crate::image::{self, ImageError};
use crate::offer::StorePlace;
use crate::places::Run;
use crate::running::Running;
use crate::status;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What the machine is to run.
    pub config: ExtensionsConfig,
    /// The store of a medium, or what is to become one: an OCI layout.
    pub store: PathBuf,
    /// The directory of a base, as `extbuild base` writes it.
    pub base: PathBuf,
    /// The trust policy.
    pub trust: PathBuf,
    /// The directory of what its keys have signed since; one that is missing is empty.
    pub updates: PathBuf,
    /// When, and with what clock.
    pub occasion: Occasion,
    /// The kernel that is to run; that of the base if there is none.
    pub kernel: Option<KernelRelease>,
    /// Which modules it will load.
    pub signatures: SignatureRule,
}

impl Request {
    /// The same about a medium: a mounted one, or a directory that is to become one.
    pub fn of_medium(
        medium: &Path,
        base: PathBuf,
        trust: PathBuf,
        kernel: Option<KernelRelease>,
        signatures: SignatureRule,
    ) -> Result<Request, ConfigError> {
        let config = grounds::read_config(&medium.join(places::MACHINE))?;
        Ok(Request {
            config,
            store: medium.join(places::STORE),
            base,
            trust,
            updates: medium.join(places::TRUST),
            occasion: Occasion::Boot(Moment::of(SystemTime::now())),
            kernel,
            signatures,
        })
    }
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

/// Judges a store.
pub fn plan(request: &Request) -> Result<Plan, PlanError> {
    let description = base::parse(&request.base.join(files::DESCRIPTION))?;
    let kernel = request.kernel.as_ref().unwrap_or(&description.kernel);
    let places = Places {
        store: StorePlace::Layout(request.store.clone()),
        trust: request.trust.clone(),
        updates: vec![request.updates.clone()],
        occasion: request.occasion,
    };
    let runs = Running {
        arch: description.arch,
        release: kernel.clone(),
        build: None,
        signatures: request.signatures,
    };
    let facts = BaseFacts::read(&FactFiles::in_directory(&request.base), runs).map_err(GroundsError::from)?;
    let grounds = grounds::gather(request.config.clone(), &places, Arc::new(facts))?;
    let judgement = judge(&grounds, look);
    let activation = Activation::plan(&grounds.base, &judgement.admitted(), &Target::NewRoot, Run::BOOT)?;
    let notes = grounds.trust.notes().to_vec();
    Ok(Plan {
        status: status::of(&judgement, description.to_string(), kernel, notes, None, Run::BOOT),
        activation,
    })
}

fn look(image: Unopened<'_>) -> Result<Looked, ImageError> {
    let Unopened { file, expected, promise, grants, .. } = image;
    content::copy(&file, &expected, io::sink())?;
    image::check(&file, &promise, grants)?;
    Ok(Looked)
}

/// The same, and the hash tree too: what is staged is going to be opened through dm-verity, unread.
pub(crate) fn read_whole(image: Unopened<'_>) -> Result<(), ImageError> {
    let (file, verity) = (image.file.try_clone().map_err(ContentError::Read)?, image.expected.verity);
    look(image)?;
    verity.map_or(Ok(()), |facts| squash::verity::check(&file, &facts).map_err(ImageError::Tree))
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The base is none.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// Nothing can be judged.
    #[error(transparent)]
    Grounds(#[from] GroundsError),
    /// What is admitted cannot be laid over the base.
    #[error(transparent)]
    Activation(#[from] ActivationError),
}

impl Diagnose for PlanError {
    fn outcome(&self) -> Outcome {
        match self {
            PlanError::Base(error) => error.outcome(),
            PlanError::Grounds(error) => error.outcome(),
            PlanError::Activation(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            PlanError::Base(error) => error.hint(),
            PlanError::Grounds(error) => error.hint(),
            PlanError::Activation(error) => error.hint(),
        }
    }
}

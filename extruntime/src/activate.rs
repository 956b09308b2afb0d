//! Laying a set over the `/usr` and `/opt` of a system that is running, or that an initrd has mounted and will start; and
//! taking it away again.
//!
//! Nothing that a running program sees changes before everything is ready, and then the set changes as one. An error before
//! that leaves the system as it was.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use signing::{Moment, Occasion};
use spec::base::{BaseDescription, files as base_files};
use spec::boot::medium;
use spec::status::Status;
use spec::{Diagnose, Outcome};

use crate::activation::{Activation, ActivationError, HIERARCHIES, INDEXED, Present, Target};
use crate::admit::judge;
use crate::apply::{self, ApplyError};
use crate::base::{self, BaseError};
use crate::cannot::{Cannot, cannot};
use crate::clock::Clock;
use crate::facts::FactFiles;
use crate::grounds::{self, ConfigError, GroundsError, Places};
use crate::held::{Means, Way};
use crate::layer::Layer;
use crate::log::Log;
use crate::mounts;
use crate::places::Run;
use crate::running::{Running, RunningError};
use crate::{modules, status};

/// What to activate, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The root of the system: `/`, or where an initrd has mounted it.
    pub(crate) root: PathBuf,
    /// The machine config.
    pub(crate) config: PathBuf,
    /// An OCI layout.
    pub(crate) store: PathBuf,
    /// The trust policy, which must not be of the same hand as the store.
    pub(crate) trust: PathBuf,
    /// The directory of what its keys have signed since.
    pub(crate) updates: PathBuf,
    /// A base directory with the facts about the system; those in its root are taken where there is none.
    pub(crate) base: Option<PathBuf>,
    /// How images are held first.
    pub(crate) images: Way,
}

/// Where these things are on a system, below its root.
pub(crate) mod defaults {
    /// The machine config.
    pub(crate) const CONFIG: &str = "etc/tenon/machine.yaml";
    /// The trust policy.
    pub(crate) const TRUST: &str = "etc/tenon/trust.yaml";
    /// What its keys have signed since.
    pub(crate) const UPDATES: &str = "var/lib/tenon/trust";
    /// The extensions.
    pub(crate) const STORE: &str = "var/lib/tenon/store";
}

impl Request {
    /// Everything where it is on a system of this root.
    pub(crate) fn of_root(root: PathBuf) -> Request {
        Request {
            config: root.join(defaults::CONFIG),
            store: root.join(defaults::STORE),
            trust: root.join(defaults::TRUST),
            updates: root.join(defaults::UPDATES),
            base: None,
            images: Way::Copy,
            root,
        }
    }

    /// The same with set and store of a medium. The policy stays: a medium is not to say by whom it is believed.
    pub(crate) fn with_medium(self, dir: &Path) -> Request {
        Request {
            config: dir.join(medium::MACHINE),
            store: dir.join(medium::STORE),
            updates: dir.join(medium::TRUST),
            ..self
        }
    }

    fn facts(&self, present: &Present) -> FactFiles {
        // What is covered is to be read as it was before.
        let root = if present.covered.contains(&INDEXED) { Run::base() } else { self.root.clone() };
        match &self.base {
            Some(directory) => FactFiles::in_directory(directory).and_root(root),
            None => FactFiles::in_root(&root),
        }
    }

    fn description(&self) -> Result<Option<BaseDescription>, BaseError> {
        self.base.as_ref().map(|directory| base::parse(&directory.join(base_files::DESCRIPTION))).transpose()
    }
}

/// Judges the set, and lays what is admitted over the root in place of what is there.
pub(crate) fn activate(request: &Request, clock: &Clock) -> Result<Status, ActivateError> {
    let _alone = lock()?;
    let present = present();
    let kernel = Running::look()?;
    let (release, description) = (kernel.release.clone(), request.description()?);
    let grounds = clock.time("read config, policy and facts of the base", || {
        let places = Places {
            store: request.store.clone(),
            trust: request.trust.clone(),
            updates: request.updates.clone(),
            occasion: Occasion::Boot(Moment::of(SystemTime::now())),
            facts: request.facts(&present),
            kernel,
        };
        let config = grounds::read_config(&request.config)?;
        grounds::gather(config, places).map_err(ActivateError::from)
    })?;
    let means = Means::find(request.images);
    let judgement = clock.time("judge", || {
        judge(&grounds, |image| {
            clock
                .time(&format!("  hold, check and mount {}", image.name), || Layer::extension(&image, &means))
        })
    });
    let base = description.map_or_else(|| "the running system".to_owned(), |base| base.to_string());
    let run = Run::after(&present.sets);
    let status =
        |judgement| status::of(judgement, base.clone(), &release, grounds.trust.notes().to_vec(), run);
    if let Some(lacking) = judgement.lacking() {
        let mut status = status(&judgement);
        status.notes.push(format!("nothing was changed, because {lacking} is required"));
        return Ok(status);
    }
    let admitted = judgement.admitted();
    let target = Target::InPlace { root: request.root.clone(), present };
    let activation = clock.time("plan", || Activation::plan(&grounds.base, &admitted, &target, run))?;
    if let Err(error) = apply::run(&activation, &admitted, clock) {
        // Best effort: what is left is not seen by anybody.
        let _ = mounts::forget(&run.own());
        return Err(error.into());
    }
    let mut status = status(&judgement);
    let answers = clock.time("load modules", || modules::load(activation.modules(), &request.root));
    status::record(&mut status, answers);
    status::leave(&status, &Log::none());
    Ok(status)
}

/// Shows the base as it was before the first activation.
pub(crate) fn deactivate(root: &Path) -> Result<(), ActivateError> {
    let _alone = lock()?;
    let activation = Activation::removal(root, &present());
    apply::run(&activation, &[], &Clock::start())?;
    Ok(())
}

fn present() -> Present {
    let is_covered = |hierarchy: &&'static str| mounts::is_mount_point(&Run::base().join(hierarchy));
    Present { covered: HIERARCHIES.into_iter().filter(is_covered).collect(), sets: Run::all() }
}

/// One activation at a time, until the file is closed.
fn lock() -> Result<File, ActivateError> {
    if !rustix::process::geteuid().is_root() {
        return Err(ActivateError::NotRoot);
    }
    let path = Run::lock();
    let failed = |error: std::io::Error| cannot("lock", path.display())(error);
    mounts::make_directory(path.parent().unwrap_or(&path))?;
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(ActivateError::Busy),
        Err(error) => Err(failed(error.into()).into()),
    }
}

/// Why the system has the set that it had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActivateError {
    #[error("mounting takes the rights of root")]
    NotRoot,
    #[error("another activation is under way")]
    Busy,
    #[error(transparent)]
    System(#[from] Cannot),
    #[error(transparent)]
    Kernel(#[from] RunningError),
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Grounds(#[from] GroundsError),
    #[error(transparent)]
    Plan(#[from] ActivationError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl ActivateError {
    fn inner(&self) -> Option<&dyn Diagnose> {
        match self {
            ActivateError::NotRoot | ActivateError::Busy => None,
            ActivateError::System(error) => Some(error),
            ActivateError::Kernel(error) => Some(error),
            ActivateError::Base(error) => Some(error),
            ActivateError::Config(error) => Some(error),
            ActivateError::Grounds(error) => Some(error),
            ActivateError::Plan(error) => Some(error),
            ActivateError::Apply(error) => Some(error),
        }
    }
}

impl Diagnose for ActivateError {
    fn outcome(&self) -> Outcome {
        self.inner().map_or(Outcome::Unavailable, Diagnose::outcome)
    }

    fn hint(&self) -> Option<String> {
        match self {
            ActivateError::NotRoot => Some("run it as root; extruntime plan judges without".into()),
            ActivateError::Busy => Some("wait for it to end, and try again".into()),
            _ => self.inner().and_then(Diagnose::hint),
        }
    }
}

//! Laying a set over the `/usr` and `/opt` of a system that is running, or that an initrd has mounted and will start; and
//! taking it away again.
//!
//! Nothing that a running program sees changes before everything is ready, and then the set changes as one. An error before
//! that leaves the system as it was.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use spec::status::Status;
use spec::{Diagnose, Outcome};

use crate::activation::{Activation, ActivationError, HIERARCHIES, Present, Target};
use crate::admit::judge;
use crate::afterwards::Afterwards;
use crate::apply::{self, ApplyError};
use crate::cannot::{Cannot, cannot};
use crate::choice::{Chosen, Node, OpenError};
use crate::clock::Clock;
use crate::grounds::{self, ConfigError, GroundsError};
use crate::held::{Means, Way};
use crate::layer::Layer;
use crate::log::Log;
use crate::mounts;
use crate::offer::Offer;
use crate::places::Run;
use crate::status;
use crate::system::{Known, System, SystemError};

/// What to activate, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The system.
    pub(crate) system: System,
    /// The set.
    pub(crate) source: Source,
    /// The trust policy, which must not be of the same hand as the set.
    pub(crate) trust: PathBuf,
    /// How images are held first.
    pub(crate) images: Way,
}

/// Where a set comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// What the node keeps: the one on trial, or the current one.
    Node(PathBuf),
    /// Files that somebody names.
    Offer(Offer),
}

/// Judges the set, and lays what is admitted over the root in place of what is there.
pub(crate) fn activate(request: &Request, clock: &Clock) -> Result<Status, ActivateError> {
    let _alone = lock()?;
    let present = Present::now();
    let known = clock.time("read the facts of the base", || request.system.look(&present))?;
    let chosen = clock.time("choose a set", || choose(&request.source, &known))?;
    let run = Run::after(&present.sets);
    let Some(offer) = &chosen.offer else {
        apply::run(&Activation::removal(&request.system.root, &present), &[], clock)?;
        let status = status::alone(&known, chosen.notes, chosen.set);
        status::leave(&status, &Log::none());
        return Ok(status);
    };
    let grounds = clock.time("read config, policy and store", || {
        let config = grounds::read_config(&offer.config)?;
        let places = grounds::places(offer, &request.trust);
        grounds::gather(config, &places, Arc::clone(&known.facts)).map_err(ActivateError::from)
    })?;
    let means = Means::find(request.images);
    let judgement = clock.time("judge", || judge(&grounds, |image| Layer::extension(&image, &means, clock)));
    let notes = [chosen.notes, grounds.trust.notes().to_vec()].concat();
    let release = &known.facts.kernel.release;
    let mut status = status::of(&judgement, known.name(), release, notes, chosen.set, run);
    if let Some(lacking) = judgement.lacking() {
        status.notes.push(format!("nothing was changed, because {lacking} is required"));
        return Ok(status);
    }
    let admitted = judgement.admitted();
    let target = Target::InPlace { root: request.system.root.clone(), present };
    let activation = clock.time("plan", || Activation::plan(&grounds.base, &admitted, &target, run))?;
    if let Err(error) = apply::run(&activation, &admitted, clock) {
        // Best effort: what is left is not seen by anybody.
        let _ = mounts::forget(&run.own());
        return Err(error.into());
    }
    Afterwards::of(&activation, &admitted).run(&request.system.root, &mut status, clock);
    status::leave(&status, &Log::none());
    Ok(status)
}

fn choose(source: &Source, known: &Known) -> Result<Chosen, ActivateError> {
    match source {
        Source::Offer(offer) => Ok(Chosen::offered(offer.clone())),
        Source::Node(dir) => Ok(Node::open(dir)?.choose(&known.identity(), None)),
    }
}

/// Shows the base as it was before the first activation.
pub(crate) fn deactivate(root: &Path) -> Result<(), ActivateError> {
    let _alone = lock()?;
    let activation = Activation::removal(root, &Present::now());
    apply::run(&activation, &[], &Clock::start())?;
    Ok(())
}

impl Present {
    /// What there is now.
    pub(crate) fn now() -> Present {
        let is_covered = |hierarchy: &&'static str| mounts::is_mount_point(&Run::base().join(hierarchy));
        Present { covered: HIERARCHIES.into_iter().filter(is_covered).collect(), sets: Run::all() }
    }
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
    Look(#[from] SystemError),
    #[error(transparent)]
    Node(#[from] OpenError),
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
            ActivateError::Look(error) => Some(error),
            ActivateError::Node(error) => Some(error),
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

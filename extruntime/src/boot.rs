//! The boot story, from the initramfs to the init of the running system.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use spec::base::BaseDescription;
use spec::boot::initramfs;
use spec::status::Status;
use spec::{Diagnose, Outcome, Reason, ReasonCode};

use crate::activation::{Activation, Loadable, SYSROOT, Target};
use crate::admit::{Grounds, Judgement, judge};
use crate::apply::{self, ApplyError};
use crate::base::{self, Base, BaseError};
use crate::cannot::Cannot;
use crate::choice::{Chosen, Node};
use crate::clock::Clock;
use crate::cmdline::Arguments;
use crate::facts::{BaseFacts, FactFiles};
use crate::grounds::{self, GroundsError};
use crate::held::{Means, Way};
use crate::layer::Layer;
use crate::log::Log;
use crate::medium::{self, MediumError};
use crate::offer::Offer;
use crate::places::Run;
use crate::{early, identity, modules, node_disk, status, switch};

/// Boots. Returns only with the error that ends the boot; a refused extension never is one.
pub(crate) fn boot(arguments: &Arguments, log: &Log) -> Result<Infallible, BootError> {
    let description = base::describe()?;
    early::load_modules(&description.boot_modules, log);
    let medium = medium::mount(arguments, log)?;
    let means = Means::find(arguments.images);
    let node = node_disk::open(arguments, log);
    let Assembled { mut status, modules } = assemble(description, medium, node, &means, log)?;
    switch::enter(Path::new(SYSROOT))?;
    // The kernel looks for firmware in the root of its first process, so modules come after the switch.
    status::record(&mut status, modules::load(&modules, Path::new("/")));
    status::publish(&status, log);
    Ok(switch::start(&arguments.init)?)
}

/// The part of a boot that can be done again and again on a running machine: from a medium that is mounted to the root
/// that an init would be started in. Changes mounts, so it is for a mount namespace and a root directory of one's own.
#[doc(hidden)]
pub fn rehearse() -> Result<Status, impl Diagnose> {
    let means = Means::find(Way::Copy);
    let description = base::describe().map_err(BootError::from);
    let assembled = description
        .and_then(|description| assemble(description, Path::new(medium::MEDIUM), None, &means, &Log::none()));
    assembled.map(|assembled| assembled.status)
}

/// A root that is ready to be switched to.
struct Assembled {
    status: Status,
    /// What is to be loaded in it.
    modules: Vec<Loadable>,
}

fn assemble(
    description: BaseDescription,
    medium: &Path,
    node: Option<Node>,
    means: &Means,
    log: &Log,
) -> Result<Assembled, BootError> {
    let base = base::mount(description, medium, means, log)?;
    put_together(&base, medium, node, means, log)
}

/// Makes the root of the running system, with every extension that may be in it. Images are held, checked and mounted
/// before anything is decided.
fn put_together(
    base: &Base,
    medium: &Path,
    node: Option<Node>,
    means: &Means,
    log: &Log,
) -> Result<Assembled, BootError> {
    let facts = BaseFacts::read(&FactFiles::in_root(&Run::base()), base.kernel.clone()).map(Arc::new);
    let (chosen, attempt) = match facts {
        Ok(facts) => try_sets(base, &Offer::of_medium(medium), node, &facts, means),
        Err(error) => {
            let chosen = Chosen::offered(Offer::of_medium(medium));
            let attempt = Attempt::refused(&chosen, &error.into());
            (chosen, attempt)
        }
    };
    let Attempt { judgement, grounds, notes } = attempt;
    let (judgement, modules) = match &grounds {
        Some(grounds) => activate(judgement, grounds, log)?,
        None => leave_alone(judgement)?,
    };
    let notes = [chosen.notes, notes].concat();
    let (description, release) = (base.description.to_string(), &base.kernel.release);
    let status = status::of(&judgement, description, release, notes, chosen.set, Run::BOOT);
    Ok(Assembled { status, modules })
}

/// Judges the set that is to run. One that the node keeps and that is worth nothing is left, and the next one judged.
fn try_sets(
    base: &Base,
    medium: &Offer,
    mut node: Option<Node>,
    facts: &Arc<BaseFacts>,
    means: &Means,
) -> (Chosen, Attempt) {
    let identity = identity::of(Some(&base.description), facts);
    let mut earlier = Vec::new();
    loop {
        let mut chosen = match &mut node {
            Some(node) => node.choose(&identity, Some(medium.clone())),
            None => Chosen::offered(medium.clone()),
        };
        chosen.notes.splice(..0, earlier.iter().cloned());
        let attempt = Attempt::at(&chosen, facts, means);
        let worthless = chosen.generation().zip(attempt.judgement.lacking());
        let (Some(node), Some((generation, lacking))) = (&mut node, worthless) else {
            return (chosen, attempt);
        };
        let why = format!("extension {lacking} is required, and refused");
        earlier = chosen.notes.clone();
        earlier.push(format!("generation {generation} is left: {why}"));
        if let Err(error) = node.leave(generation, &why) {
            chosen.notes.push(format!("generation {generation} cannot be left: {}", spec::sentence(&error)));
            return (chosen, attempt);
        }
    }
}

/// A set that was judged.
struct Attempt {
    judgement: Judgement<Layer>,
    /// What the judgement rests on; none where there was nothing to rest one on.
    grounds: Option<Grounds>,
    notes: Vec<String>,
}

impl Attempt {
    fn at(chosen: &Chosen, facts: &Arc<BaseFacts>, means: &Means) -> Attempt {
        let Some(offer) = &chosen.offer else { return Attempt::none() };
        let (config, mut notes) = grounds::machine_config(&offer.config);
        let places = grounds::places(offer, Path::new(initramfs::TRUST));
        match grounds::gather(config, &places, Arc::clone(facts)) {
            Ok(grounds) => {
                notes.extend_from_slice(grounds.trust.notes());
                let judgement = judge(&grounds, |image| Layer::extension(&image, means));
                Attempt { judgement, grounds: Some(grounds), notes }
            }
            Err(error) => Attempt::refused(chosen, &error),
        }
    }

    /// Everything that is wanted stays out for the same reason.
    fn refused(chosen: &Chosen, error: &GroundsError) -> Attempt {
        let Some(offer) = &chosen.offer else { return Attempt::none() };
        let (config, notes) = grounds::machine_config(&offer.config);
        let judgement = Judgement::all_refused(&config.extensions, &error.reason());
        Attempt { judgement, grounds: None, notes }
    }

    /// Nothing is wanted.
    fn none() -> Attempt {
        let reason = Reason::new(ReasonCode::NotFound, String::new());
        Attempt { judgement: Judgement::all_refused(&[], &reason), grounds: None, notes: Vec::new() }
    }
}

/// What became of each extension, and the modules that are to be loaded.
type Activated = (Judgement<Layer>, Vec<Loadable>);

/// Puts the root together. What cannot be done with extensions is done without.
fn activate(judgement: Judgement<Layer>, grounds: &Grounds, log: &Log) -> Result<Activated, BootError> {
    let admitted = judgement.admitted();
    let planned = Activation::plan(&grounds.base, &admitted, &Target::NewRoot, Run::BOOT);
    let done = planned.map_err(ApplyError::from).and_then(|activation| {
        apply::run(&activation, &admitted, &Clock::start()).map(|()| activation.modules().to_vec())
    });
    match done {
        Ok(modules) => Ok((judgement, modules)),
        Err(error) => {
            log.complain(&error);
            let reason = Reason::new(ReasonCode::ActivationFailed, spec::sentence(&error));
            leave_alone(judgement.withdrawn(&reason))
        }
    }
}

/// Makes the base the whole root.
fn leave_alone(judgement: Judgement<Layer>) -> Result<Activated, BootError> {
    apply::run(&Activation::base_alone(), &[], &Clock::start())?;
    Ok((judgement, Vec::new()))
}

/// Why the boot ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    #[error(transparent)]
    System(#[from] Cannot),
    #[error(transparent)]
    Medium(#[from] MediumError),
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl Diagnose for BootError {
    fn outcome(&self) -> Outcome {
        match self {
            BootError::System(error) => error.outcome(),
            BootError::Medium(error) => error.outcome(),
            BootError::Base(error) => error.outcome(),
            BootError::Apply(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            BootError::System(error) => error.hint(),
            BootError::Medium(error) => error.hint(),
            BootError::Base(error) => error.hint(),
            BootError::Apply(error) => error.hint(),
        }
    }
}

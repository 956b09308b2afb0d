//! The boot story, from the initramfs to the init of the running system.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use spec::base::BaseDescription;
use spec::boot::initramfs;
use spec::status::Status;
use spec::{Diagnose, Outcome, Reason, ReasonCode};

use crate::activation::{Activation, SYSROOT, Target};
use crate::admit::{Grounds, Judgement, Unopened, judge};
use crate::afterwards::Afterwards;
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
use crate::{early, fault, identity, mounts, node_disk, status, switch};

/// Boots. Returns only with the error that ends the boot; a refused extension never is one.
pub(crate) fn boot(arguments: &Arguments, log: &Log) -> Result<Infallible, BootError> {
    let clock = Clock::start();
    fault::point("boot.started");
    let description = base::describe()?;
    clock.time("load the modules of the boot", || early::load_modules(&description.boot_modules, log));
    let medium = clock.time("find the medium", || medium::mount(arguments, log))?;
    let means = Means::find(arguments.images);
    let node = clock.time("open the disk of the node", || node_disk::open(arguments, log));
    let Assembled { mut status, afterwards } = assemble(description, medium, node, &means, &clock, log)?;
    fault::point("boot.laid");
    clock.time("enter the new root", || switch::enter(Path::new(SYSROOT)))?;
    fault::point("boot.entered");
    // The kernel looks for firmware in the root of its first process, so modules come after the switch.
    afterwards.run(Path::new("/"), &mut status, &clock);
    clock.time("publish the status", || status::publish(&status, log));
    if arguments.timings {
        clock.to_string().lines().for_each(|line| log.say(line));
    }
    Ok(switch::start(&arguments.init)?)
}

/// The part of a boot that can be done again and again on a running machine: from a medium that is mounted to the root
/// that an init would be started in. Changes mounts, so it is for a mount namespace and a root directory of one's own.
#[doc(hidden)]
pub fn rehearse() -> Result<Status, impl Diagnose> {
    let means = Means::find(Way::Copy);
    let description = base::describe().map_err(BootError::from);
    let assembled = description.and_then(|description| {
        assemble(description, Path::new(medium::MEDIUM), None, &means, &Clock::start(), &Log::none())
    });
    assembled.map(|assembled| assembled.status)
}

/// The way out of a bug in this program: the base alone, if it is there. Returns only with the error that ends that too.
pub(crate) fn without_extensions(init: &str, bug: &str, log: &Log) -> Result<Infallible, BootError> {
    if !switch::is_done()? {
        let status = status::after_bug(&base::describe()?, bug);
        show_base(Path::new(SYSROOT))?;
        switch::enter(Path::new(SYSROOT))?;
        status::publish(&status, log);
    }
    Ok(switch::start(init)?)
}

/// Makes the base appear at a root that may be half made.
pub(crate) fn show_base(root: &Path) -> Result<(), BootError> {
    if !mounts::is_mount_point(&Run::base()) {
        return Err(BootError::NoBase);
    }
    while mounts::is_mount_point(root) {
        mounts::uncover(root)?;
    }
    Ok(mounts::alone(&Run::base(), root)?)
}

/// A root that is ready to be switched to.
struct Assembled {
    status: Status,
    /// What is to be done in it.
    afterwards: Afterwards,
}

fn assemble(
    description: BaseDescription,
    medium: &Path,
    node: Option<Node>,
    means: &Means,
    clock: &Clock,
    log: &Log,
) -> Result<Assembled, BootError> {
    let base = clock.time("mount the base", || base::mount(description, medium, means, log))?;
    put_together(&base, medium, node, means, clock, log)
}

/// Makes the root of the running system, with every extension that may be in it. Images are held, checked and mounted
/// before anything is decided.
fn put_together(
    base: &Base,
    medium: &Path,
    node: Option<Node>,
    means: &Means,
    clock: &Clock,
    log: &Log,
) -> Result<Assembled, BootError> {
    let files = FactFiles::in_root(&Run::base());
    let facts = clock.time("read the facts of the base", || BaseFacts::read(&files, base.kernel.clone()));
    let facts = facts.map(Arc::new);
    let (chosen, attempt) = match facts {
        Ok(facts) => try_sets(base, &Offer::of_medium(medium), node, &facts, means, clock),
        Err(error) => {
            let chosen = Chosen::offered(Offer::of_medium(medium));
            let attempt = Attempt::refused(&chosen, &error.into());
            (chosen, attempt)
        }
    };
    let Attempt { judgement, grounds, notes } = attempt;
    let (judgement, afterwards) = match &grounds {
        Some(grounds) => activate(judgement, grounds, clock, log)?,
        None => leave_alone(judgement, clock)?,
    };
    let notes = [chosen.notes, notes].concat();
    let (description, release) = (base.description.to_string(), &base.kernel.release);
    let status = status::of(&judgement, description, release, notes, chosen.set, Run::BOOT);
    Ok(Assembled { status, afterwards })
}

/// Judges the set that is to run. One that the node keeps and that is worth nothing is left, and the next one judged.
fn try_sets(
    base: &Base,
    medium: &Offer,
    mut node: Option<Node>,
    facts: &Arc<BaseFacts>,
    means: &Means,
    clock: &Clock,
) -> (Chosen, Attempt) {
    // Writing all facts out to name them takes longer than reading them did; only a node asks for their name.
    let identity = node.as_ref().map(|_| identity::of(Some(&base.description), facts));
    let mut earlier = Vec::new();
    loop {
        let mut chosen = match node.as_mut().zip(identity.as_ref()) {
            Some((node, identity)) => node.choose(identity, Some(medium.clone())),
            None => Chosen::offered(medium.clone()),
        };
        chosen.notes.splice(..0, earlier.iter().cloned());
        let attempt = Attempt::at(&chosen, facts, means, clock);
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
    fn at(chosen: &Chosen, facts: &Arc<BaseFacts>, means: &Means, clock: &Clock) -> Attempt {
        let Some(offer) = &chosen.offer else { return Attempt::none() };
        let read = || grounds::machine_config(&offer.config);
        let (config, mut notes) = clock.time("read the machine config", read);
        let places = grounds::places(offer, Path::new(initramfs::TRUST));
        let gathered = || grounds::gather(config, &places, Arc::clone(facts));
        match clock.time("read policy and store", gathered) {
            Ok(grounds) => {
                notes.extend_from_slice(grounds.trust.notes());
                let open = |image: Unopened<'_>| Layer::extension(&image, means, clock);
                let judgement = clock.time("judge", || judge(&grounds, open));
                fault::point("boot.judged");
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
        Attempt { judgement: Judgement::of_nothing(), grounds: None, notes: Vec::new() }
    }
}

/// What became of each extension, and what is to be done for those that are in.
type Activated = (Judgement<Layer>, Afterwards);

/// Puts the root together. What cannot be done with extensions is done without.
fn activate(
    judgement: Judgement<Layer>,
    grounds: &Grounds,
    clock: &Clock,
    log: &Log,
) -> Result<Activated, BootError> {
    let admitted = judgement.admitted();
    let plan = || Activation::plan(&grounds.base, &admitted, &Target::NewRoot, Run::BOOT);
    let done = clock.time("plan", plan).map_err(ApplyError::from).and_then(|activation| {
        apply::run(&activation, &admitted, clock)?;
        Ok(Afterwards::of(&activation, &admitted))
    });
    match done {
        Ok(afterwards) => Ok((judgement, afterwards)),
        Err(error) => {
            log.complain(&error);
            let reason = Reason::new(ReasonCode::ActivationFailed, spec::sentence(&error));
            leave_alone(judgement.withdrawn(&reason), clock)
        }
    }
}

/// Makes the base the whole root.
fn leave_alone(judgement: Judgement<Layer>, clock: &Clock) -> Result<Activated, BootError> {
    apply::run(&Activation::base_alone(), &[], clock)?;
    Ok((judgement, Afterwards::default()))
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
    #[error("there is no base to go on with")]
    NoBase,
}

impl Diagnose for BootError {
    fn outcome(&self) -> Outcome {
        match self {
            BootError::System(error) => error.outcome(),
            BootError::Medium(error) => error.outcome(),
            BootError::Base(error) => error.outcome(),
            BootError::Apply(error) => error.outcome(),
            BootError::NoBase => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            BootError::System(error) => error.hint(),
            BootError::Medium(error) => error.hint(),
            BootError::Base(error) => error.hint(),
            BootError::Apply(error) => error.hint(),
            BootError::NoBase => None,
        }
    }
}

//! The boot story, from the initramfs to the init of the running system.

use std::convert::Infallible;
use std::path::Path;

use spec::base::BaseDescription;
use spec::status::Status;
use spec::{Diagnose, Outcome, Reason, ReasonCode};

use crate::activation::{Activation, Loadable, SYSROOT, Target};
use crate::admit::{Grounds, Judgement, judge};
use crate::apply::{self, ApplyError};
use crate::base::{self, Base, BaseError};
use crate::cannot::Cannot;
use crate::clock::Clock;
use crate::cmdline::Arguments;
use crate::grounds;
use crate::held::{Means, Way};
use crate::layer::Layer;
use crate::log::Log;
use crate::medium::{self, MediumError};
use crate::places::Run;
use crate::{early, modules, status, switch};

/// Boots. Returns only with the error that ends the boot; a refused extension never is one.
pub(crate) fn boot(arguments: &Arguments, log: &Log) -> Result<Infallible, BootError> {
    let description = base::describe()?;
    early::load_modules(&description.boot_modules, log);
    let medium = medium::mount(arguments, log)?;
    let means = Means::find(arguments.images);
    let Assembled { mut status, modules } = assemble(description, medium, &means, log)?;
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
        .and_then(|description| assemble(description, Path::new(medium::MEDIUM), &means, &Log::none()));
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
    means: &Means,
    log: &Log,
) -> Result<Assembled, BootError> {
    let base = base::mount(description, medium, means, log)?;
    put_together(&base, medium, means, log)
}

/// Makes the root of the running system, with every extension that may be in it. Images are held, checked and mounted
/// before anything is decided.
fn put_together(base: &Base, medium: &Path, means: &Means, log: &Log) -> Result<Assembled, BootError> {
    let (config, mut notes) = grounds::machine_config(medium);
    let (judgement, modules) = match grounds::at_boot(config.clone(), medium, base) {
        Ok(grounds) => {
            notes.extend_from_slice(grounds.trust.notes());
            let judgement = judge(&grounds, |image| Layer::extension(&image, means));
            activate(judgement, &grounds, log)?
        }
        Err(error) => leave_alone(Judgement::all_refused(&config.extensions, &error.reason()))?,
    };
    let (description, release) = (base.description.to_string(), &base.kernel.release);
    let status = status::of(&judgement, description, release, notes, Run::BOOT);
    Ok(Assembled { status, modules })
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

//! The boot story, from the initramfs to the init of the running system.

use std::convert::Infallible;
use std::path::Path;

use spec::base::BaseDescription;
use spec::status::Status;
use spec::{Diagnose, Outcome, Reason, ReasonCode};

use crate::activation::{Activation, SYSROOT, Target};
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
use crate::{early, status, switch};

/// Boots. Returns only with the error that ends the boot; a refused extension never is one.
pub(crate) fn boot(arguments: &Arguments, log: &Log) -> Result<Infallible, BootError> {
    let description = base::describe()?;
    early::load_modules(&description.boot_modules, log);
    let medium = medium::mount(arguments, log)?;
    let status = assemble(description, medium, &Means::find(arguments.images), log)?;
    status::publish(&status, log);
    Ok(switch::into(Path::new(SYSROOT), &arguments.init)?)
}

/// The part of a boot that can be done again and again on a running machine: from a medium that is mounted to the root
/// that an init would be started in. Changes mounts, so it is for a mount namespace and a root directory of one's own.
#[doc(hidden)]
pub fn rehearse() -> Result<Status, impl Diagnose> {
    base::describe().map_err(BootError::from).and_then(|description| {
        assemble(description, Path::new(medium::MEDIUM), &Means::find(Way::Copy), &Log::none())
    })
}

fn assemble(
    description: BaseDescription,
    medium: &Path,
    means: &Means,
    log: &Log,
) -> Result<Status, BootError> {
    let base = base::mount(description, medium, means, log)?;
    put_together(&base, medium, means, log)
}

/// Makes the root of the running system, with every extension that may be in it. Images are held, checked and mounted
/// before anything is decided.
fn put_together(base: &Base, medium: &Path, means: &Means, log: &Log) -> Result<Status, BootError> {
    let (config, mut notes) = grounds::machine_config(medium);
    let judgement = match grounds::at_boot(config.clone(), medium, base) {
        Ok(grounds) => {
            notes.extend_from_slice(grounds.trust.notes());
            let judgement = judge(&grounds, |image| Layer::extension(&image, means));
            activate(judgement, &grounds, log)?
        }
        Err(error) => leave_alone(Judgement::all_refused(&config.extensions, &error.reason()))?,
    };
    Ok(status::of(&judgement, base.description.to_string(), &base.kernel.release, notes))
}

/// Puts the root together. What cannot be done with extensions is done without.
fn activate(
    judgement: Judgement<Layer>,
    grounds: &Grounds,
    log: &Log,
) -> Result<Judgement<Layer>, BootError> {
    let admitted = judgement.admitted();
    let planned = Activation::plan(&grounds.base, &admitted, &Target::NewRoot, Run::BOOT);
    let planned = planned.map_err(ApplyError::from);
    match planned.and_then(|activation| apply::run(&activation, &admitted, &Clock::start())) {
        Ok(()) => Ok(judgement),
        Err(error) => {
            log.complain(&error);
            let reason = Reason::new(ReasonCode::ActivationFailed, spec::sentence(&error));
            leave_alone(judgement.withdrawn(&reason))
        }
    }
}

/// Makes the base the whole root.
fn leave_alone(judgement: Judgement<Layer>) -> Result<Judgement<Layer>, BootError> {
    apply::run(&Activation::base_alone(), &[], &Clock::start())?;
    Ok(judgement)
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

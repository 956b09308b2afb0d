//! Doing what was planned: the only place that changes what the running system will see.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use spec::{Diagnose, Outcome};

use crate::activation::{Activation, ActivationError, Below, Step};
use crate::admit::Admitted;
use crate::cannot::{Cannot, cannot};
use crate::clock::Clock;
use crate::layer::Layer;
use crate::mounts::{self, Detached};
use crate::places::Run;

/// Does the steps in order. `admitted` are the extensions that they were planned for.
pub(crate) fn run(
    activation: &Activation,
    admitted: &[&Admitted<Layer>],
    clock: &Clock,
) -> Result<(), ApplyError> {
    let mut doer = Doer { admitted, overlays: Vec::new() };
    let run = |step: &Step| clock.time(&step.to_string(), || doer.run(step));
    activation.steps().iter().try_for_each(run).map_err(ApplyError::System)
}

struct Doer<'a> {
    admitted: &'a [&'a Admitted<Layer>],
    /// Made, and not shown yet.
    overlays: Vec<Detached>,
}

impl Doer<'_> {
    fn run(&mut self, step: &Step) -> Result<(), Cannot> {
        match step {
            Step::Keep { directory, at } => mounts::keep(directory, at),
            Step::Attach { extension, name: _, at } => self.admitted[*extension].layer().attach(at),
            Step::Index { at, directory, files } => write_index(at, directory, files),
            Step::Overlay { layers, at: _ } => {
                let layers: Vec<OwnedFd> =
                    layers.iter().map(|layer| self.open(layer)).collect::<Result<_, _>>()?;
                self.overlays.push(Detached::overlay(&layers)?);
                Ok(())
            }
            Step::Show { at, instead } => {
                at.iter().zip(self.overlays.drain(..)).try_for_each(|(at, overlay)| {
                    if instead.contains(at) { overlay.replace(at) } else { overlay.attach(at) }
                })
            }
            Step::Uncover { at, kept } => mounts::uncover(at).and_then(|()| mounts::uncover(kept)),
            Step::Forget { at } => mounts::forget(at),
            Step::Alone { at } => mounts::alone(&Run::base(), at),
        }
    }

    fn open(&self, layer: &Below) -> Result<OwnedFd, Cannot> {
        match layer {
            Below::Extension { extension, directory, .. } => {
                self.admitted[*extension].layer().open(directory)
            }
            Below::Directory(directory) => mounts::open_directory(directory),
        }
    }
}

/// Writes the index into a file system of its own, which is read-only from then on.
fn write_index(at: &Path, directory: &Path, files: &BTreeMap<&'static str, Vec<u8>>) -> Result<(), Cannot> {
    mounts::memory(at)?;
    for (name, bytes) in files {
        write(&at.join(directory).join(name), bytes)?;
    }
    mounts::lock_memory(at)
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Cannot> {
    if let Some(directory) = file.parent() {
        mounts::make_directory(directory)?;
    }
    fs::write(file, bytes).map_err(cannot("write", file.display()))
}

/// Why a root could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error(transparent)]
    System(Cannot),
    #[error(transparent)]
    Plan(#[from] ActivationError),
}

impl Diagnose for ApplyError {
    fn outcome(&self) -> Outcome {
        match self {
            ApplyError::System(error) => error.outcome(),
            ApplyError::Plan(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ApplyError::System(error) => error.hint(),
            ApplyError::Plan(error) => error.hint(),
        }
    }
}

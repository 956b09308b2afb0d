//! Doing what was planned: the only place that changes what the running system will see.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use kabi::index::IndexError;
use spec::{Diagnose, Outcome};

use crate::activation::{Activation, BASE, Below, Step};
use crate::admit::Admitted;
use crate::cannot::{Cannot, cannot};
use crate::layer::Layer;
use crate::mounts;

/// Does the steps in order. `admitted` are the extensions that they were planned for.
pub(crate) fn run(activation: &Activation, admitted: &[&Admitted<Layer>]) -> Result<(), ApplyError> {
    activation.steps().iter().try_for_each(|step| run_step(step, admitted)).map_err(ApplyError::System)
}

fn run_step(step: &Step, admitted: &[&Admitted<Layer>]) -> Result<(), Cannot> {
    match step {
        Step::Attach { extension, name: _, at } => admitted[*extension].layer().attach(at),
        Step::Index { at, directory, files } => write_index(at, directory, files),
        Step::Overlay { layers, at } => {
            let open = |layer: &Below| match layer {
                Below::Extension(extension, _) => admitted[*extension].layer().root(),
                Below::Directory(directory) => mounts::open_directory(directory),
            };
            let layers: Vec<OwnedFd> = layers.iter().map(open).collect::<Result<_, _>>()?;
            mounts::overlay(&layers, at)
        }
        Step::Load { file, text } => write(file, text.as_bytes()),
        Step::Alone { at } => mounts::alone(Path::new(BASE), at),
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
    #[error("the modules cannot be indexed")]
    Index(#[from] IndexError),
}

impl Diagnose for ApplyError {
    fn outcome(&self) -> Outcome {
        match self {
            ApplyError::System(error) => error.outcome(),
            ApplyError::Index(error) => error.outcome(),
        }
    }
}

//! `extbuild image …`: images by themselves, of this builder or any other.

pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod pack;

use std::path::{Path, PathBuf};

use spec::{Diagnose, Outcome};
use squash::image::Unreadable;
use terminal::Failure;

use crate::cli::ImageCommand;

pub(crate) fn run(command: ImageCommand) -> Result<(), Failure> {
    match command {
        ImageCommand::Pack(args) => pack::run(args),
        ImageCommand::Check(args) => check::run(args),
        ImageCommand::Cat(args) => cat::run(args),
    }
}

/// Opens an image that somebody named, which must be a file: a pipe would never end.
pub(crate) fn open(path: &Path) -> Result<std::fs::File, Failure> {
    Ok(terminal::open_regular(path).map_err(terminal::Place::cannot("read", path))?)
}

/// The file cannot be read as an image.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", image.display())]
pub(crate) struct NoImage {
    image: PathBuf,
    problem: Unreadable,
}

impl NoImage {
    /// For `map_err`: which file it is about.
    pub(crate) fn of(image: &Path) -> impl FnOnce(Unreadable) -> NoImage {
        let image = image.to_owned();
        move |problem| NoImage { image, problem }
    }
}

impl Diagnose for NoImage {
    fn outcome(&self) -> Outcome {
        self.problem.outcome()
    }

    fn hint(&self) -> Option<String> {
        self.problem.hint()
    }
}

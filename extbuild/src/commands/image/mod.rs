//! `extbuild image …`: images by themselves, of this builder or any other.

pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod pack;

use std::path::Path;

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

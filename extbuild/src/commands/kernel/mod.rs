//! `extbuild kernel …`: what is known of kernels.

mod diff;
mod index;
mod profile;
mod show;

use terminal::Failure;

use crate::cli::KernelCommand;

pub(crate) fn run(command: KernelCommand) -> Result<(), Failure> {
    match command {
        KernelCommand::Profile(args) => profile::run(args),
        KernelCommand::Show(args) => show::run(args),
        KernelCommand::Diff(args) => diff::run(args),
        KernelCommand::Index(args) => index::run(args),
    }
}

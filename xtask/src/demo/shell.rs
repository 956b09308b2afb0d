//! Commands as a user types them: each is shown before it runs.

use std::path::Path;
use std::process::Command;

use crate::programs::Programs;
use crate::workspace::Workspace;
use crate::{Error, command};

/// Runs commands in the top directory of the checkout.
#[derive(Debug)]
pub(super) struct Shell<'a> {
    workspace: &'a Workspace,
    programs: &'a Programs,
}

/// Says what comes next.
pub(super) fn heading(text: &str) {
    eprintln!("\n==> {text}");
}

impl<'a> Shell<'a> {
    pub(super) fn new(workspace: &'a Workspace, programs: &'a Programs) -> Shell<'a> {
        Shell { workspace, programs }
    }

    /// The top directory.
    pub(super) fn root(&self) -> &Path {
        self.workspace.root()
    }

    /// A path as it is written from the top directory.
    pub(super) fn short(&self, path: &Path) -> String {
        path.strip_prefix(self.root()).unwrap_or(path).display().to_string()
    }

    /// The boot program, as an argument.
    pub(super) fn runtime(&self) -> String {
        self.short(&self.programs.extruntime)
    }

    /// Runs any program.
    pub(super) fn run(&self, program: &str, args: &[&str]) -> Result<(), Error> {
        self.show(program, args);
        command::run(Command::new(program).args(args).current_dir(self.root()))
    }

    /// Runs `extbuild`; its words go to the terminal, its data (without the end of line) comes back.
    pub(super) fn extbuild(&self, args: &[&str]) -> Result<String, Error> {
        self.show("extbuild", args);
        let data =
            command::read_aloud(Command::new(&self.programs.extbuild).args(args).current_dir(self.root()))?;
        Ok(data.trim_end().to_owned())
    }

    /// Runs `extbuild` for what it prints.
    pub(super) fn show_extbuild(&self, args: &[&str]) -> Result<(), Error> {
        self.show("extbuild", args);
        command::run(Command::new(&self.programs.extbuild).args(args).current_dir(self.root()))
    }

    /// Runs `extfactory` for what it prints.
    pub(super) fn extfactory(&self, args: &[&str]) -> Result<(), Error> {
        self.show("extfactory", args);
        command::run(Command::new(&self.programs.extfactory).args(args).current_dir(self.root()))
    }

    /// Runs `extruntime` for what it prints.
    pub(super) fn extruntime(&self, args: &[&str]) -> Result<(), Error> {
        self.show("extruntime", args);
        command::run(Command::new(&self.programs.extruntime).args(args).current_dir(self.root()))
    }

    /// Shows a status that a machine has printed; the program says by its exit code whether all extensions are in.
    pub(super) fn extruntime_status(&self, file: &str) -> Result<(), Error> {
        let args = ["status", "--file", file];
        self.show("extruntime", &args);
        let output =
            command::capture(Command::new(&self.programs.extruntime).args(args).current_dir(self.root()))?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        Ok(())
    }

    fn show(&self, program: &str, args: &[&str]) {
        eprintln!("$ {program} {}", args.join(" "));
    }
}

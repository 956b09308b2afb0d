//! Our own programs, as the demo and the tests run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::Workspace;
use crate::{Error, command};

/// The only target for static programs that a plain Rust installation on Debian has: glibc, linked statically.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// How they are built for it; README.md has users do the same.
const STATIC: &str = "extruntime/static.toml";

/// All features of the workspace but the one that takes programs their defences.
pub const FEATURES: &str = "xtask/truth";
/// The example of `extruntime` that the tests boot with.
const REHEARSE: &str = "rehearse";

/// The built programs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Builds, signs and publishes extensions.
    pub extbuild: PathBuf,
    /// Composes bootable images.
    pub extfactory: PathBuf,
    /// `/init`: one static file.
    pub extruntime: PathBuf,
}

/// How the programs of the builder's side are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// As users get them.
    Release,
    /// As the tests are, with which they share all of their dependencies: nothing is compiled twice.
    Tests,
}

/// Builds all three; the boot program always as it ships.
///
/// # Errors
/// [`Error::Failed`]; cargo has printed why.
pub fn build(workspace: &Workspace, speed: Speed) -> Result<Programs, Error> {
    let (arguments, directory): (&[&str], _) = match speed {
        Speed::Release => (&["build", "--release", "-p", "extbuild", "-p", "factory"], "release"),
        // The same packages and features as the tests, or cargo would build some dependencies for this alone.
        Speed::Tests => {
            (&["build", "--workspace", "--features", FEATURES, "--bins", "--example", REHEARSE], "debug")
        }
    };
    command::run(&mut workspace.cargo(arguments))?;
    let built = workspace.cargo_target().join(directory);
    Ok(Programs {
        extbuild: built.join("extbuild"),
        extfactory: built.join("extfactory"),
        extruntime: build_static(workspace, "extruntime")?,
    })
}

/// Builds the programs as the tests are, but so that the environment can switch their defences off, into a directory of
/// their own. Dependencies are shared with [`build`], which comes after this and puts the real programs back in place.
///
/// # Errors
/// [`Error::Failed`]; cargo has printed why. [`Error::File`].
pub fn build_switchable(workspace: &Workspace) -> Result<PathBuf, Error> {
    let features = format!("{FEATURES},spec/switchable-defences");
    let arguments = ["build", "--workspace", "--features", &features, "--bins", "--example", REHEARSE];
    command::run(&mut workspace.cargo(&arguments))?;
    let (built, directory) =
        (workspace.cargo_target().join("debug"), workspace.cargo_target().join("switchable"));
    fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
    for program in ["extbuild", "extfactory", "extruntime", REHEARSE] {
        let from = match program {
            REHEARSE => rehearse(workspace),
            program => built.join(program),
        };
        fs::copy(&from, directory.join(program)).map_err(Error::file("copy", &from))?;
    }
    Ok(directory)
}

/// The program that boots a medium without becoming its init, built by [`build`] for the tests.
pub fn rehearse(workspace: &Workspace) -> PathBuf {
    workspace.cargo_target().join("debug/examples").join(REHEARSE)
}

/// Builds the builder program alone, as users get it.
///
/// # Errors
/// [`Error::Failed`]; cargo has printed why.
pub fn build_extbuild(workspace: &Workspace) -> Result<PathBuf, Error> {
    command::run(&mut workspace.cargo(&["build", "--release", "-p", "extbuild"]))?;
    Ok(workspace.cargo_target().join("release/extbuild"))
}

/// `cargo xtask truth` of an xtask that has it. The rooms that it needs would double the time until a plain one runs.
pub fn xtask_with_truth(workspace: &Workspace) -> Command {
    workspace.cargo(&["run", "--quiet", "--package", "xtask", "--features", "truth", "--", "truth"])
}

/// Builds the program that asks kernels about modules, as static as the boot program.
///
/// # Errors
/// [`Error::Failed`]; cargo has printed why.
#[cfg(feature = "truth")]
pub fn build_truth(workspace: &Workspace) -> Result<PathBuf, Error> {
    build_static(workspace, "truth")
}

/// Builds the boot program so that the environment can make it fail at named places: faster to build than the real one, and
/// with what no release may have.
///
/// # Errors
/// [`Error::Failed`]; cargo has printed why.
pub fn build_with_faults(workspace: &Workspace) -> Result<PathBuf, Error> {
    let dir = workspace.cargo_target().join("static-faults");
    let mut cargo = cargo_static(workspace, "extruntime", &dir);
    cargo.args(["--features", "fault-points"]);
    cargo.env("CARGO_PROFILE_BOOT_DEBUG_ASSERTIONS", "true").env("CARGO_PROFILE_BOOT_LTO", "off");
    command::run(cargo.env("CARGO_PROFILE_BOOT_CODEGEN_UNITS", "16"))?;
    Ok(dir.join(TARGET).join("boot/extruntime"))
}

/// Builds a program in a directory of its own: other flags in the same one would make cargo build everything
/// anew each time. With a target of their own, the flags do not reach build scripts and macros, which must be dynamic.
fn build_static(workspace: &Workspace, program: &str) -> Result<PathBuf, Error> {
    let dir = workspace.cargo_target().join("static");
    command::run(&mut cargo_static(workspace, program, &dir))?;
    Ok(dir.join(TARGET).join("boot").join(program))
}

fn cargo_static(workspace: &Workspace, program: &str, dir: &Path) -> Command {
    let mut cargo = workspace.cargo(&["build", "--profile", "boot", "-p", program, "--config", STATIC]);
    // The variable would take the place of the flags in the file.
    cargo.env_remove("RUSTFLAGS").env("CARGO_TARGET_DIR", dir);
    cargo
}

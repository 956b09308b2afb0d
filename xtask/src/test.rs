//! The whole check, `cargo xtask test`, and the quick part of it, `cargo xtask check`.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::boots::{self, Selection};
use crate::inputs::Inputs;
use crate::powercut::PowerCut;
use crate::programs::{Programs, Speed};
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, command, demo, fuzz, inputs, npm, packages, programs};

/// How many modules of each kernel are asked for, beside all that are crafted: enough to see that asking works.
const TRUTH_SAMPLE: &str = "20";

/// Everything, from a fresh machine to the last test; ends at the first step that fails.
pub fn test(workspace: &Workspace) -> ExitCode {
    let mut steps = Steps::default();
    let result = all(&mut steps, workspace);
    steps.finish(result)
}

/// Format, lints and documentation: what can be wrong without running anything.
pub fn check(workspace: &Workspace) -> ExitCode {
    let mut steps = Steps::default();
    let result = without_running(&mut steps, workspace);
    steps.finish(result)
}

fn all(steps: &mut Steps, workspace: &Workspace) -> Result<(), Error> {
    steps.run("rights", || if command::is_root() { Ok(()) } else { Err(Error::NotRoot) })?;
    steps.run("system packages", || packages::ensure(&[packages::DEMO, packages::TEST]))?;
    let inputs = steps.run("real inputs", || inputs::prepare(workspace))?;
    steps.run("sigstore's verifier", || npm::prepare(workspace))?;
    without_running(steps, workspace)?;
    let switchable = steps.run("programs without defences", || programs::build_switchable(workspace))?;
    let programs = steps.run("our programs", || programs::build(workspace, Speed::Tests))?;
    steps.run("tests", || run_tests(workspace, &inputs, &programs, &switchable))?;
    steps.run("faults", || programs_that_die(workspace))?;
    steps.run("truth", || ask_kernels(&programs))?;
    steps.run("fuzzing", || fuzz::briefly(workspace))?;
    steps.run("demo", || demo::run(workspace, &inputs, &programs))?;
    steps.run("boots", || boots::run(workspace, &inputs, &programs, &Selection::Usual))?;
    steps.run("power cuts", || PowerCut::TEST.run(workspace, &inputs, &programs, 0, &mut |_| Ok(())))?;
    steps.run("documentation tests", || {
        command::run(&mut workspace.cargo(&[
            "test",
            "--doc",
            "--workspace",
            "--features",
            programs::FEATURES,
        ]))
    })
}

fn without_running(steps: &mut Steps, workspace: &Workspace) -> Result<(), Error> {
    let cargo = |args: &[&str]| command::run(&mut workspace.cargo(args));
    steps.run("format", || cargo(&["fmt", "--all", "--check"]))?;
    steps.run("lints", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
    })?;
    steps.run("documentation", || document(workspace))
}

/// Builds the documentation of all rooms; a broken link is an error.
///
/// # Errors
/// [`Error::Failed`]; cargo has printed why.
pub fn document(workspace: &Workspace) -> Result<(), Error> {
    let mut cargo = workspace.cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    command::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Asks real kernels about some of their modules and about all that are crafted; `cargo xtask truth` asks about all. The
/// xtask that can is beside the other programs, where it was built with all features.
fn ask_kernels(programs: &Programs) -> Result<(), Error> {
    let xtask = programs.extbuild.with_file_name("xtask");
    command::run(Command::new(xtask).args(["truth", "--sample", TRUTH_SAMPLE]))
}

/// A program that can be told where to die, and the tests that tell it: no other program is built like that.
fn programs_that_die(workspace: &Workspace) -> Result<(), Error> {
    let which = ["--package", "generations", "--features", "fault-points"];
    command::run(workspace.cargo(&["build", "--example", "node"]).args(which))?;
    command::run(workspace.cargo(&["test", "--test", "faults"]).args(which))
}

/// Runs all tests, by nextest if the machine has it: it runs the tests of different rooms side by side.
///
/// The tests read `TENON_INPUTS` (the real inputs) and `TENON_EXTBUILD`, `TENON_EXTFACTORY`, `TENON_EXTRUNTIME` (our
/// programs), and for `tests/tamper/` `TENON_REHEARSE` and `TENON_SWITCHABLE` (a boot, and the directory of programs
/// without defences).
fn run_tests(
    workspace: &Workspace,
    inputs: &Inputs,
    programs: &Programs,
    switchable: &Path,
) -> Result<(), Error> {
    let has_nextest = command::capture(&mut workspace.cargo(&["nextest", "--version"]))?.status.success();
    let runner: &[&str] = match has_nextest {
        true => &["nextest", "run"],
        // Documentation tests are a step of their own.
        false => &["test", "--lib", "--bins", "--tests"],
    };
    let mut cargo = workspace.cargo(runner);
    cargo.args(["--workspace", "--features", programs::FEATURES]);
    cargo.env("TENON_INPUTS", inputs.dir());
    cargo.env("TENON_EXTBUILD", &programs.extbuild);
    cargo.env("TENON_EXTFACTORY", &programs.extfactory);
    cargo.env("TENON_EXTRUNTIME", &programs.extruntime);
    cargo.env("TENON_REHEARSE", programs::rehearse(workspace));
    cargo.env("TENON_SWITCHABLE", switchable);
    command::run(&mut cargo)
}

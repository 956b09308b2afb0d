//! `cargo xtask bench activate`: laying extensions over a system, beside systemd-sysext and mount(8) with the same images
//! in the same minutes; and what booting with them costs, in QEMU.

mod boots;
mod host;
mod namespace;
mod report;
mod set;
mod timings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{PAGE, page};
use crate::inputs::Inputs;
use crate::programs::{Programs, Speed};
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, cache, command, inputs, packages, programs};
use set::Set;

/// Sizes of the sets that are laid over the system of this machine; the largest is the one that is made.
const COUNTS: [usize; 3] = [1, 8, 32];
/// What each of their extensions has: about what an extension of firmware and drivers has.
const CONTENT: u64 = 47_000_000;
/// Extensions of a machine that boots with some, and what each of them has.
const BOOTED: usize = 10;
const SMALL: u64 = 1_000_000;
const LARGE: u64 = 1_000_000_000;

pub(super) fn run(steps: &mut Steps, workspace: &Workspace, runs: usize) -> Result<(), Error> {
    if !command::is_root() {
        return Err(Error::NotRoot);
    }
    steps.run("system packages", || packages::ensure(&[packages::BENCH_ACTIVATE, packages::DEMO]))?;
    let inputs = steps.run("real inputs", || inputs::prepare(workspace))?;
    let programs = steps.run("our programs", || programs::build(workspace, Speed::Release))?;
    let dir = workspace.bench().join("activate");
    cache::remove_dir(&dir)?;
    fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
    let base = steps.run("a base", || make_base(workspace, &inputs, &programs, &dir))?;
    let set = steps.run("extensions", || Set::make(&programs, &dir, "usual", COUNTS[2], CONTENT))?;
    let here = steps.run("measured runs", || host::measure(&programs, &base, &set, &dir, runs))?;
    cache::remove_dir(&set.dir)?;
    let boots = steps.run("boots", || boots::measure(&programs, &inputs, &base, &dir))?;
    steps.run("page", || {
        let text = report::text(&here, &boots, runs)?;
        println!("\n{text}");
        page::refresh(&workspace.root().join(PAGE), "bench activate", &text)
    })
}

/// The base of the demo: it stands for the system here, and is what the machines boot.
fn make_base(
    workspace: &Workspace,
    inputs: &Inputs,
    programs: &Programs,
    dir: &Path,
) -> Result<PathBuf, Error> {
    let (sources, base) = (dir.join("sources"), dir.join("base"));
    for package in ["busybox-static", "libc6"] {
        let unpacked = sources.join(package);
        fs::create_dir_all(&unpacked).map_err(Error::file("create", &unpacked))?;
        command::read(Command::new("dpkg").arg("-x").arg(inputs.deb(package)).arg(unpacked))?;
    }
    let mut make = Command::new(&programs.extbuild);
    make.arg("base").arg(workspace.root().join("examples/base-debian/base.yaml"));
    make.arg("--kernel").arg(inputs.kernel()).arg("--source-dir").arg(sources);
    command::read(make.arg("-o").arg(&base))?;
    Ok(base)
}

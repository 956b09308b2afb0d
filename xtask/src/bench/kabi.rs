//! `cargo xtask bench kabi`: judging and indexing all modules of a kernel, and depmod on the same modules in the same
//! minutes.

mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::measure::{Usage, measured};
use super::{PAGE, page};
use crate::progress::Task;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, cache, command, inputs, packages, programs};
use report::Timings;

/// Our own programs.
struct Programs {
    extbuild: PathBuf,
    /// `kabi/examples/timings.rs`.
    timings: PathBuf,
}

/// A kernel to measure.
#[derive(Debug)]
struct Kernel {
    release: String,
    /// Where its packages are unpacked.
    unpacked: PathBuf,
    /// Another place with links to all of its modules, where depmod may write: a root, and ours beside it.
    root: PathBuf,
}

/// What the runs took.
#[derive(Debug)]
struct Measured {
    kernel: Kernel,
    timings: Timings,
    /// Of each command by its name.
    commands: Vec<(&'static str, Vec<Usage>)>,
}

pub(super) fn run(steps: &mut Steps, workspace: &Workspace, runs: usize) -> Result<(), Error> {
    steps.run("system packages", || packages::ensure(&[packages::BENCH_KABI]))?;
    let inputs = steps.run("real inputs", || inputs::prepare(workspace))?;
    let programs = steps.run("our programs", || build(workspace))?;
    let place = workspace.bench().join("kabi");
    cache::remove_dir(&place)?;
    let mut all = Vec::new();
    for unpacked in [inputs.kernel(), inputs.other_kernel()] {
        let kernel = steps.run("modules", || Kernel::prepare(unpacked, &place))?;
        all.push(steps.run("measured runs", || kernel.measure(&programs, runs))?);
    }
    steps.run("same bytes", || all.iter().try_for_each(|measured| measured.kernel.compare()))?;
    steps.run("page", || {
        let text = report::text(&all, runs)?;
        println!("\n{text}");
        page::refresh(&workspace.root().join(PAGE), "bench kabi", &text)
    })
}

fn build(workspace: &Workspace) -> Result<Programs, Error> {
    command::run(&mut workspace.cargo(&["build", "--release", "-p", "kabi", "--example", "timings"]))?;
    let timings = workspace.cargo_target().join("release/examples/timings");
    Ok(Programs { extbuild: programs::build_extbuild(workspace)?, timings })
}

impl Kernel {
    /// depmod finds links as good as files, and what it writes must not lie among the inputs.
    fn prepare(unpacked: PathBuf, place: &Path) -> Result<Kernel, Error> {
        let modules = unpacked.join("lib/modules");
        let release = only_entry(&modules)?;
        let kernel = Kernel { root: place.join(&release), release, unpacked };
        fs::create_dir_all(kernel.modules()).map_err(Error::file("create", kernel.modules()))?;
        let mut link = Command::new("cp");
        for name in ["kernel", "modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            link.arg(modules.join(&kernel.release).join(name));
        }
        command::read(link.args(["-rs", "-t"]).arg(kernel.modules()))?;
        Ok(kernel)
    }

    fn modules(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.release)
    }

    /// Where our index goes.
    fn ours(&self) -> PathBuf {
        self.root.join("ours")
    }

    fn measure(self, programs: &Programs, runs: usize) -> Result<Measured, Error> {
        let profile = self.root.join("kabi.db");
        let mut make = Command::new(&programs.extbuild);
        command::read(make.args(["kernel", "profile", "-o"]).arg(&profile).arg(&self.unpacked))?;

        let mut commands: Vec<_> =
            self.commands(programs).into_iter().map(|command| (command, Vec::new())).collect();
        // The first round fills the kernel's cache of files, and counts for nobody.
        for round in 0..=runs {
            for ((name, command), usages) in &mut commands {
                let task = Task::spin(format!("{round}/{runs} {name}"));
                let usage = measured(command, &self.root)?;
                task.finish(&format!("{:.0} ms", usage.wall * 1e3));
                usages.extend((round > 0).then_some(usage));
            }
        }
        let mut timings = Command::new(&programs.timings);
        let said = command::read(timings.arg(self.modules()).arg(&profile).arg(runs.to_string()))?;
        let timings = serde_json::from_str(&said).map_err(|error| Error::Bench(error.to_string()))?;
        let commands = commands.into_iter().map(|((name, _), usages)| (name, usages)).collect();
        Ok(Measured { kernel: self, timings, commands })
    }

    /// Ours first: the others are held against it.
    fn commands(&self, programs: &Programs) -> [(&'static str, Command); 3] {
        let mut index = Command::new(&programs.extbuild);
        index.args(["kernel", "index", "-o"]).arg(self.ours()).arg(self.modules());
        let depmod = |arguments: &[&str]| {
            let mut depmod = Command::new("depmod");
            depmod
                .args(["-C", "/dev/null", "-a"])
                .args(arguments)
                .arg("-b")
                .arg(&self.root)
                .arg(&self.release);
            depmod
        };
        let symvers =
            format!("{}/usr/src/linux-headers-{}/Module.symvers", self.unpacked.display(), self.release);
        [
            ("extbuild kernel index", index),
            ("depmod -a", depmod(&[])),
            ("depmod -a -e -E Module.symvers", depmod(&["-e", "-E", &symvers])),
        ]
    }

    /// Who writes something else than depmod has done something else.
    fn compare(&self) -> Result<(), Error> {
        let ours = self.ours();
        for entry in fs::read_dir(&ours).map_err(Error::file("read", &ours))? {
            let path = entry.map_err(Error::file("read", &ours))?.path();
            let theirs = self.modules().join(path.file_name().unwrap_or_default());
            command::read(Command::new("cmp").arg(&path).arg(theirs))?;
        }
        Ok(())
    }
}

fn only_entry(directory: &Path) -> Result<String, Error> {
    let mut entries = fs::read_dir(directory).map_err(Error::file("read", directory))?;
    let first = entries.next().and_then(Result::ok).and_then(|entry| entry.file_name().into_string().ok());
    match (first, entries.next()) {
        (Some(name), None) => Ok(name),
        _ => Err(Error::Bench(format!("{} does not hold one kernel", directory.display()))),
    }
}

//! `cargo xtask bench trust`: believing a set of extensions, hashing their images beside openssl, and bringing one to a
//! registry and back beside skopeo, in the same minutes.

mod registry;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::measure::{Usage, measured};
use super::{PAGE, page};
use crate::progress::Task;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, cache, command, packages, programs};
use registry::Registry;
use report::Timings;

/// Extensions of the set that is believed. What their images are does not matter, so they are small.
const SET: u64 = 32;
/// Images that are hashed, and their size: enough of both to keep all processors busy for a while.
const IMAGES: (u64, u64) = (8, 64 << 20);
/// Size of the one that travels.
const TRAVELLER: u64 = 500_000_000;

/// Our own programs.
struct Programs {
    extbuild: PathBuf,
    /// `extruntime/examples/trust.rs`.
    timings: PathBuf,
}

/// Layouts with extensions, and policies that trust them.
struct Place(PathBuf);

/// What the runs took.
#[derive(Debug)]
struct Measured {
    believing: Timings,
    hashing: Timings,
    /// openssl, hashing the same files.
    openssl: Vec<f64>,
    /// Pushes and pulls, ours and skopeo's in turn.
    travels: Vec<(&'static str, Vec<Usage>)>,
}

pub(super) fn run(steps: &mut Steps, workspace: &Workspace, runs: usize) -> Result<(), Error> {
    steps.run("system packages", || packages::ensure(&[packages::BENCH_TRUST]))?;
    let programs = steps.run("our programs", || build(workspace))?;
    let place = Place(workspace.bench().join("trust"));
    steps.run("extensions", || place.prepare(&programs))?;
    let measured = steps.run("measured runs", || place.measure(&programs, runs))?;
    steps.run("page", || {
        let text = report::text(&measured, runs)?;
        println!("\n{text}");
        page::refresh(&workspace.root().join(PAGE), "bench trust", &text)
    })
}

/// What believes is built as it boots, and what pushes as users get it.
fn build(workspace: &Workspace) -> Result<Programs, Error> {
    let example = ["build", "--profile", "boot", "-p", "extruntime", "--example", "trust"];
    command::run(&mut workspace.cargo(&example))?;
    let timings = workspace.cargo_target().join("boot/examples/trust");
    Ok(Programs { extbuild: programs::build_extbuild(workspace)?, timings })
}

impl Place {
    fn layout(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn policy(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.yaml"))
    }

    fn prepare(&self, programs: &Programs) -> Result<(), Error> {
        cache::remove_dir(&self.0)?;
        fs::create_dir_all(&self.0).map_err(Error::file("create", &self.0))?;
        for (name, count, size) in [("set", SET, 4096), ("images", IMAGES.0, IMAGES.1), ("one", 1, TRAVELLER)]
        {
            let mut make = Command::new(&programs.timings);
            make.arg("make").arg(self.layout(name)).arg(self.policy(name));
            command::read(make.args([count.to_string(), size.to_string()]))?;
        }
        Ok(())
    }

    fn measure(&self, programs: &Programs, runs: usize) -> Result<Measured, Error> {
        Ok(Measured {
            believing: self.timings(programs, "set", runs * 10)?,
            hashing: self.timings(programs, "images", runs)?,
            openssl: self.openssl(runs)?,
            travels: self.travels(programs, runs)?,
        })
    }

    fn timings(&self, programs: &Programs, name: &str, runs: usize) -> Result<Timings, Error> {
        let mut timings = Command::new(&programs.timings);
        timings.arg("measure").arg(self.layout(name)).arg(self.policy(name)).arg(runs.to_string());
        let said = command::read(&mut timings)?;
        serde_json::from_str(&said).map_err(|error| Error::Bench(error.to_string()))
    }

    /// One process for each processor, with as many images as another.
    fn openssl(&self, runs: usize) -> Result<Vec<f64>, Error> {
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let each = IMAGES.0.div_ceil(cores);
        let script = format!(
            "find '{}/blobs' -size +1M -print0 | xargs -0 -n {each} -P {cores} openssl dgst -sha256",
            self.layout("images").display()
        );
        let mut hash = Command::new("sh");
        hash.args(["-c", &script]);
        (0..runs).map(|_| Ok(measured(&hash, &self.0)?.wall)).collect()
    }

    /// Each with an empty registry of its own, so that nobody finds a blob there already.
    fn travels(&self, programs: &Programs, runs: usize) -> Result<Vec<(&'static str, Vec<Usage>)>, Error> {
        let mut travels: Vec<(&str, Vec<Usage>)> = NAMES.map(|name| (name, Vec::new())).into();
        for round in 0..runs {
            for (pair, tool) in [Tool::Extbuild, Tool::Skopeo].into_iter().enumerate() {
                let registry = Registry::start(&self.0)?;
                let copy = self.layout("copy");
                for (place, there) in [(2 * pair, true), (2 * pair + 1, false)] {
                    cache::remove_dir(&copy)?;
                    let (name, usages) = &mut travels[place];
                    let task = Task::spin(format!("{}/{runs} {name}", round + 1));
                    let from = if there { self.layout("one") } else { copy.clone() };
                    let usage = measured(&tool.command(programs, &registry, &from, there), &self.0)?;
                    task.finish(&format!("{:.0} ms", usage.wall * 1e3));
                    usages.push(usage);
                }
                cache::remove_dir(&copy)?;
            }
        }
        Ok(travels)
    }
}

/// In the order in which they run.
const NAMES: [&str; 4] =
    ["extbuild push", "extbuild pull", "skopeo copy oci: docker:", "skopeo copy docker: oci:"];

/// The tag of the extension in its layout.
const TAG: &str = "bench-00-1.0.0";

enum Tool {
    Extbuild,
    Skopeo,
}

impl Tool {
    fn command(&self, programs: &Programs, registry: &Registry, layout: &Path, there: bool) -> Command {
        let (layout, place) =
            (format!("oci:{}", layout.display()), format!("{}/bench:1", registry.address()));
        match self {
            Tool::Extbuild => {
                let mut command = Command::new(&programs.extbuild);
                match there {
                    true => command.args(["push", &format!("{layout}:{TAG}"), &place]),
                    false => command.args(["pull", &place, "-o", &layout]),
                };
                command
            }
            Tool::Skopeo => {
                let mut command = Command::new("skopeo");
                command.args(["--insecure-policy", "copy", "--quiet", "--preserve-digests"]);
                let place = format!("docker://{place}");
                match there {
                    true => command.args(["--dest-tls-verify=false", &format!("{layout}:{TAG}"), &place]),
                    false => command.args(["--src-tls-verify=false", &place, &format!("{layout}:{TAG}")]),
                };
                command
            }
        }
    }
}

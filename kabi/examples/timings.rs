//! How long a kernel takes: its modules read, judged and indexed, and its facts loaded, as `cargo xtask bench kabi` has
//! it measured.
//!
//! ```text
//! timings MODULES PROFILE RUNS
//! ```
//!
//! MODULES is a kernel's `lib/modules/RELEASE`, PROFILE its `kabi.db`. What it prints is one JSON object: what there was
//! to do, and the seconds that each run of each part took.
#![allow(clippy::print_stdout, reason = "a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use kabi::index::{self, Inputs};
use kabi::{Candidate, Host, Module, Profile, Record, Verdict, decompress, judge};
use serde::Serialize;
use spec::{ExtensionName, KernelRelease, TreePath};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    modules: usize,
    imports: usize,
    exports: usize,
    record_bytes: usize,
    profile_bytes: usize,
    index_bytes: usize,
    /// Seconds of each run, by part.
    seconds: BTreeMap<&'static str, Vec<f64>>,
}

/// An unpacked kernel.
struct Kernel {
    release: KernelRelease,
    /// Where its modules are.
    directory: PathBuf,
    files: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [modules, profile, runs] = &arguments[..] else {
        return Err("usage: timings MODULES PROFILE RUNS".into());
    };
    let report = measure(&Kernel::find(Path::new(modules))?, &fs::read(profile)?, runs.parse()?)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn measure(kernel: &Kernel, database: &[u8], runs: NonZeroUsize) -> Result<Report> {
    let mut clock = Clock::default();
    let record = kernel.read()?;
    let json = record.to_json();
    let profile = Profile::parse(database)?;
    let built = Built::read(&kernel.directory)?;
    for _ in 0..runs.get() {
        clock.time("read modules", || kernel.read())?;
        clock.time("load record", || Ok(Record::parse(&json)?))?;
        clock.time("load profile", || Ok(Profile::parse(database)?))?;
        clock.time("judge", || judge_all(kernel, &profile, &record))?;
        clock.time("index", || Ok(index::build(&kernel.index_of(&record, &built))?))?;
    }
    let files = index::build(&kernel.index_of(&record, &built))?.files;
    Ok(Report {
        modules: record.modules().len(),
        imports: record.modules().iter().map(|module| module.imports.len()).sum(),
        exports: record.modules().iter().map(|module| module.exports.len()).sum(),
        record_bytes: json.len(),
        profile_bytes: database.len(),
        index_bytes: files.values().map(Vec::len).sum(),
        seconds: clock.seconds,
    })
}

/// The seconds that parts have taken.
#[derive(Default)]
struct Clock {
    seconds: BTreeMap<&'static str, Vec<f64>>,
}

impl Clock {
    fn time<T>(&mut self, part: &'static str, work: impl FnOnce() -> Result<T>) -> Result<()> {
        let started = Instant::now();
        let made = black_box(work()?);
        self.seconds.entry(part).or_default().push(started.elapsed().as_secs_f64());
        drop(made);
        Ok(())
    }
}

/// All modules as one extension, on a base without any.
fn judge_all(kernel: &Kernel, profile: &Profile, record: &Record) -> Result<()> {
    let (name, none): (ExtensionName, _) = ("everything".parse()?, Record::default());
    let release = Some(&kernel.release);
    let candidate = Candidate { name: &name, kernel: release, record, paths: None, force: &[], group: None };
    match judge(&Host::base(profile, &none), &[candidate]).pop() {
        Some(Verdict::Fits(_)) => Ok(()),
        verdict => Err(format!("the kernel's own modules do not fit it: {verdict:?}").into()),
    }
}

impl Kernel {
    fn find(directory: &Path) -> Result<Kernel> {
        let release = directory.file_name().and_then(|name| name.to_str()).ok_or("no release")?.parse()?;
        let mut files = Vec::new();
        collect_files(&directory.join("kernel"), &mut files)?;
        Ok(Kernel { release, directory: directory.to_owned(), files })
    }

    /// Reads all modules, on all processors.
    fn read(&self) -> Result<Record> {
        let share = self.files.len().div_ceil(thread::available_parallelism()?.get()).max(1);
        let modules = thread::scope(|scope| {
            let read =
                |files: &[PathBuf]| files.iter().map(|file| self.module(file)).collect::<Result<Vec<_>>>();
            let workers: Vec<_> =
                self.files.chunks(share).map(|files| scope.spawn(move || read(files))).collect();
            let shares = workers.into_iter().map(|worker| worker.join().map_err(|_| "a thread panicked")?);
            shares.collect::<Result<Vec<_>>>()
        })?;
        Ok(Record::new(modules.into_iter().flatten().collect())?)
    }

    fn module(&self, file: &Path) -> Result<Module> {
        let inside = file.strip_prefix(&self.directory)?.display();
        let path: TreePath = format!("/usr/lib/modules/{}/{inside}", self.release).parse()?;
        Ok(Module::parse(&path, &decompress(path.as_str(), fs::read(file)?)?)?)
    }

    fn index_of<'a>(&'a self, record: &'a Record, built: &'a Built) -> Inputs<'a> {
        Inputs {
            release: &self.release,
            base: record,
            extensions: &[],
            order: Some(&built.order),
            builtin: Some(&built.builtin),
            builtin_modinfo: Some(&built.modinfo),
        }
    }
}

/// What the kernel's build says besides.
struct Built {
    order: String,
    builtin: String,
    modinfo: Vec<u8>,
}

impl Built {
    fn read(directory: &Path) -> Result<Built> {
        Ok(Built {
            order: fs::read_to_string(directory.join("modules.order"))?,
            builtin: fs::read_to_string(directory.join("modules.builtin"))?,
            modinfo: fs::read(directory.join("modules.builtin.modinfo"))?,
        })
    }
}

fn collect_files(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => collect_files(&path, files)?,
            false => files.push(path),
        }
    }
    files.sort();
    Ok(())
}

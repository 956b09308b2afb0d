//! Fuzzing: the readers of images, archives, packages, kernels and their modules, of keys, signatures, policies and what
//! registries say, against inputs that coverage leads to.
//!
//! The targets are ordinary programs of the room `fuzz` with libFuzzer linked in. Coverage needs nothing but options that
//! a stable compiler passes on to LLVM. Sound seeds are made anew each time, what was found interesting stays in
//! `target/fuzz/corpus`, and what once failed would be kept in `fuzz/regressions/TARGET`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::progress::{Task, seconds};
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, command};

/// Each is a program `fuzz-NAME`.
const TARGETS: &[&str] = &[
    "image",
    "tar",
    "deb",
    "oci",
    "module",
    "record",
    "profile",
    "vmlinuz",
    "key",
    "bundle",
    "policy",
    "documents",
    "referrers",
    "grants",
    "headers",
    "machine",
    "generations",
];

/// How long each target runs when somebody asks for fuzzing.
const LONG: Duration = Duration::from_secs(600);

/// How long each runs among the tests: enough to go through the corpus and notice that a target is broken.
const SHORT: Duration = Duration::from_secs(10);

/// Instrumentation as libFuzzer wants it (LLVM, "SanitizerCoverage"), and the checks that a release build leaves out.
const FLAGS: &str = "-C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares -C codegen-units=1 -C debug-assertions -C overflow-checks";

/// With a target named, the flags do not reach build scripts and macros.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// What libFuzzer bounds: bytes of an input, seconds for one, MiB of memory.
const BOUNDS: [&str; 3] = ["-max_len=65536", "-timeout=10", "-rss_limit_mb=1024"];

/// Runs all targets, ten minutes each or as many seconds as `--seconds` says.
pub fn fuzz(workspace: &Workspace, arguments: &[&str]) -> ExitCode {
    let mut steps = Steps::default();
    let result = parse(arguments).and_then(|time| {
        let fuzzers = steps.run("fuzz targets", || build(workspace))?;
        steps.run("fuzzing", || run(workspace, &fuzzers, time))
    });
    steps.finish(result)
}

/// The short run that is part of the tests.
///
/// # Errors
/// [`Error::FailedQuietly`], with what libFuzzer says of the input that failed.
pub fn briefly(workspace: &Workspace) -> Result<(), Error> {
    run(workspace, &build(workspace)?, SHORT)
}

fn parse(arguments: &[&str]) -> Result<Duration, Error> {
    match arguments {
        [] => Ok(LONG),
        ["--seconds", number] if number.parse::<u32>().is_ok_and(|number| number > 0) => {
            Ok(Duration::from_secs(number.parse().unwrap_or_default()))
        }
        _ => Err(Error::UnknownChore(format!("fuzz {}", arguments.join(" ")))),
    }
}

/// What the targets are run with.
struct Fuzzers {
    /// The directory with the programs.
    dir: PathBuf,
    /// The program that writes seeds; it is no target, so it has no use for coverage.
    seeds: PathBuf,
}

fn build(workspace: &Workspace) -> Result<Fuzzers, Error> {
    command::run(&mut workspace.cargo(&["build", "-p", "fuzz", "--bin", "fuzz-seeds"]))?;
    let seeds = workspace.cargo_target().join("debug/fuzz-seeds");

    let dir = workspace.cargo_target().join("fuzz-build");
    let mut cargo = workspace.cargo(&["build", "--release", "-p", "fuzz", "--target", PLATFORM]);
    cargo.args(TARGETS.iter().flat_map(|target| ["--bin".to_owned(), format!("fuzz-{target}")]));
    command::run(cargo.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &dir))?;
    Ok(Fuzzers { dir: dir.join(PLATFORM).join("release"), seeds })
}

fn run(workspace: &Workspace, fuzzers: &Fuzzers, time: Duration) -> Result<(), Error> {
    let dir = workspace.target().join("fuzz");
    let corpus = dir.join("corpus");
    let (findings, scratch) = (dir.join("findings"), dir.join("scratch"));
    for dir in [&findings, &scratch] {
        fs::create_dir_all(dir).map_err(Error::file("create", dir))?;
    }
    command::read(Command::new(&fuzzers.seeds).arg(&corpus))?;
    for target in TARGETS {
        let mut fuzzer = Command::new(fuzzers.dir.join(format!("fuzz-{target}")));
        fuzzer.arg(corpus.join(target));
        let regressions = workspace.root().join("fuzz/regressions").join(target);
        if regressions.is_dir() {
            fuzzer.arg(regressions);
        }
        fuzzer.args(BOUNDS).arg(format!("-max_total_time={}", time.as_secs()));
        fuzzer.arg(format!("-artifact_prefix={}/{target}-", findings.display()));
        let task = Task::spin(format!("fuzzing {target} for {}", seconds(time)));
        // Large temporary files are part of some inputs; they have no names, but a place.
        command::read(fuzzer.arg("-print_final_stats=1").env("TMPDIR", &scratch))?;
        task.finish("nothing found");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_ten_minutes_or_what_was_said() {
        assert_eq!(parse(&[]).unwrap(), LONG);
        assert_eq!(parse(&["--seconds", "30"]).unwrap(), Duration::from_secs(30));
        for wrong in [&["30"][..], &["--seconds"], &["--seconds", "0"], &["--seconds", "-1"], &["image"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}

//! `cargo xtask …`: the project's chores, each doing its own set-up.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for people")]

use std::env;
use std::process::ExitCode;

use spec::Diagnose;
use xtask::bench::Bench;
use xtask::boots::{self, Selection};
use xtask::powercut::PowerCut;
#[cfg(not(feature = "truth"))]
use xtask::programs;
use xtask::progress::size;
use xtask::workspace::Workspace;
use xtask::{Error, demo, fuzz, inputs, steps, test};

const HELP: &str = "\
The project's chores. Each does its own set-up; downloads are kept under target/.

Usage: cargo xtask CHORE

Chores:
  demo          the main job from start to end: base, extensions, registry, ISO image, boot
  inputs        fetch the real kernels, firmware and programs into target/inputs
  test          check and test everything, as the continuous integration does
  check         format, lints and documentation only
  docs          build the documentation of all rooms
  truth         ask real kernels about modules, and hold what they say against our verdicts
  bench image   measure our images against mksquashfs, gensquashfs and mkfs.erofs
  bench grid    measure block sizes and levels: size, time to build, time to read
  bench kabi    measure how long judging and indexing modules takes, beside depmod
  bench trust   measure believing, hashing and transfers, beside openssl and skopeo
  bench activate
                measure laying extensions over a system, beside systemd-sysext, and boots with them
  boots         boot media of many kinds, sound and damaged; --all for every kind, --only NAME for some
  powercut      cut the power of a machine that works on its disk, a thousand times; takes --cuts N and --seed N
  resets        start a machine again at each named place of its work, and have its boot program panic
  fuzz          run every fuzz target for ten minutes, or for --seconds N
  help          print this

`truth` takes --kernel RELEASE and --sample N, a number of modules.
All measurements take --runs N, and refresh their tables in docs/benchmarks.md.
";

fn main() -> ExitCode {
    let workspace = Workspace::find();
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["inputs"] => exit(fetch_inputs(&workspace)),
        ["demo"] => demo::demo(&workspace),
        ["test"] => test::test(&workspace),
        ["check"] => test::check(&workspace),
        ["docs"] => exit(test::document(&workspace)),
        ["help"] | [.., "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        [] => {
            eprint!("{HELP}");
            ExitCode::from(2)
        }
        ["boots", ref rest @ ..] => match Selection::parse(rest) {
            Ok(selection) => boots::boots(&workspace, &selection),
            Err(error) => misused(&error),
        },
        ["powercut", ref rest @ ..] => match PowerCut::parse(rest) {
            Ok(asked) => asked.start(&workspace),
            Err(error) => misused(&error),
        },
        ["resets"] => xtask::powercut::resets(&workspace),
        ["fuzz", ref rest @ ..] => fuzz::fuzz(&workspace, rest),
        ["bench", ref rest @ ..] => match Bench::parse(rest) {
            Ok(bench) => bench.run(&workspace),
            Err(error) => misused(&error),
        },
        ["truth", ref rest @ ..] => truth(&workspace, rest),
        _ => misused(&Error::UnknownChore(words.join(" "))),
    }
}

#[cfg(feature = "truth")]
fn truth(workspace: &Workspace, words: &[&str]) -> ExitCode {
    match xtask::truth::Truth::parse(words) {
        Ok(truth) => truth.run(workspace),
        Err(error) => misused(&error),
    }
}

#[cfg(not(feature = "truth"))]
fn truth(workspace: &Workspace, words: &[&str]) -> ExitCode {
    match programs::xtask_with_truth(workspace).args(words).status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)),
        Err(cause) => exit(Err(Error::Start { program: "cargo".to_owned(), cause })),
    }
}

fn misused(error: &Error) -> ExitCode {
    steps::report(error);
    eprint!("\n{HELP}");
    ExitCode::from(2)
}

/// Lists the packages of the cache, fetched now or before.
fn fetch_inputs(workspace: &Workspace) -> Result<(), Error> {
    let inputs = inputs::prepare(workspace)?;
    for deb in inputs.debs() {
        println!("{:<45} {:<28} {:>9}  {}", deb.package, deb.version(), size(deb.bytes), deb.digest);
    }
    println!("{}", inputs.dir().display());
    Ok(())
}

fn exit(result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::report(&error);
            error.outcome().exit_code().into()
        }
    }
}

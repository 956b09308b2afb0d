//! Measurements, and the tables in `docs/benchmarks.md` that they refresh. No test and no part of `cargo xtask test`:
//! what they say depends on the machine.
//!
//! `cargo xtask bench image` holds our writer against its peers; `cargo xtask bench grid` shows what block size and
//! level cost when an image is built and when it is read; `cargo xtask bench kabi` holds judging and indexing of modules
//! against depmod; `cargo xtask bench trust` holds hashing and transfers against openssl and skopeo; `cargo xtask bench
//! activate` holds laying extensions over a system against systemd-sysext and mount(8), and boots machines with them. All
//! work below `target/bench`.

mod activate;
mod contenders;
mod generated;
mod grid;
mod guest;
mod image;
mod inputs;
mod kabi;
mod machine;
mod measure;
mod page;
mod reads;
mod statistics;
mod table;
mod trust;

use std::num::NonZeroUsize;
use std::process::ExitCode;

use crate::Error;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// The page that the chores refresh, from the top directory.
const PAGE: &str = "docs/benchmarks.md";

/// One measurement, and how often each part of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bench {
    what: What,
    runs: NonZeroUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Image,
    Grid,
    Kabi,
    Trust,
    Activate,
}

impl Bench {
    /// Reads `image`, `grid`, `kabi`, `trust` or `activate` and perhaps `--runs N`.
    ///
    /// # Errors
    /// [`Error::UnknownChore`].
    pub fn parse(words: &[&str]) -> Result<Bench, Error> {
        let unknown = || Error::UnknownChore(format!("bench {}", words.join(" ")));
        let (what, rest) = match words {
            ["image", rest @ ..] => (What::Image, rest),
            ["grid", rest @ ..] => (What::Grid, rest),
            ["kabi", rest @ ..] => (What::Kabi, rest),
            ["trust", rest @ ..] => (What::Trust, rest),
            ["activate", rest @ ..] => (What::Activate, rest),
            _ => return Err(unknown()),
        };
        let runs = match rest {
            [] => what.usual_runs(),
            ["--runs", number] => number.parse().map_err(|_| unknown())?,
            _ => return Err(unknown()),
        };
        Ok(Bench { what, runs })
    }

    /// Measures, prints the tables and writes them into the page.
    pub fn run(self, workspace: &Workspace) -> ExitCode {
        let mut steps = Steps::default();
        let result = match self.what {
            What::Image => image::run(&mut steps, workspace, self.runs.get()),
            What::Grid => grid::run(&mut steps, workspace, self.runs.get()),
            What::Kabi => kabi::run(&mut steps, workspace, self.runs.get()),
            What::Trust => trust::run(&mut steps, workspace, self.runs.get()),
            What::Activate => activate::run(&mut steps, workspace, self.runs.get()),
        };
        steps.finish(result)
    }
}

impl What {
    /// An odd number, so that a median is a measured value.
    fn usual_runs(self) -> NonZeroUsize {
        match self {
            What::Image | What::Trust | What::Activate => const { NonZeroUsize::new(5).expect("5 is not 0") },
            What::Grid => const { NonZeroUsize::new(3).expect("3 is not 0") },
            What::Kabi => const { NonZeroUsize::new(21).expect("21 is not 0") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_of(words: &[&str]) -> Option<usize> {
        Bench::parse(words).ok().map(|bench| bench.runs.get())
    }

    #[test]
    fn the_number_of_runs_is_given_or_usual_and_never_zero() {
        assert_eq!(runs_of(&["image"]), Some(5));
        assert_eq!(runs_of(&["kabi"]), Some(21));
        assert_eq!(runs_of(&["activate", "--runs", "7"]), Some(7));
        assert_eq!(runs_of(&["grid", "--runs", "1"]), Some(1));
        for words in [&["image", "--runs", "0"][..], &["image", "--runs"], &["image", "5"], &["images"], &[]]
        {
            assert_eq!(runs_of(words), None, "{words:?}");
        }
    }
}

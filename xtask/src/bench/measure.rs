//! What one run of a program takes: time by the clock, processor time, and memory at its peak.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::statistics::median;
use crate::{Error, command};

/// The cost of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of all processors, in the program and in the kernel for it.
    pub cpu: f64,
    /// The largest resident set, in bytes.
    pub peak: u64,
}

impl Usage {
    /// The median of each figure by itself.
    pub(super) fn median(runs: &[Usage]) -> Usage {
        let of = |figure: fn(&Usage) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
        Usage { wall: of(|run| run.wall), cpu: of(|run| run.cpu), peak: of(|run| run.peak as f64) as u64 }
    }
}

/// Runs a program, under GNU time for the figures that only a parent process learns.
///
/// What an earlier program left to be written to disk is written before, so that it disturbs no one.
///
/// # Errors
/// Those of [`command::read`], and [`Error::Bench`] if the figures cannot be read.
pub(super) fn measured(program: &Command, scratch: &Path) -> Result<Usage, Error> {
    let figures = scratch.join("time");
    command::read(&mut Command::new("sync"))?;
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["--format", FORMAT, "--output"]).arg(&figures);
    timed.arg(program.get_program()).args(program.get_args());
    let started = Instant::now();
    command::read(&mut timed)?;
    let wall = started.elapsed().as_secs_f64();
    let text = fs::read_to_string(&figures).map_err(Error::file("read", &figures))?;
    let (cpu, peak) = parse(&text).ok_or_else(|| Error::Bench(format!("time wrote \"{}\"", text.trim())))?;
    Ok(Usage { wall, cpu, peak })
}

/// User and system seconds, and the largest resident set in KiB (time(1)). Its wall clock has only two decimals.
const FORMAT: &str = "%U %S %M";

fn parse(text: &str) -> Option<(f64, u64)> {
    let mut words = text.lines().last()?.split_whitespace();
    let (user, system): (f64, f64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let kibibytes: u64 = words.next()?.parse().ok()?;
    words.next().is_none().then_some((user + system, kibibytes * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_time_are_read() {
        assert_eq!(parse("11.50 0.25 57344\n"), Some((11.75, 57344 * 1024)));
        for text in ["", "Command exited with non-zero status 1", "1.0 2.0", "1.0 2.0 3 4"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_figure_has_its_own_median() {
        let run = |wall, cpu, peak| Usage { wall, cpu, peak };
        let runs = [run(1.0, 9.0, 5), run(2.0, 7.0, 6), run(3.0, 8.0, 4)];
        assert_eq!(Usage::median(&runs), run(2.0, 8.0, 5));
    }
}

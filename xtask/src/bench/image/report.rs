//! What the runs say, as the page has it.

use std::fmt::Write as _;

use super::super::contenders::Who;
use super::super::inputs::Extent;
use super::super::measure::Usage;
use super::super::table::{Table, megabytes};
use super::super::{generated, machine};
use super::Measured;
use crate::Error;

/// Machine, tree, all figures, what was aimed at, and the command lines.
///
/// # Errors
/// Those of [`machine::facts`].
pub(super) fn text(all: &[Measured], extent: Extent, memory: &Table, runs: usize) -> Result<String, Error> {
    let mut text = machine::facts(&["squashfs-tools", "squashfs-tools-ng", "erofs-utils"])?;
    let Extent { entries, files, bytes } = extent;
    let _ = writeln!(
        text,
        "Tree: {entries} entries, {files} of them files, {} MB. Figures are medians; runs of each writer: {runs}.\n",
        megabytes(bytes)
    );
    let _ = writeln!(text, "{}", comparison(all));
    let _ = writeln!(text, "{}", aims(all));
    let _ = writeln!(text, "{}, one run each:\n\n{memory}", generated::WHAT);
    text.push_str("```sh\n");
    for Measured { contender, .. } in all {
        let _ = writeln!(text, "{}", contender.line);
    }
    text.push_str("```\n");
    Ok(text)
}

/// One row per contender; the last two columns are multiples of our own figures.
fn comparison(all: &[Measured]) -> Table {
    let mut table =
        Table::new(&["writer", "wall s", "CPU s", "peak MB", "size MB", "time : Tenon", "size : Tenon"]);
    for measured in all {
        let Usage { wall, cpu, peak } = Usage::median(&measured.runs);
        table.push(vec![
            measured.contender.name.clone(),
            format!("{wall:.2}"),
            format!("{cpu:.2}"),
            megabytes(peak),
            megabytes(measured.image_bytes),
            format!("{:.2}", times(all, measured.contender.who, Who::Tenon)),
            format!("{:.3}", sizes(all, measured.contender.who, Who::Tenon)),
        ]);
    }
    table
}

/// What the project has set itself, beside what this run says.
fn aims(all: &[Measured]) -> Table {
    let peak = of(all, Who::Tenon).map_or(0, |tenon| Usage::median(&tenon.runs).peak);
    let mut table = Table::new(&["aim", "measured"]);
    let mut row = |aim: &str, measured: String| table.push(vec![aim.to_owned(), measured]);
    row(
        "at least 12 times as fast as the arguments of Talos",
        format!("{:.1} times", times(all, Who::Talos, Who::Tenon)),
    );
    row("and smaller", format!("{:.3} of the size", sizes(all, Who::Tenon, Who::Talos)));
    row(
        "at least 1.3 times as fast as mksquashfs with equal settings",
        format!("{:.2} times", times(all, Who::Mksquashfs, Who::Tenon)),
    );
    row(
        "and not larger, the hash tree left out",
        format!("{:.3} of the size", sizes(all, Who::TenonBare, Who::Mksquashfs)),
    );
    row("and in less than 64 MB of memory", format!("{} MB", megabytes(peak)));
    row(
        "after one change at least 20 times as fast as mksquashfs",
        format!("{:.1} times", times(all, Who::Mksquashfs, Who::TenonRebuild)),
    );
    table
}

/// How many times as long as `other` it takes.
fn times(all: &[Measured], who: Who, other: Who) -> f64 {
    let wall = |who| of(all, who).map_or(f64::NAN, |found| Usage::median(&found.runs).wall);
    wall(who) / wall(other)
}

/// How many times as large as the image of `other` it is.
fn sizes(all: &[Measured], who: Who, other: Who) -> f64 {
    let size = |who| of(all, who).map_or(f64::NAN, |found| found.image_bytes as f64);
    size(who) / size(other)
}

fn of(all: &[Measured], who: Who) -> Option<&Measured> {
    all.iter().find(|measured| measured.contender.who == who)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::super::contenders::Contender;
    use super::*;

    fn measured(who: Who, walls: &[f64], image_bytes: u64) -> Measured {
        let name = format!("{who:?}");
        let contender = Contender { who, name, line: String::new(), image: PathBuf::new() };
        let usage = |wall| Usage { wall, cpu: 2.0 * wall, peak: 50_000_000 };
        Measured { contender, runs: walls.iter().copied().map(usage).collect(), image_bytes }
    }

    fn all() -> [Measured; 5] {
        [
            measured(Who::Tenon, &[5.0, 4.0, 9.0], 200_000_000),
            measured(Who::TenonBare, &[4.0], 198_000_000),
            measured(Who::TenonRebuild, &[0.25], 200_000_000),
            measured(Who::Talos, &[60.0], 250_000_000),
            measured(Who::Mksquashfs, &[7.0], 198_000_000),
        ]
    }

    fn cells(row: &str) -> Vec<&str> {
        row.trim_matches('|').split('|').map(str::trim).collect()
    }

    #[test]
    fn ratios_are_multiples_of_our_own_medians() {
        let text = comparison(&all()).to_string();
        let talos = text.lines().find(|line| line.contains("Talos")).unwrap();
        assert_eq!(cells(talos), ["Talos", "60.00", "120.00", "50.00", "250.00", "12.00", "1.250"]);
    }

    #[test]
    fn each_aim_is_held_against_its_own_peer() {
        let text = aims(&all()).to_string();
        let measured: Vec<&str> = text.lines().skip(2).filter_map(|row| cells(row).pop()).collect();
        assert_eq!(
            measured,
            ["12.0 times", "0.800 of the size", "1.40 times", "1.000 of the size", "50.00 MB", "28.0 times"]
        );
    }
}

//! What the runs say, as the page has it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::super::machine;
use super::super::measure::Usage;
use super::super::statistics::median;
use super::super::table::{Table, megabytes};
use super::Measured;
use crate::Error;

/// What `kabi/examples/timings.rs` prints.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Timings {
    modules: u64,
    imports: u64,
    exports: u64,
    record_bytes: u64,
    profile_bytes: u64,
    index_bytes: u64,
    /// Seconds of each run, by part.
    seconds: BTreeMap<String, Vec<f64>>,
}

/// Parts of the timings in the order of the table: the key, and what it is for readers.
const PARTS: [(&str, &str); 5] = [
    ("read modules", "read all `.ko` files, on all processors"),
    ("load record", "load their ABI record"),
    ("load profile", "load the kernel profile"),
    ("judge", "judge all modules, from record and profile"),
    ("index", "make the index, from the record"),
];

/// What the project has set itself: the most milliseconds that these may take.
const AIMS: [(&str, &[&str], f64); 3] = [
    ("judge from ABI records", &["judge"], 50.0),
    ("judge from the `.ko` files", &["read modules", "judge"], 1000.0),
    ("load the kernel profile", &["load profile"], 5.0),
];

/// Machine, kernels, and all figures.
///
/// # Errors
/// Those of [`machine::facts`].
pub(super) fn text(all: &[Measured], runs: usize) -> Result<String, Error> {
    let mut text = machine::facts(&["kmod"])?;
    let _ = writeln!(text, "Figures are medians of {runs} runs.");
    for measured in all {
        let Timings { modules, imports, exports, record_bytes, profile_bytes, index_bytes, .. } =
            measured.timings;
        let _ = writeln!(
            text,
            "\nLinux {}: {modules} modules with {imports} imports and {exports} exports. Record: {} MB, profile: {} MB, \
             index: {} MB.\n",
            measured.kernel.release,
            megabytes(record_bytes),
            megabytes(profile_bytes),
            megabytes(index_bytes),
        );
        let _ = write!(text, "{}\n{}\n{}", parts(&measured.timings), commands(measured), aims(measured));
    }
    Ok(text)
}

/// Parts of our own work, in one process that has everything it needs.
fn parts(timings: &Timings) -> Table {
    let mut table = Table::new(&["in memory", "ms", "least ms"]);
    for (part, name) in PARTS {
        let least = timings.of(part).iter().copied().fold(f64::NAN, f64::min);
        table.push(vec![name.to_owned(), milliseconds(timings.median(part)), milliseconds(least)]);
    }
    table
}

/// Whole programs, from files to files. The last columns hold depmod against ours.
fn commands(measured: &Measured) -> Table {
    let mut table =
        Table::new(&["program", "wall ms", "CPU ms", "peak MB", "time : extbuild", "time : index"]);
    let ours = measured.commands.first().map_or(f64::NAN, |(_, runs)| Usage::median(runs).wall);
    let index = measured.timings.median("index");
    for (name, runs) in &measured.commands {
        let Usage { wall, cpu, peak } = Usage::median(runs);
        table.push(vec![
            format!("`{name}`"),
            milliseconds(wall),
            milliseconds(cpu),
            megabytes(peak),
            format!("{:.1}", wall / ours),
            format!("{:.1}", wall / index),
        ]);
    }
    table
}

/// What the project has set itself, beside what this run says.
fn aims(measured: &Measured) -> Table {
    let mut table = Table::new(&["aim", "measured"]);
    for (aim, parts, most) in AIMS {
        let seconds: f64 = parts.iter().map(|part| measured.timings.median(part)).sum();
        table.push(vec![format!("{aim} in {most} ms"), format!("{} ms", milliseconds(seconds))]);
    }
    let depmod = measured.commands.get(1).map_or(f64::NAN, |(_, runs)| Usage::median(runs).wall);
    let times = depmod / measured.timings.median("index");
    table.push(vec!["index at least 5 times as fast as depmod".to_owned(), format!("{times:.1} times")]);
    table
}

impl Timings {
    fn of(&self, part: &str) -> &[f64] {
        self.seconds.get(part).map_or(&[], Vec::as_slice)
    }

    fn median(&self, part: &str) -> f64 {
        median(self.of(part))
    }
}

/// Of seconds, with as many digits as say something.
fn milliseconds(seconds: f64) -> String {
    match seconds * 1e3 {
        few @ ..10.0 => format!("{few:.1}"),
        many => format!("{many:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::Kernel;
    use super::*;

    fn measured() -> Measured {
        let said = r#"{"modules":2,"imports":3,"exports":1,"recordBytes":10,"profileBytes":20,"indexBytes":30,"seconds":{
            "read modules":[0.5,0.3,0.4],"load record":[0.02],"load profile":[0.0041],"judge":[0.03,0.04,0.05],
            "index":[0.02]}}"#;
        let usage = |wall| Usage { wall, cpu: wall, peak: 50_000_000 };
        let kernel = Kernel { release: "6.1".to_owned(), unpacked: PathBuf::new(), root: PathBuf::new() };
        let commands = vec![("ours", vec![usage(0.1)]), ("depmod", vec![usage(0.2), usage(0.4), usage(0.3)])];
        Measured { kernel, timings: serde_json::from_str(said).unwrap(), commands }
    }

    fn column(table: &Table, index: usize) -> Vec<String> {
        let cell = |row: &str| row.split('|').nth(index + 1).unwrap().trim().to_owned();
        table.to_string().lines().skip(2).map(cell).collect()
    }

    #[test]
    fn every_part_is_shown_with_its_median_and_its_least() {
        let table = parts(&measured().timings);
        assert_eq!(column(&table, 1), ["400", "20", "4.1", "40", "20"]);
        assert_eq!(column(&table, 2), ["300", "20", "4.1", "30", "20"]);
    }

    #[test]
    fn each_aim_is_held_against_what_it_is_about() {
        assert_eq!(column(&aims(&measured()), 1), ["40 ms", "440 ms", "4.1 ms", "15.0 times"]);
        assert_eq!(column(&commands(&measured()), 4), ["1.0", "3.0"]);
        assert_eq!(column(&commands(&measured()), 5), ["5.0", "15.0"]);
    }
}

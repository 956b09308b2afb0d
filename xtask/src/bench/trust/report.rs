//! What the runs say, as the page has it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::super::machine;
use super::super::measure::Usage;
use super::super::statistics::median;
use super::super::table::{Table, megabytes};
use super::{IMAGES, Measured, TRAVELLER};
use crate::Error;

/// What `extruntime/examples/trust.rs` prints.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timings {
    extensions: u64,
    /// Seconds of each run, by part.
    seconds: BTreeMap<String, Vec<f64>>,
}

/// Machine, programs, and all figures.
///
/// # Errors
/// Those of [`machine::facts`].
pub(super) fn text(measured: &Measured, runs: usize) -> Result<String, Error> {
    let mut text = machine::facts(&["docker-registry", "openssl", "skopeo"])?;
    let _ = writeln!(text, "Figures are medians of {runs} runs; of {} for the set.\n", runs * 10);
    let _ = write!(text, "{}\n{}\n{}", memory(measured), travels(measured), aims(measured));
    Ok(text)
}

fn memory(measured: &Measured) -> Table {
    let mut table = Table::new(&["work", "ms", "MB/s", "time : Tenon"]);
    let believing = &measured.believing;
    let set = format!("believe {} extensions", believing.extensions);
    table.push(vec![set, milliseconds(believing.median("believe")), "–".into(), "1.00".into()]);
    let (ours, theirs) = (measured.hashing.median("hash"), median(&measured.openssl));
    for (name, seconds) in [("Tenon", ours), ("`openssl dgst -sha256`", theirs)] {
        let speed = (IMAGES.0 * IMAGES.1) as f64 / 1e6 / seconds;
        let name = format!("hash {} images, {name}", IMAGES.0);
        table.push(vec![
            name,
            milliseconds(seconds),
            format!("{speed:.0}"),
            format!("{:.2}", seconds / ours),
        ]);
    }
    table
}

fn travels(measured: &Measured) -> Table {
    let mut table = Table::new(&["program", "wall ms", "CPU ms", "peak MB", "MB/s", "time : Tenon"]);
    for (place, (name, runs)) in measured.travels.iter().enumerate() {
        let Usage { wall, cpu, peak } = Usage::median(runs);
        table.push(vec![
            format!("`{name}`"),
            milliseconds(wall),
            milliseconds(cpu),
            megabytes(peak),
            format!("{:.0}", TRAVELLER as f64 / 1e6 / wall),
            format!("{:.2}", wall / measured.wall(place % 2)),
        ]);
    }
    table
}

/// What the project has set itself, beside what this run says.
fn aims(measured: &Measured) -> Table {
    let mut table = Table::new(&["aim", "measured"]);
    let mut row = |aim: &str, found: String| table.push(vec![aim.to_owned(), found]);
    let believing = measured.believing.median("believe");
    row("believe 32 extensions in 10 ms", format!("{} ms", milliseconds(believing)));
    let hashing = median(&measured.openssl) / measured.hashing.median("hash");
    row("hash at 90 % of the speed of openssl", format!("{:.0} %", hashing * 1e2));
    for (place, name) in ["push", "pull"].into_iter().enumerate() {
        let times = measured.wall(place + 2) / measured.wall(place);
        row(&format!("{name} as fast as skopeo"), format!("{times:.2} times"));
        let peak = Usage::median(&measured.travels[place].1).peak;
        row("and in less than 64 MB of memory", format!("{} MB", megabytes(peak)));
    }
    table
}

impl Measured {
    fn wall(&self, place: usize) -> f64 {
        self.travels.get(place).map_or(f64::NAN, |(_, runs)| Usage::median(runs).wall)
    }
}

impl Timings {
    fn median(&self, part: &str) -> f64 {
        median(self.seconds.get(part).map_or(&[], Vec::as_slice))
    }
}

/// Of seconds; with a decimal where it makes a difference.
fn milliseconds(seconds: f64) -> String {
    match seconds * 1e3 {
        few if few < 100.0 => format!("{few:.1}"),
        many => format!("{many:.0}"),
    }
}

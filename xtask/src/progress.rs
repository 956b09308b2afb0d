//! What a person sees while a chore works: a bar or a spinner on a terminal, plain lines anywhere else.
//!
//! No colour is used, so `NO_COLOR` has nothing to turn off.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

const SPINNER: &str = "  {spinner} {msg} {elapsed}";
const BAR: &str =
    "  {msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left";

/// One piece of work in progress. Dropped unfinished (on an error), it leaves no trace on a terminal.
#[derive(Debug)]
pub struct Task {
    label: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Task {
    /// Work of unknown length.
    pub fn spin(label: impl Into<String>) -> Task {
        Task::start(label.into(), ProgressBar::new_spinner(), SPINNER)
    }

    /// Work on `total` bytes; [`Task::advance`] moves the bar.
    pub fn bytes(label: impl Into<String>, total: u64) -> Task {
        Task::start(label.into(), ProgressBar::new(total), BAR)
    }

    /// So many bytes are done now.
    pub fn advance(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// The work is done; `outcome` says in a few words what came of it.
    pub fn finish(self, outcome: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("  {}: {outcome} ({})", self.label, seconds(self.started.elapsed()));
    }

    fn start(label: String, bar: ProgressBar, template: &str) -> Task {
        if !stderr().is_terminal() {
            eprintln!("  {label} ...");
            return Task { label, started: Instant::now(), bar: None };
        }
        let bar = bar.with_style(style(template)).with_finish(ProgressFinish::AndClear);
        bar.set_message(label.clone());
        bar.enable_steady_tick(Duration::from_millis(120));
        Task { label, started: Instant::now(), bar: Some(bar) }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("both templates are sound, as a test shows")
}

/// A duration for people: `0.3 s`, `2 min 05 s`.
pub fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

/// A size for people, in the decimal units that apt uses: `26.7 MB`, `88 kB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_a_person_expects() {
        assert_eq!(seconds(Duration::from_millis(340)), "0.3 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
        assert_eq!(size(26_713_492), "26.7 MB");
        assert_eq!(size(87_584), "88 kB");
    }

    #[test]
    fn the_templates_are_sound() {
        // Away from a terminal no bar is made, so the other tests do not reach them.
        style(SPINNER);
        style(BAR);
    }
}

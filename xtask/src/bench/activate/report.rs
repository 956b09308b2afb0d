//! What the runs and boots say, as the page has it.

use std::fmt::Write as _;

use super::super::machine;
use super::super::measure::Usage;
use super::super::statistics::median;
use super::super::table::{Table, megabytes};
use super::boots::{Boot, Machine, VERITY};
use super::host::{Measured, Way};
use super::{BOOTED, LARGE, SMALL};
use crate::Error;

/// Machine, programs, and all figures.
///
/// # Errors
/// Those of [`machine::facts`].
pub(super) fn text(here: &[Measured], boots: &[Machine], runs: usize) -> Result<String, Error> {
    let mut text = machine::facts(&["mount", "qemu-system-x86", "systemd"])?;
    let each = boots.first().map_or(0, |machine| machine.boots.len());
    let _ = writeln!(text, "Figures are medians of {runs} runs, and of {each} boots.\n");
    let _ = writeln!(text, "{}\nWhere the time of `extruntime` goes, in one more run:\n", ways(here));
    let _ = writeln!(text, "{}\nA machine in QEMU, from its medium to its init:\n", parts(here));
    let _ = write!(text, "{}\n{}", machines(boots), aims(here, boots));
    Ok(text)
}

fn ways(here: &[Measured]) -> Table {
    let mut table =
        Table::new(&["way", "extensions", "wall ms", "CPU ms", "peak MB", "MB/s", "time : Tenon"]);
    for measured in here {
        for (way, runs) in Way::ALL.into_iter().zip(&measured.usages) {
            let Usage { wall, cpu, peak } = Usage::median(runs);
            table.push(vec![
                way.name().to_owned(),
                measured.extensions.to_string(),
                milliseconds(wall * 1e3),
                milliseconds(cpu * 1e3),
                megabytes(peak),
                // The others read nothing but what mounting asks for.
                if way == Way::Tenon { format!("{:.0}", measured.speed()) } else { "–".to_owned() },
                format!("{:.2}", wall / measured.wall(Way::Tenon)),
            ]);
        }
    }
    table
}

/// What is done for each extension is done on all processors, so its sums are times of processors.
const PARTS: [(&str, &[&str]); 6] = [
    ("facts of the base, config, policy", &["read the facts", "choose", "read config"]),
    ("judge, by the clock", &["judge"]),
    ("copy and hash, sum", &["hold bench-"]),
    ("look into the images, sum", &["check bench-"]),
    ("loop devices and mounts, sum", &["mount the image of bench-"]),
    ("plan, overlay, show", &["plan", "keep", "mount bench-", "overlay", "show", "load modules"]),
];

fn parts(here: &[Measured]) -> Table {
    let counts: Vec<String> = here.iter().map(|measured| format!("{}, ms", measured.extensions)).collect();
    let header: Vec<&str> = ["extensions"].into_iter().chain(counts.iter().map(String::as_str)).collect();
    let mut table = Table::new(&header);
    let mut row = |name: &str, of: &dyn Fn(&Measured) -> f64| {
        let figures = here.iter().map(|measured| milliseconds(of(measured)));
        table.push([name.to_owned()].into_iter().chain(figures).collect());
    };
    for (name, words) in PARTS {
        row(name, &|measured| words.iter().map(|words| measured.timings.of(words)).sum());
    }
    row("all", &|measured| measured.timings.all);
    table
}

fn machines(boots: &[Machine]) -> Table {
    let header =
        ["images", "extensions", "MB each", "all ms", "base ms", "copy ms", "look ms", "kernel ms", "own ms"];
    let mut table = Table::new(&header);
    for machine in boots {
        let of = |figure: fn(&Boot) -> f64| milliseconds(machine.median(figure));
        table.push(vec![
            machine.images.to_owned(),
            machine.extensions.to_string(),
            (machine.content / 1_000_000).to_string(),
            of(|boot| boot.all),
            of(|boot| boot.base),
            of(|boot| boot.copying),
            of(|boot| boot.checking),
            of(|boot| boot.kernel),
            of(Boot::own),
        ]);
    }
    table
}

/// What the project has set itself, beside what this run says.
fn aims(here: &[Measured], boots: &[Machine]) -> Table {
    let mut table = Table::new(&["aim", "measured"]);
    let mut row = |aim: String, found: String| table.push(vec![aim, found]);
    if let Some(most) = here.last() {
        let times = most.wall(Way::Sysext) / most.wall(Way::Tenon);
        let aim = format!("{} extensions at least 20 times as fast as systemd-sysext", most.extensions);
        row(aim, format!("{times:.1} times"));
        let peak = Usage::median(&most.usages[0]).peak;
        row("in at most 16 MB of resident memory".to_owned(), format!("{} MB", megabytes(peak)));
        row("(the images, in memory of the kernel)".to_owned(), format!("{} MB", megabytes(most.held)));
    }
    let machine = |extensions, content| {
        let is_it = |machine: &&Machine| {
            (machine.extensions, machine.content, machine.images) == (extensions, content, VERITY)
        };
        boots.iter().find(is_it)
    };
    if let (Some(none), Some(small), Some(large)) =
        (machine(0, SMALL), machine(BOOTED, SMALL), machine(BOOTED, LARGE))
    {
        let own = small.median(Boot::own) - none.median(Boot::own);
        let aim = format!("{BOOTED} extensions in 150 ms of a boot, beyond what the kernel takes");
        row(aim, format!("{} ms", milliseconds(own)));
        let all = |machine: &Machine| machine.median(|boot| boot.all) - none.median(|boot| boot.all);
        let aim = "1 GB each in at most 1.2 times the time of 1 MB each".to_owned();
        row(aim, format!("{:.2} times", all(large) / all(small)));
    }
    table
}

impl Measured {
    /// Seconds.
    fn wall(&self, way: Way) -> f64 {
        Usage::median(&self.usages[way as usize]).wall
    }

    /// Millions of bytes a second that our runs hash.
    fn speed(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.wall(Way::Tenon)
    }
}

impl Machine {
    fn median(&self, figure: impl Fn(&Boot) -> f64) -> f64 {
        median(&self.boots.iter().map(figure).collect::<Vec<_>>())
    }
}

/// With a decimal where it makes a difference.
fn milliseconds(time: f64) -> String {
    match time {
        few if few.abs() < 100.0 => format!("{few:.1}"),
        many => format!("{many:.0}"),
    }
}

//! The booted machine and what it said of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;
use spec::status::Status;

use crate::progress::seconds;
use crate::vm::{Disk, Start, Vm};
use crate::{Error, serial};

/// Lines that `examples/base-debian` prints around its reports.
const STATUS: [&str; 2] = ["TENON STATUS BEGIN", "TENON STATUS END"];
const CHECKS: [&str; 2] = ["TENON CHECKS BEGIN", "TENON CHECKS END"];

/// Emulated, on a busy machine; a quiet one boots in a tenth of it.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// What a machine said on its console.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The status as the machine printed it.
    pub status_json: String,
    /// The same, read.
    pub status: Status,
    /// Trials that it ran, by name.
    pub checks: BTreeMap<String, Check>,
}

/// A command that ran in the machine.
#[derive(Debug, Deserialize)]
pub(crate) struct Check {
    /// Its exit code.
    pub exit: i32,
    /// The first line or so of what it printed.
    pub output: String,
}

impl Machine {
    /// Boots the medium by UEFI, perhaps with a disk that is written to, and listens until the machine has said everything.
    pub(crate) fn boot(iso: &Path, console: &Path, disk: Option<&Path>) -> Result<Machine, Error> {
        let started = Instant::now();
        let vm = Vm {
            start: Start::Uefi,
            iso: iso.to_owned(),
            console: console.to_owned(),
            disk: disk.map(|file| Disk::File(file.to_owned())),
            limit: LIMIT,
        };
        Machine::listen(&vm, |said| eprintln!("  {:>6}  {said}", seconds(started.elapsed())))
    }

    /// Boots, and listens until the machine has said everything; `on_line` hears what the boot program says.
    pub(crate) fn listen(vm: &Vm, mut on_line: impl FnMut(&str)) -> Result<Machine, Error> {
        let text = vm.boot(CHECKS[1], |line| {
            if let Some((_, said)) = line.split_once("tenon: ") {
                on_line(said);
            }
        })?;
        let part = |[begin, end]: [&str; 2]| {
            serial::between(&text, begin, end)
                .ok_or_else(|| Error::Machine(format!("the console has no {begin}")))
        };
        let unreadable = |what: &str| {
            let what = what.to_owned();
            move |error: serde_json::Error| {
                Error::Machine(format!("the machine's {what} cannot be read: {error}"))
            }
        };
        let status_json = part(STATUS)?;
        let status = serde_json::from_str(&status_json).map_err(unreadable("status"))?;
        let checks = serde_json::from_str(&part(CHECKS)?).map_err(unreadable("checks"))?;
        Ok(Machine { status_json, status, checks })
    }

    /// The trials for a person.
    pub(crate) fn trials(&self) -> String {
        let mut text = String::from("TRIED IN THE MACHINE      EXIT  OUTPUT\n");
        for (name, check) in &self.checks {
            let output: String = check.output.chars().take(90).collect();
            text += format!("{name:<26}{:>4}  {output}", check.exit).trim_end();
            text.push('\n');
        }
        text
    }
}

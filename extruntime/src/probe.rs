//! Asking whether extensions work: what must be there or must succeed, each within its time.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use spec::probe::Check;
use spec::status::{State, Status};
use spec::{ExtensionName, ModuleName, Probe};

use crate::{child, crew};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// A probe that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Probed {
    pub(crate) extension: ExtensionName,
    pub(crate) probe: Probe,
    /// Why it does not hold; none if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// Makes the probes of all extensions that are active: those of one extension in its order, and different extensions side
/// by side, since most of the time is waiting.
pub(crate) fn all(status: &Status) -> Vec<Probed> {
    let active = status.extensions.iter().filter(|extension| extension.state == State::Active);
    let probed: Vec<_> = active.filter(|extension| !extension.probes.is_empty()).collect();
    let of_one = crew::each(&probed, |extension| {
        let one = |probe: &Probe| {
            let failure = hold(probe).err();
            Probed { extension: extension.name.clone(), probe: probe.clone(), failure }
        };
        extension.probes.iter().map(one).collect::<Vec<_>>()
    });
    of_one.into_iter().flatten().collect()
}

/// Waits until the probe holds. The error is why it did not in its time.
fn hold(probe: &Probe) -> Result<(), String> {
    let until = Instant::now() + probe.within();
    let mut before = None;
    loop {
        let looked = match probe.check() {
            Check::Module(module) => is_loaded(module),
            Check::Path(path) => look(Path::new(path.as_str())).map(drop),
            Check::Device(path) => is_device(Path::new(path.as_str())),
            Check::Run(command) => child::run(command.program().as_str(), command.arguments(), until),
        };
        let Err(why) = looked else { return Ok(()) };
        if Instant::now() + PAUSE >= until {
            // A program that was cut off by the end of the time may have said more when it was not.
            let why = before.unwrap_or(why);
            return Err(format!("{why}, after {} s", probe.within().as_secs()));
        }
        before = Some(why);
        thread::sleep(PAUSE);
    }
}

/// The kernel shows modules that are loaded, and most that are built in, in `/sys/module` (Documentation/ABI/stable/sysfs-module).
fn is_loaded(module: &ModuleName) -> Result<(), String> {
    let directory = PathBuf::from("/sys/module").join(module.as_str());
    let state = fs::read_to_string(directory.join("initstate")).unwrap_or_else(|_| "live".into());
    match (directory.is_dir(), state.trim()) {
        (false, _) => Err("it is not loaded".to_owned()),
        (true, "live") => Ok(()),
        (true, state) => Err(format!("it is {state}")),
    }
}

fn look(path: &Path) -> Result<fs::Metadata, String> {
    fs::metadata(path).map_err(|error| error.to_string())
}

fn is_device(path: &Path) -> Result<(), String> {
    let kind = look(path)?.file_type();
    match kind.is_char_device() || kind.is_block_device() {
        true => Ok(()),
        false => Err("it is no device".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(json: &str) -> Result<(), String> {
        hold(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_is_so_holds() {
        asked(r#"{"path": "/proc/self/exe"}"#).unwrap();
        asked(r#"{"device": "/dev/null"}"#).unwrap();
        asked(r#"{"run": ["/bin/sh", "-c", "test -z \"$HOME\" && test \"$PWD\" = /"]}"#).unwrap();
    }

    #[test]
    fn what_is_not_so_in_time_is_told_with_its_reason() {
        for (json, expected) in [
            (r#"{"path": "/proc/absent", "within": 1}"#, "No such file"),
            (r#"{"device": "/dev/shm", "within": 1}"#, "it is no device, after 1 s"),
            (r#"{"module": "no_such_module", "within": 1}"#, "it is not loaded"),
            (r#"{"run": ["/no/such/program"], "within": 1}"#, "it does not start: No such file"),
            (
                r#"{"run": ["/bin/sh", "-c", "echo no GPU >&2; exit 9"], "within": 1}"#,
                "it ended with 9: no GPU, after 1 s",
            ),
            (r#"{"run": ["/bin/sh", "-c", "kill -9 $$"], "within": 1}"#, "signal 9 ended it"),
            (r#"{"run": ["/bin/sh", "-c", "yes >&2"], "within": 1}"#, "it did not end: y"),
        ] {
            let why = asked(json).unwrap_err();
            assert!(why.contains(expected), "{json}: {why}");
        }
    }

    /// A child that goes on must not keep whoever asks waiting, nor live on.
    #[test]
    fn nothing_of_a_program_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}", pid.display());
        asked(&serde_json::json!({"run": ["/bin/sh", "-c", script]}).to_string()).unwrap();
        let left = fs::read_to_string(&pid).unwrap();
        let state = || fs::read_to_string(format!("/proc/{}/stat", left.trim())).unwrap_or_default();
        let is_gone = || state().is_empty() || state().contains(") Z ");
        while !is_gone() {
            thread::sleep(PAUSE);
        }
    }

    #[test]
    fn something_that_comes_late_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there");
        let script = format!("test -e {0} || {{ touch {0}; false; }}", there.display());
        asked(&serde_json::json!({"run": ["/bin/sh", "-c", script]}).to_string()).unwrap();
    }
}

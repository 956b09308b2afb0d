//! What shows that an extension works: something that must be there, or a program that must succeed, within a time.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Grant, GrantKind, ModuleName, TreePath};

/// How long a probe may take to hold, where its author does not say: drivers make their devices in less.
const USUALLY: u16 = 10;
/// The longest that an author may ask for, in seconds: somebody waits for it.
const LONGEST: u16 = 600;
/// Most words of a command, and bytes of all of them together.
const WORDS_MAX: usize = 64;
const COMMAND_MAX: usize = 4096;
/// Where something is made by the kernel or by programs that run. A file of an image is always there and shows nothing.
const MADE: [&str; 4] = ["/sys", "/proc", "/dev", "/run"];

/// One probe. In files it is one of `module:`, `path:`, `device:` and `run:`, perhaps with `within:` and seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fragment", into = "Fragment")]
pub struct Probe {
    check: Check,
    within: u16,
}

/// What must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The module is loaded, or built into the kernel.
    Module(ModuleName),
    /// The path exists, below `/sys`, `/proc`, `/dev` or `/run`.
    Path(TreePath),
    /// There is a device node.
    Device(TreePath),
    /// The program ends with 0.
    Run(Command),
}

/// A program and what it is told. It never goes through a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    program: TreePath,
    arguments: Vec<String>,
}

impl Probe {
    /// What must be so.
    pub fn check(&self) -> &Check {
        &self.check
    }

    /// How long it may take until it is.
    pub fn within(&self) -> Duration {
        Duration::from_secs(self.within.into())
    }

    /// The grant that it takes: a program is run.
    pub fn grant(&self) -> Option<Grant> {
        match &self.check {
            Check::Run(command) => Some(command.grant()),
            Check::Module(_) | Check::Path(_) | Check::Device(_) => None,
        }
    }
}

impl Command {
    /// The program, in the root of the running system.
    pub fn program(&self) -> &TreePath {
        &self.program
    }

    /// What it is told.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    fn new(words: Vec<String>) -> Result<Command, ProbeError> {
        let too_long = words.len() > WORDS_MAX || words.iter().map(String::len).sum::<usize>() > COMMAND_MAX;
        if too_long {
            return Err(ProbeError::Long);
        }
        if let Some(word) = words.iter().find(|word| word.chars().any(char::is_control)) {
            return Err(ProbeError::Word(word.escape_default().to_string()));
        }
        let mut words = words.into_iter();
        let program = words.next().unwrap_or_default();
        let not_granted = |program: &TreePath| Grant::new(GrantKind::ProbeRun, program.as_str()).is_ok();
        match program.parse::<TreePath>().ok().filter(not_granted) {
            Some(program) => Ok(Command { program, arguments: words.collect() }),
            None => Err(ProbeError::Program(program)),
        }
    }

    fn grant(&self) -> Grant {
        Grant::new(GrantKind::ProbeRun, self.program.as_str()).expect("the program was such a subject")
    }
}

/// The probe as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<ModuleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<TreePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<TreePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<u16>,
}

impl TryFrom<Fragment> for Probe {
    type Error = ProbeError;

    fn try_from(fragment: Fragment) -> Result<Probe, ProbeError> {
        let Fragment { module, path, device, run, within } = fragment;
        let check = match (module, path, device, run) {
            (Some(module), None, None, None) => Check::Module(module),
            (None, Some(path), None, None) => Check::Path(below(path, &MADE)?),
            (None, None, Some(device), None) => Check::Device(below(device, &["/dev"])?),
            (None, None, None, Some(words)) => Check::Run(Command::new(words)?),
            _ => return Err(ProbeError::NotOne),
        };
        match within.unwrap_or(USUALLY) {
            within @ 1..=LONGEST => Ok(Probe { check, within }),
            within => Err(ProbeError::Time(within)),
        }
    }
}

fn below(path: TreePath, directories: &'static [&'static str]) -> Result<TreePath, ProbeError> {
    let below =
        |directory: &&str| path.as_str().strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
    match directories.iter().any(below) {
        true => Ok(path),
        false => Err(ProbeError::Place { path, directories: directories.join(", ") }),
    }
}

impl From<Probe> for Fragment {
    fn from(Probe { check, within }: Probe) -> Fragment {
        let rest = Fragment { within: (within != USUALLY).then_some(within), ..Fragment::default() };
        match check {
            Check::Module(module) => Fragment { module: Some(module), ..rest },
            Check::Path(path) => Fragment { path: Some(path), ..rest },
            Check::Device(device) => Fragment { device: Some(device), ..rest },
            Check::Run(command) => Fragment { run: Some(command.words()), ..rest },
        }
    }
}

impl Command {
    fn words(self) -> Vec<String> {
        std::iter::once(self.program.to_string()).chain(self.arguments).collect()
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.check {
            Check::Module(module) => write!(f, "module {module} is loaded"),
            Check::Path(path) => write!(f, "{path} exists"),
            Check::Device(path) => write!(f, "{path} is a device"),
            Check::Run(command) => write!(f, "{} succeeds", command.clone().words().join(" ")),
        }
    }
}

/// The document does not say what is to be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// It says nothing, or two things.
    #[error("a probe has exactly one of module, path, device and run")]
    NotOne,
    /// The path shows nothing.
    #[error("{path} shows nothing: expected something below one of {directories}")]
    Place {
        /// The path.
        path: TreePath,
        /// Where it would have to be.
        directories: String,
    },
    /// The first word is no program.
    #[error("\"{0}\" is no program: expected an absolute path without blanks and without *")]
    Program(String),
    /// A word cannot be shown to anybody.
    #[error("\"{0}\" has control characters")]
    Word(String),
    /// There is too much of it.
    #[error("the command has more than {WORDS_MAX} words or {COMMAND_MAX} bytes")]
    Long,
    /// Nobody waits so long, or at all.
    #[error("a probe cannot take {0} seconds: expected 1 to {LONGEST}")]
    Time(u16),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Probe, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_probe_reads_as_it_is_written_and_says_what_must_be_so() {
        for (json, sentence, seconds) in [
            (r#"{"module":"wireguard"}"#, "module wireguard is loaded", 10),
            (
                r#"{"path":"/sys/bus/pci/drivers/nvidia","within":30}"#,
                "/sys/bus/pci/drivers/nvidia exists",
                30,
            ),
            (r#"{"device":"/dev/kvm"}"#, "/dev/kvm is a device", 10),
            (r#"{"run":["/usr/bin/nvidia-smi","-L"],"within":600}"#, "/usr/bin/nvidia-smi -L succeeds", 600),
        ] {
            let probe = parse(json).unwrap();
            assert_eq!(probe.to_string(), sentence);
            assert_eq!(probe.within(), Duration::from_secs(seconds));
            assert_eq!(serde_json::to_string(&probe).unwrap(), json);
        }
    }

    #[test]
    fn nothing_else_is_a_probe() {
        for (json, expected) in [
            ("{}", "exactly one of"),
            (r#"{"module":"a","device":"/dev/a"}"#, "exactly one of"),
            (r#"{"path":"/usr/bin/x"}"#, "/usr/bin/x shows nothing"),
            (r#"{"path":"/sys"}"#, "/sys shows nothing"),
            (r#"{"path":"/sysfs/x"}"#, "/sysfs/x shows nothing"),
            (r#"{"path":"/sys/../etc/shadow"}"#, "not a path inside an image"),
            (r#"{"device":"/sys/class"}"#, "below one of /dev"),
            (r#"{"run":[]}"#, "\"\" is no program"),
            (r#"{"run":["nvidia-smi"]}"#, "\"nvidia-smi\" is no program"),
            (r#"{"run":["/usr/bin/a b"]}"#, "is no program"),
            (r#"{"run":["/usr/bin/a","\n"]}"#, "control characters"),
            (r#"{"module":"a","within":0}"#, "cannot take 0 seconds"),
            (r#"{"module":"a","within":601}"#, "cannot take 601 seconds"),
            (r#"{"module":"a","whithin":1}"#, "unknown field"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let long = serde_json::json!({"run": ["/usr/bin/a", "x".repeat(COMMAND_MAX)]}).to_string();
        assert!(parse(&long).unwrap_err().contains("more than"));
    }

    #[test]
    fn only_a_program_needs_a_grant() {
        let grant = |json: &str| parse(json).unwrap().grant().map(|grant| grant.to_string());
        assert_eq!(grant(r#"{"run":["/usr/bin/a","x"]}"#).as_deref(), Some("probe-run:/usr/bin/a"));
        assert_eq!(grant(r#"{"module":"a"}"#), None);
    }
}

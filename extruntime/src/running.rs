//! The kernel that runs: which build it is, and which modules it loads.

use std::fs;
use std::path::Path;

use kabi::SignatureRule;
use rustix::system::uname;
use spec::kernel::ReleaseError;
use spec::{Arch, BuildId, Diagnose, KernelRelease, Outcome};

/// ELF notes of the kernel image, the one with its build ID among them (kernel/ksysfs.c).
const NOTES: &str = "sys/kernel/notes";
/// `module.sig_enforce` (kernel/module/signing.c): `Y` where only signed modules are loaded.
const ENFORCED: &str = "sys/module/module/parameters/sig_enforce";
/// The levels of lockdown with the present one in brackets (security/lockdown/lockdown.c).
const LOCKDOWN: &str = "sys/kernel/security/lockdown";

/// The kernel that runs, or is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its architecture.
    pub arch: Arch,
    /// Its release, as `uname -r` says.
    pub release: KernelRelease,
    /// Which build of that release it is, where that can be known.
    pub build: Option<BuildId>,
    /// Which modules it loads.
    pub signatures: SignatureRule,
}

impl Running {
    /// The kernel of this machine. `/proc` and `/sys` must be mounted; without securityfs, the command line says what
    /// lockdown there is.
    pub(crate) fn look() -> Result<Running, RunningError> {
        let system = uname();
        let release = system.release().to_string_lossy();
        let machine = system.machine().to_string_lossy();
        let root = Path::new("/");
        Ok(Running {
            arch: Arch::from_machine(&machine).ok_or_else(|| RunningError::Machine(machine.into_owned()))?,
            release: release.parse().map_err(RunningError::Release)?,
            build: fs::read(root.join(NOTES)).ok().and_then(|notes| kabi::build_id(&notes)),
            signatures: signature_rule(root),
        })
    }
}

/// What cannot be read is not enforced as far as we know: the kernel will have the last word.
fn signature_rule(root: &Path) -> SignatureRule {
    let read = |file| fs::read_to_string(root.join(file)).unwrap_or_default();
    let locked = |word: &str| matches!(word, "integrity" | "confidentiality");
    let present = |text: &str| {
        text.split_whitespace().any(|word| word.starts_with('[') && locked(word.trim_matches(['[', ']'])))
    };
    let asked =
        |text: &str| text.split_whitespace().any(|word| word.strip_prefix("lockdown=").is_some_and(locked));
    let locked_down = match read(LOCKDOWN) {
        unknown if unknown.is_empty() => asked(&read("proc/cmdline")),
        levels => present(&levels),
    };
    let is_enforced = read(ENFORCED).trim() == "Y" || locked_down;
    if is_enforced { SignatureRule::Enforced } else { SignatureRule::AsBuilt }
}

/// The kernel cannot be named.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// Its release has characters that no release has.
    #[error("the kernel calls itself something that is no release")]
    Release(#[source] ReleaseError),
    /// There are no extensions for such machines.
    #[error("machines of the kind {0} are not known")]
    Machine(String),
}

impl Diagnose for RunningError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(files: &[(&str, &str)]) -> SignatureRule {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        signature_rule(root.path())
    }

    #[test]
    fn enforcement_is_seen_wherever_the_kernel_shows_it() {
        for enforced in [
            [(ENFORCED, "Y\n")],
            [(LOCKDOWN, "none [integrity] confidentiality\n")],
            [(LOCKDOWN, "none integrity [confidentiality]\n")],
            [("proc/cmdline", "quiet lockdown=integrity ro\n")],
        ] {
            assert_eq!(rule(&enforced), SignatureRule::Enforced, "{enforced:?}");
        }
        for open in [
            vec![],
            vec![(ENFORCED, "N\n"), (LOCKDOWN, "[none] integrity confidentiality\n")],
            vec![("proc/cmdline", "lockdown=none xlockdown=integrity\n")],
            vec![("proc/cmdline", "lockdown=integrity\n"), (LOCKDOWN, "[none] integrity confidentiality\n")],
        ] {
            assert_eq!(rule(&open), SignatureRule::AsBuilt, "{open:?}");
        }
    }

    #[test]
    fn this_machine_has_a_kernel() {
        let running = Running::look().unwrap();
        assert_eq!(
            running.release.as_str(),
            fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim()
        );
    }
}

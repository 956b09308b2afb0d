//! Grants: what an extension carries that can run or steer something, as it declares it, and as a policy allows it.
//!
//! A grant is `KIND`, or `KIND:SUBJECT` for kinds that are about something: a unit, a sysctl key, a path. An extension
//! declares each grant exactly; a policy allows them by patterns. What in an image needs which grant is said by the room
//! `grants`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::door::serde_by_text;

/// Longest subject, in bytes: that of a path.
const SUBJECT_MAX: usize = 4095;

/// Everything that needs a grant: the kind, its name in files, and what its subject is, if it has one.
macro_rules! kinds {
    ($($kind:ident $name:literal $subject:expr, $doc:literal;)*) => {
        /// The kinds of grants. The kebab-case name is an interface: manifests and policies have it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum GrantKind {
            $(#[doc = $doc] $kind,)*
        }

        impl GrantKind {
            /// All kinds, in the order of their declaration.
            pub const ALL: &[GrantKind] = &[$(GrantKind::$kind),*];

            /// The name in manifests and policies.
            pub fn name(self) -> &'static str {
                match self { $(GrantKind::$kind => $name,)* }
            }

            /// What the subject of such a grant is, in a word or two; none for kinds without a subject.
            pub fn subject(self) -> Option<&'static str> {
                match self { $(GrantKind::$kind => $subject,)* }
            }
        }
    };
}

kinds! {
    Modules "modules" None, "Kernel modules.";
    Firmware "firmware" None, "Files below `/usr/lib/firmware`.";
    Binaries "binaries" None, "Programs: regular files that somebody may execute.";
    UdevRules "udev-rules" None, "udev rules that run nothing: names, links, permissions, properties.";
    UdevRun "udev-run" Some("program"), "Programs that udev rules run, and built-ins that load modules.";
    Units "units" Some("unit"), "Units of systemd, drop-ins for them, and links that enable them.";
    Generators "generators" Some("file name"), "Programs that systemd runs before any unit.";
    ModulesLoad "modules-load" Some("module"), "Modules that `modules-load.d` has loaded.";
    ModprobeOptions "modprobe-options" Some("module"), "Parameters of modules, aliases, orders and exclusions.";
    ModprobeInstall "modprobe-install" Some("module"), "Commands that modprobe runs in place of loading a module.";
    Sysctl "sysctl" Some("key"), "Kernel settings, by their key with dots.";
    Tmpfiles "tmpfiles" Some("path"), "Files that systemd-tmpfiles makes, changes or removes.";
    Sysusers "sysusers" Some("user or group"), "Users and groups that systemd-sysusers makes.";
    Binfmt "binfmt" Some("name"), "Interpreters that the kernel runs for foreign programs.";
    LdPath "ld-path" Some("directory"), "Directories in which the dynamic linker looks for libraries.";
    Cri "cri" Some("file name"), "Configuration of container runtimes.";
    Cni "cni" Some("file name"), "Programs and configuration of container networks.";
    Hooks "hooks" Some("path"), "Other files that somebody runs or obeys: D-Bus services, polkit rules, PAM modules.";
    ProbeRun "probe-run" Some("program"), "Programs that are run to see whether an extension works.";
    Replaces "replaces" Some("path"), "A file of the base that the extension has a newer one of.";
}

/// One thing that an extension may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    kind: GrantKind,
    subject: String,
}

impl Grant {
    /// The grant of a kind without a subject, or of one subject of a kind.
    pub fn new(kind: GrantKind, subject: &str) -> Result<Grant, GrantError> {
        let sound = match kind.subject() {
            None => subject.is_empty(),
            Some(_) => is_subject(subject),
        };
        match sound {
            true => Ok(Grant { kind, subject: subject.to_owned() }),
            false => Err(GrantError::new(&format!("{}:{subject}", kind.name()))),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> GrantKind {
        self.kind
    }

    /// What it is about; empty for kinds without a subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// Which grants a key may give: one, all of a kind, those whose subject starts with what stands before a final `*`, or
/// all with `*` alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantPattern(Pattern);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Pattern {
    All,
    Kind(GrantKind),
    Prefix(GrantKind, String),
    One(Grant),
}

impl GrantPattern {
    /// All grants of one kind.
    pub fn kind(kind: GrantKind) -> GrantPattern {
        GrantPattern(Pattern::Kind(kind))
    }

    /// Does the pattern cover `grant`?
    pub fn covers(&self, grant: &Grant) -> bool {
        match &self.0 {
            Pattern::All => true,
            Pattern::Kind(kind) => grant.kind == *kind,
            Pattern::Prefix(kind, prefix) => grant.kind == *kind && grant.subject.starts_with(prefix),
            Pattern::One(one) => grant == one,
        }
    }
}

/// The text is no grant, or no pattern of grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a grant: {expected}")]
pub struct GrantError {
    text: String,
    expected: String,
}

impl GrantError {
    fn new(text: &str) -> GrantError {
        let kind = text.split(':').next().unwrap_or_default();
        let expected = match GrantKind::ALL.iter().find(|known| known.name() == kind) {
            Some(kind) => match kind.subject() {
                Some(what) => format!("expected {}: and a {what} without spaces", kind.name()),
                None => format!("{} stands alone", kind.name()),
            },
            None => {
                let names: Vec<&str> = GrantKind::ALL.iter().map(|kind| kind.name()).collect();
                format!("expected one of {}", names.join(", "))
            }
        };
        GrantError { text: text.chars().take(80).collect(), expected }
    }
}

/// Printable without spaces; a `*` would make a pattern of it.
fn is_subject(text: &str) -> bool {
    // A pattern is about the start of a path, and `..` would lead elsewhere.
    (1..=SUBJECT_MAX).contains(&text.len())
        && !text.split('/').any(|part| part == "..")
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && c != '*')
}

fn kind_of(name: &str) -> Option<GrantKind> {
    GrantKind::ALL.iter().copied().find(|kind| kind.name() == name)
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Grant, GrantError> {
        let (name, subject) = text.split_once(':').unwrap_or((text, ""));
        let kind = kind_of(name).ok_or_else(|| GrantError::new(text))?;
        Grant::new(kind, subject).map_err(|_| GrantError::new(text))
    }
}

impl FromStr for GrantPattern {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<GrantPattern, GrantError> {
        let bad = || GrantError::new(text);
        if text == "*" {
            return Ok(GrantPattern(Pattern::All));
        }
        let Some((name, subject)) = text.split_once(':') else {
            return kind_of(text).map(GrantPattern::kind).ok_or_else(bad);
        };
        let kind = kind_of(name).filter(|kind| kind.subject().is_some()).ok_or_else(bad)?;
        match subject.strip_suffix('*') {
            Some("") => Ok(GrantPattern::kind(kind)),
            Some(prefix) if is_subject(prefix) => Ok(GrantPattern(Pattern::Prefix(kind, prefix.to_owned()))),
            Some(_) => Err(bad()),
            None => Ok(GrantPattern(Pattern::One(Grant::new(kind, subject).map_err(|_| bad())?))),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.subject() {
            None => f.write_str(self.kind.name()),
            Some(_) => write!(f, "{}:{}", self.kind.name(), self.subject),
        }
    }
}

impl fmt::Display for GrantPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::All => f.write_str("*"),
            Pattern::Kind(kind) => f.write_str(kind.name()),
            Pattern::Prefix(kind, prefix) => write!(f, "{}:{prefix}*", kind.name()),
            Pattern::One(grant) => grant.fmt(f),
        }
    }
}

impl fmt::Display for GrantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

serde_by_text!(Grant, GrantPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_reads_as_it_is_written() {
        for good in ["modules", "units:acme.service", "sysctl:net.core.bpf_jit_harden", "replaces:/usr/bin/x"]
        {
            assert_eq!(good.parse::<Grant>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "*",
            "module",
            "modules:x",
            "units",
            "units:",
            "units:a*",
            "units:a b",
            "units:a\n",
            "udev-run:/a/../b",
        ] {
            assert!(bad.parse::<Grant>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_covers_its_kind_and_no_other() {
        let covers = |pattern: &str, grant: &str| {
            let pattern: GrantPattern = pattern.parse().unwrap();
            assert_eq!(pattern.to_string(), pattern.to_string().parse::<GrantPattern>().unwrap().to_string());
            pattern.covers(&grant.parse().unwrap())
        };
        assert!(covers("*", "generators:x"));
        assert!(covers("units", "units:acme.service"));
        assert!(covers("units:*", "units:acme.service"));
        assert!(covers("units:acme-*", "units:acme-a.service"));
        assert!(!covers("units:acme-*", "units:acme.service"));
        assert!(!covers("units:acme.service", "units:acme.service2"));
        assert!(!covers("units", "generators:x"));
        for bad in ["", "**", "modules:*", "units:*a", "units:a**", "unit", "Units"] {
            assert!(bad.parse::<GrantPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_error_says_what_is_possible() {
        let said = |text: &str| text.parse::<Grant>().unwrap_err().to_string();
        assert_eq!(said("units"), "\"units\" is not a grant: expected units: and a unit without spaces");
        assert_eq!(said("modules:x"), "\"modules:x\" is not a grant: modules stands alone");
        assert!(said("unit:x").contains("expected one of modules, firmware, binaries"));
    }
}

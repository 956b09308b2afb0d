//! What a kernel is asked, and what it answers.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use spec::ModuleName;

use super::errno::Errno;

/// Will you load this module?
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// The module, or the variant of one.
    pub(super) name: String,
    /// What the kernel would call it.
    pub(super) module: ModuleName,
    /// The file, not compressed.
    pub(super) file: PathBuf,
    /// Is it there for the questions that follow?
    pub(super) after: After,
    /// Is loading it by force permitted?
    pub(super) force: Force,
    /// Is the answer compared?
    pub(super) purpose: Purpose,
}

impl Question {
    /// About a module as it is: afterwards it is removed again.
    pub(super) fn new(module: ModuleName, file: PathBuf) -> Question {
        let (after, force, purpose) = (After::Drop, Force::Refused, Purpose::Compare);
        Question { name: module.to_string(), module, file, after, force, purpose }
    }

    /// Is the module there after this answer?
    pub(super) fn stays(&self, answer: &Answer) -> bool {
        self.after == After::Keep && answer.outcome == Outcome::Loaded
    }
}

/// What becomes of a module that was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Drop,
}

/// May a module be loaded that does not say which kernel it is for?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Force {
    Refused,
    Allowed,
}

/// Why something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To hold the answer against the verdict.
    Compare,
    /// To have in the machine what others need.
    Prepare,
}

/// What the kernel did, and what it wrote into its log meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The name of the question.
    pub(super) question: String,
    pub(super) outcome: Outcome,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) log: Vec<String>,
}

impl Answer {
    pub(super) fn ended_machine(question: &Question) -> Answer {
        Answer { question: question.name.clone(), outcome: Outcome::EndedMachine, log: Vec::new() }
    }
}

/// What became of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// It is loaded.
    Loaded,
    /// The loader took it, and its own start function failed.
    StartFailed(Errno),
    /// The loader refused it.
    Refused(Errno),
    /// Its start did not end in time.
    Hangs,
    /// The machine did not survive it.
    EndedMachine,
}

impl Outcome {
    /// With `initcall_debug`, the kernel logs the call of each start function (init/main.c, `do_one_initcall`), which is
    /// the last thing that happens to a module: whatever fails before is the loader's refusal.
    pub(super) fn new(errno: Errno, log: &[String]) -> Outcome {
        let is_call = |line: &String| line.starts_with("calling  ") && line.contains("] @ ");
        match (errno, log.iter().any(is_call)) {
            (Errno::NONE, _) => Outcome::Loaded,
            (errno, true) => Outcome::StartFailed(errno),
            (errno, false) => Outcome::Refused(errno),
        }
    }

    /// Did the kernel come to an end with the module?
    pub(super) fn is_final(self) -> bool {
        !matches!(self, Outcome::Hangs | Outcome::EndedMachine)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Loaded => f.write_str("loaded"),
            Outcome::StartFailed(errno) => write!(f, "taken, and then the module itself failed with {errno}"),
            Outcome::Refused(errno) => write!(f, "refused with {errno}"),
            Outcome::Hangs => f.write_str("no answer in time"),
            Outcome::EndedMachine => f.write_str("the machine ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_after_the_call_of_the_start_is_the_modules_own() {
        let called = ["calling  foo_init+0x0/0x1000 [foo] @ 81".to_owned(), "initcall foo_init …".to_owned()];
        let refused = ["foo: Unknown symbol bar (err -2)".to_owned()];
        assert_eq!(Outcome::new(Errno::ENODEV, &called), Outcome::StartFailed(Errno::ENODEV));
        assert_eq!(Outcome::new(Errno::ENOENT, &refused), Outcome::Refused(Errno::ENOENT));
        assert_eq!(Outcome::new(Errno::NONE, &[]), Outcome::Loaded);
    }
}

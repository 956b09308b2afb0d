//! What a kernel is told about signatures of modules when it starts.

use std::fmt;

use crate::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing.
    AsBuilt,
    /// Load none but those that are signed with a key of yours.
    SigEnforce,
    /// The same, because root is not to change the kernel (kernel_lockdown(7)).
    Lockdown,
}

impl Condition {
    pub(super) const ALL: [Condition; 3] = [Condition::AsBuilt, Condition::SigEnforce, Condition::Lockdown];

    /// On the kernel's command line (admin-guide/kernel-parameters).
    pub(super) fn argument(self) -> &'static str {
        match self {
            Condition::AsBuilt => "",
            Condition::SigEnforce => "module.sig_enforce=1",
            Condition::Lockdown => "lockdown=integrity",
        }
    }

    /// Holds what the kernel says about itself against what it was told: a question under other conditions would be
    /// another question.
    ///
    /// # Errors
    /// [`Error::Truth`].
    pub(super) fn check(self, sig_enforce: &str, lockdown: &str) -> Result<(), Error> {
        let wanted = match self {
            Condition::AsBuilt => ("N", "[none]"),
            Condition::SigEnforce => ("Y", "[none]"),
            Condition::Lockdown => ("N", "[integrity]"),
        };
        match sig_enforce == wanted.0 && lockdown.contains(wanted.1) {
            true => Ok(()),
            false => Err(Error::Truth(format!(
                "the kernel is not {self}: sig_enforce {sig_enforce}, lockdown {lockdown}"
            ))),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Condition::AsBuilt => "as-built",
            Condition::SigEnforce => "sig-enforce",
            Condition::Lockdown => "lockdown",
        })
    }
}

//! What the system refused to do, as an error with a place.

use std::fmt::Display;
use std::io;

use spec::{Diagnose, Outcome};

/// A system call that failed: what was tried, and where.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {place}")]
pub struct Cannot {
    action: &'static str,
    place: String,
    #[source]
    source: io::Error,
}

/// For `map_err`: says what was tried on what.
pub(crate) fn cannot<E: Into<io::Error>>(
    action: &'static str,
    place: impl Display,
) -> impl FnOnce(E) -> Cannot {
    move |source| Cannot { action, place: place.to_string(), source: source.into() }
}

impl Diagnose for Cannot {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_action_place_and_cause_once() {
        let error = cannot::<io::Error>("mount", "/sysroot")(rustix::io::Errno::INVAL.into());
        assert_eq!(spec::sentence(&error), "cannot mount /sysroot: Invalid argument (os error 22)");
    }
}

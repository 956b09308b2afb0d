//! The end of a program that did not succeed.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use spec::{Diagnose, Outcome};

use crate::output::harmless;

/// Any error of any room, on its way to the person who ran the command.
pub struct Failure(Box<dyn Diagnose + Send + Sync>);

impl<E: Diagnose + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(Box::new(error))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Failure {
    /// Was it refused, or could nobody look?
    pub fn outcome(&self) -> Outcome {
        self.0.outcome()
    }

    /// The error and its causes in one line.
    pub fn sentence(&self) -> String {
        spec::sentence(&*self.0)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        self.0.hint()
    }

    /// The error as its reader sees it: the sentence, one cause a line, then what to do.
    fn describe(&self) -> String {
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
        let mut text = format!("{red}error:{red:#} {}\n", harmless(&self.0.to_string()));
        for cause in spec::causes(&*self.0) {
            text += &format!("  caused by: {}\n", harmless(&cause.to_string()));
        }
        if let Some(hint) = self.0.hint() {
            text += &format!("\n{cyan}hint:{cyan:#} {}\n", harmless(&hint));
        }
        text
    }
}

/// Runs a command to its exit code: 0 done, 1 refused, 2 could not look.
pub fn run(command: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    let Err(failure) = command() else { return ExitCode::SUCCESS };
    anstream::eprint!("{}", failure.describe());
    ExitCode::from(failure.0.outcome().exit_code())
}

/// A file that could not be read or written; every command has some.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}", path.display())]
pub struct Place {
    verb: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl Place {
    /// For `map_err`: what was tried on which path.
    pub fn cannot(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Place {
        let path = path.into();
        move |source| Place { verb, path, source }
    }
}

impl Diagnose for Place {
    /// A file that is there and is not text has been looked at, and found wanting.
    fn outcome(&self) -> Outcome {
        match self.source.kind() {
            std::io::ErrorKind::InvalidData => Outcome::Refused,
            _ => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self.source.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Some("choose another name; nothing is overwritten here".into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_once_with_its_causes_and_a_hint() {
        #[derive(Debug, thiserror::Error)]
        #[error("the joint does not fit")]
        struct Joint(#[source] std::io::Error);
        impl Diagnose for Joint {
            fn outcome(&self) -> Outcome {
                Outcome::Refused
            }
            fn hint(&self) -> Option<String> {
                Some("cut it again".into())
            }
        }
        let failure = Failure::from(Joint(std::io::Error::other("too \u{1b}[8mwide")));
        assert!(failure.describe().contains("caused by: too \\u{1b}[8mwide\n"), "{}", failure.describe());
        let failure = Failure::from(Joint(std::io::Error::other("too wide")));
        let plain = anstream::adapter::strip_str(&failure.describe()).to_string();
        assert_eq!(plain, "error: the joint does not fit\n  caused by: too wide\n\nhint: cut it again\n");
    }
}

//! Why a source could not be used.

use std::io;
use std::path::{Path, PathBuf};

use spec::{Diagnose, Digest, Outcome};

/// Why a source could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no room for what has to be unpacked.
    #[error("cannot use a temporary file for {}", path.display())]
    Temporary {
        /// The source that was being read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An archive is damaged, not what its kind says, or means different things to different readers.
    #[error("{} is not a sound archive: {problem}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A directory has something that an image cannot say.
    #[error("{} cannot be a source: {problem}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A blob of an OCI layout is another one than its name or its descriptor says.
    #[error("{} is not the blob that it is named for\n  wanted {wanted}\n  found  {found}", path.display())]
    WrongDigest {
        /// The file.
        path: PathBuf,
        /// The digest by which it was looked for.
        wanted: Digest,
        /// The digest that it has.
        found: Digest,
    },
}

impl SourceError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> SourceError {
        let path = path.to_owned();
        move |source| SourceError::Read { path, source }
    }
}

impl Diagnose for SourceError {
    fn outcome(&self) -> Outcome {
        match self {
            SourceError::Read { .. } | SourceError::Temporary { .. } => Outcome::Unavailable,
            SourceError::Archive { .. } | SourceError::Directory { .. } | SourceError::WrongDigest { .. } => {
                Outcome::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SourceError::Temporary { .. } => {
                Some("make room, or name a larger directory in the variable TMPDIR".to_owned())
            }
            SourceError::WrongDigest { .. } => Some("get the image again".to_owned()),
            _ => None,
        }
    }
}

/// What went wrong inside a source, before it is said which source that was.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Its bytes are wrong, in words.
    Unsound(String),
    /// It cannot be read.
    Read(io::Error),
    /// What was read cannot be kept.
    Temporary(io::Error),
}

impl Problem {
    /// Of a reader between here and the file. What the system says is about the disk; what a decoder says is about the
    /// bytes.
    pub(crate) fn while_reading(error: io::Error) -> Problem {
        match error.raw_os_error() {
            Some(_) => Problem::Read(error),
            None => Problem::Unsound(error.to_string()),
        }
    }

    /// The problem as one of a part.
    pub(crate) fn within(self, part: impl std::fmt::Display) -> Problem {
        match self {
            Problem::Unsound(problem) => Problem::Unsound(format!("{part}: {problem}")),
            other => other,
        }
    }

    /// The problem of the archive at `path`.
    pub(crate) fn of_archive(self, path: &Path) -> SourceError {
        let path = path.to_owned();
        match self {
            Problem::Unsound(problem) => SourceError::Archive { path, problem },
            Problem::Read(source) => SourceError::Read { path, source },
            Problem::Temporary(source) => SourceError::Temporary { path, source },
        }
    }
}

impl From<String> for Problem {
    fn from(sentence: String) -> Problem {
        Problem::Unsound(sentence)
    }
}

//! Everything that can be wrong with the state of a node.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;
use spec::{Diagnose, Digest, Outcome};

use crate::disk::DiskError;
use crate::layout::Generation;
use crate::set::SetError;
use crate::state::StateError;

/// Why something could not be read from the state of a node, or done to it. The state is what it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The bytes of a blob could not be had.
    #[error("cannot read the bytes of blob {digest}")]
    Source {
        /// The blob.
        digest: Digest,
        /// What was said.
        source: io::Error,
    },
    /// The bytes of a blob are too few or too many.
    #[error("blob {digest} has {found} bytes instead of {wanted}")]
    WrongSize {
        /// The blob.
        digest: Digest,
        /// How many it should have.
        wanted: u64,
        /// How many it had, or had when there were too many.
        found: u64,
    },
    /// The bytes of a blob are others.
    #[error("blob {wanted} has the digest {found}")]
    WrongDigest {
        /// The blob.
        wanted: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// A set needs a blob that is not in the store, or not whole.
    #[error("blob {digest} is not whole in {}", path.display())]
    BlobMissing {
        /// The blob.
        digest: Digest,
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of a generation is missing or not what it was.
    #[error("{} is not the file that its set names", path.display())]
    FileChanged {
        /// The file.
        path: PathBuf,
    },
    /// A set cannot be one, or its document cannot be read.
    #[error("{} is no document of a generation", path.display())]
    Set {
        /// The document.
        path: PathBuf,
        /// What is wrong with it.
        source: SetError,
    },
    /// There is no such generation.
    #[error("generation {generation} is not in {}", path.display())]
    NoGeneration {
        /// The generation.
        generation: Generation,
        /// The directory of them all.
        path: PathBuf,
    },
    /// There is no number left for another generation.
    #[error("there is no number after generation {0}")]
    NoNumber(Generation),
    /// The change makes no sense.
    #[error(transparent)]
    State(#[from] StateError),
    /// A test wanted this to fail.
    #[error("the fault at {0} was asked for")]
    Fault(&'static str),
}

impl StoreError {
    fn errno(&self) -> Option<Errno> {
        match self {
            StoreError::Disk(error) => Errno::from_io_error(error.cause()),
            _ => None,
        }
    }
}

impl Diagnose for StoreError {
    fn outcome(&self) -> Outcome {
        match self {
            StoreError::Disk(_)
            | StoreError::Source { .. }
            | StoreError::NoGeneration { .. }
            | StoreError::Fault(_) => Outcome::Unavailable,
            StoreError::WrongSize { .. }
            | StoreError::WrongDigest { .. }
            | StoreError::BlobMissing { .. }
            | StoreError::FileChanged { .. }
            | StoreError::Set { .. }
            | StoreError::NoNumber(_)
            | StoreError::State(_) => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match (self, self.errno()) {
            (_, Some(Errno::NOSPC | Errno::DQUOT)) => {
                "make room, by removing old generations; nothing was changed"
            }
            (_, Some(Errno::ROFS)) => "mount the disk so that it can be written to; nothing was changed",
            (_, Some(Errno::IO)) => "look at what the kernel says of this disk; nothing was changed",
            (_, Some(Errno::WOULDBLOCK)) => {
                "another program is changing the state: try again when it is done"
            }
            (_, Some(Errno::LOOP | Errno::XDEV)) => "there is a link where none belongs: remove it",
            (StoreError::WrongSize { .. } | StoreError::WrongDigest { .. }, _) => {
                "fetch the blob again: these are not its bytes"
            }
            (StoreError::BlobMissing { .. }, _) => "put the blob into the store before the set that needs it",
            (StoreError::FileChanged { .. } | StoreError::Set { .. }, _) => "stage the set again",
            (StoreError::State(StateError::NotOnTrial(_)), _) => "confirm the generation that runs",
            _ => return None,
        };
        Some(hint.into())
    }
}

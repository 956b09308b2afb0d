//! Why a tree could not be packed.

use std::io;

use spec::{Diagnose, Outcome, TreePath};

/// The image was not written; what is in the output so far is worthless.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The content of a file could not be read, or was not as long as the tree says.
    #[error("{path}: its content cannot be read")]
    Read {
        /// The file, as the image would call it.
        path: TreePath,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A file had other bytes when it was read for the second time.
    #[error("{path}: its content changed while it was being packed")]
    Changed {
        /// The file, as the image would call it.
        path: TreePath,
    },
    /// The output could not be written or read back.
    #[error("the image cannot be written")]
    Write(#[source] io::Error),
    /// The compressor failed; it can only run out of memory.
    #[error("a block cannot be compressed")]
    Compress(#[source] io::Error),
    /// Reading was stopped because of another error, which is the one that is told.
    #[error("packing was stopped")]
    Stopped,
    /// Something does not fit into the field that squashfs has for it.
    #[error("the {0} would be larger than squashfs allows")]
    TooLarge(&'static str),
}

impl Diagnose for PackError {
    fn outcome(&self) -> Outcome {
        match self {
            PackError::TooLarge(_) => Outcome::Refused,
            PackError::Read { .. }
            | PackError::Changed { .. }
            | PackError::Write(_)
            | PackError::Stopped
            | PackError::Compress(_) => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        let changed = match self {
            PackError::Changed { .. } => true,
            PackError::Read { source, .. } => {
                matches!(source.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
            }
            _ => false,
        };
        changed.then(|| "leave the files alone while they are packed, then build again".to_owned())
    }
}

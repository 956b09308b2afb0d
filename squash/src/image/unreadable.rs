//! Why an image cannot be read at all.

use std::io;

use spec::{Diagnose, Outcome};

use super::layout::LayoutFault;
use super::metadata::TableKind;

/// There is no image, or none that can be read within the limits.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its bytes cannot be had.
    #[error("the image cannot be read")]
    Read(#[source] io::Error),
    /// It does not begin with a superblock.
    #[error("it is not a squashfs image")]
    NotSquashfs,
    /// Another version of squashfs.
    #[error("it is squashfs {major}.{minor}; only 4.0 can be read")]
    Version {
        /// Before the dot.
        major: u16,
        /// After the dot.
        minor: u16,
    },
    /// A way to compress that nobody chooses any more, or that does not exist.
    #[error("it is compressed by method {0}; only gzip (1), xz (4), lz4 (5) and zstd (6) can be read")]
    Compression(u16),
    /// No squashfs has such blocks.
    #[error("its superblock has blocks of {block_size} bytes with a logarithm of {block_log}")]
    BlockSize {
        /// In bytes.
        block_size: u32,
        /// What should be its logarithm to base 2.
        block_log: u16,
    },
    /// The end is missing.
    #[error("it has {size} bytes, and its superblock says that {bytes_used} are in use")]
    Short {
        /// What is there.
        size: u64,
        /// What the superblock says.
        bytes_used: u64,
    },
    /// A table is not where it can be, or cannot be read.
    #[error("its {table} cannot be read")]
    Table {
        /// Which one.
        table: TableKind,
        /// Why.
        #[source]
        fault: LayoutFault,
    },
    /// There is nothing to begin with.
    #[error("its root is not a directory")]
    Root,
    /// It is larger than the caller allows.
    #[error("it has more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Diagnose for Unreadable {
    fn outcome(&self) -> Outcome {
        match self {
            Unreadable::Read(_) => Outcome::Unavailable,
            _ => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Unreadable::Read(_) | Unreadable::Limit { .. } => None,
            Unreadable::Compression(_) => Some("pack the image with zstd".to_owned()),
            _ => Some(
                "the image is damaged or made to deceive: get it again from where it was built".to_owned(),
            ),
        }
    }
}

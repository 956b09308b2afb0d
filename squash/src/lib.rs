//! Bytes of an image: a squashfs 4.0 writer whose output depends on the tree and the options alone.
//!
//! [`Tree`] says what an image will hold; [`pack`] writes it. The image is zstd-compressed and sorted, has one time,
//! one owner (root), no extended attributes and no special files, and is padded to 4 KiB.
//!
//! `writer` tells the story: `numbering` makes a flat list of the tree, `data` (with `duplicates`) writes what is in the
//! files, and `inodes` (with `listing`) what is known about them. `metadata`, `compress` and `output` are what these
//! write with; `format` holds every constant and layout.

mod compress;
mod content;
mod data;
mod duplicates;
mod error;
mod format;
mod inodes;
mod listing;
mod metadata;
mod mode;
mod numbering;
mod options;
mod output;
mod tree;
mod writer;

pub use content::Content;
pub use error::PackError;
pub use mode::{Mode, ModeError};
pub use options::{BlockSize, Level, Options, OptionsError};
pub use tree::{Node, Tree, TreeError};
pub use writer::{Packed, pack};

//! Bytes of an image: a squashfs 4.0 writer whose output depends on the tree and the options alone, a checker for images
//! of anybody, and the dm-verity hash tree.
//!
//! [`Tree`] says what an image will hold; [`pack`] writes it. The image is sorted, has one time, one owner (root) and no
//! special files, extended attributes only where [`Tree::set_attribute`] gave some, and is padded to 4 KiB and followed by
//! its verity area.
//!
//! `writer` tells the story: `numbering` makes a flat list of the tree, `data` writes what is in the files, and `inodes`
//! (with `listing` and `attributes`) what is known about them. `metadata`, `compress`, `cache`, `parallel` and `output`
//! are what these write with; `format` holds every constant and layout.

mod attributes;
mod cache;
mod compress;
mod content;
mod data;
mod decompress;
mod error;
mod format;
pub mod image;
mod inodes;
mod listing;
mod metadata;
mod mode;
mod numbering;
mod options;
mod output;
mod parallel;
mod promise;
mod tree;
pub mod verity;
mod writer;

pub use cache::{Cache, CacheError};
pub use content::Content;
pub use error::PackError;
pub use image::Image;
pub use mode::{Mode, ModeError};
pub use options::{BlockSize, Compression, Method, Options, OptionsError};
pub use promise::{BrokenPromise, Promise};
pub use tree::{Node, Tree, TreeError};
pub use writer::{Means, Packed, pack};

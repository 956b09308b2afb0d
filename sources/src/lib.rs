//! What files are taken from: directories, tar archives, Debian packages, OCI images.
//!
//! Every kind of source becomes the same list: what it holds, sorted by path, each path once, each below directories
//! only. Who wrote the source is a stranger: sizes, counts and names are bounded, and whatever two readers could
//! understand differently is refused, not guessed. What an image may hold is somebody else's question.
//!
//! Nothing is ever unpacked under a name. The bytes of a file stay where they are and are named by position, in the
//! archive itself where it is plain. Only what cannot be read by position goes into a temporary file, which has no name:
//! compressed streams, and files with holes.
//!
//! | source | read by |
//! |---|---|
//! | directory | [`list_dir`] |
//! | tar archive, plain or compressed | [`list_tar`] |
//! | Debian package | [`list_deb`] |
//! | image in an OCI layout | [`list_oci`] |

mod ar;
mod attributes;
mod compression;
mod copy;
mod deb;
mod dir;
mod entry;
mod error;
mod listing;
mod oci;
mod region;
mod spool;
mod tar;
#[cfg(test)]
mod testing;

pub use copy::{PrivateCopy, private_copy};
pub use deb::list_deb;
pub use dir::list_dir;
pub use entry::{Entry, EntryKind};
pub use error::SourceError;
pub use oci::list_oci;
pub use tar::list_tar;

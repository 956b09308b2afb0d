//! The state of a node: which set of extensions runs, which one ran before, and which one is on trial.
//!
//! A directory on the node's writable disk holds blobs, generations that are never changed after they were made, and a
//! state of which there are two copies. One switch is one write of one of them. At whatever instant the power fails, the
//! next boot finds the old set, the new one, or generation 0, the base alone, and what it finds is whole.
//!
//! | to see | open |
//! |---|---|
//! | what lies where | [`layout`] |
//! | who runs next, and why | [`state`], which reads and writes nothing |
//! | how it is kept | [`slots`] for the two copies, [`set`] for a generation |
//! | what is done to the disk, in order | [`store`] and the files beside it |
//! | all that touches a disk | [`disk`], which `tests/crash` replaces by one that loses power |

pub mod base;
mod blobs;
mod build;
mod checksum;
mod collect;
pub mod disk;
pub mod error;
pub mod fault;
pub mod layout;
mod real;
pub mod set;
pub mod slots;
pub mod state;
pub mod store;
mod view;

pub use base::BaseIdentity;
pub use collect::Collected;
pub use disk::{Disk, DiskError};
pub use error::StoreError;
pub use layout::Generation;
pub use real::RealDisk;
pub use set::{Blob, FilePath, Member, NewSet, Set};
pub use state::{Choice, Role, State};
pub use store::{Begun, Store};
pub use view::View;

//! The words of Tenon: names, versions, digests, paths, and the documents that are made of them.
//!
//! Every string from outside becomes a type of this crate before anything acts on it, and it becomes one in a
//! single place: `FromStr`, which serde goes through too. Nothing here reads a file, a clock or the environment, but for
//! [`defence`] in a build that is for tests alone.

pub mod arch;
pub mod artifact;
pub mod base;
pub mod boot;
pub mod build_id;
pub mod content;
pub mod defence;
pub mod diagnose;
pub mod digest;
mod door;
pub mod grant;
pub mod kernel;
pub mod listing;
pub mod load;
pub mod machine;
pub mod manifest;
pub mod name;
pub mod path;
pub mod probe;
pub mod reason;
pub mod status;
pub mod template;
pub mod verity;
pub mod version;
pub mod yaml;

pub use arch::Arch;
pub use build_id::{BuildId, BuildIdError};
pub use diagnose::{Diagnose, Outcome, causes, sentence};
pub use digest::{Digest, Hasher};
pub use grant::{Grant, GrantKind, GrantPattern};
pub use kernel::{KernelRelease, ModuleName};
pub use load::Load;
pub use name::{ExtensionName, NamePattern};
pub use path::TreePath;
pub use probe::Probe;
pub use reason::{Reason, ReasonCode};
pub use version::{Version, VersionRange};

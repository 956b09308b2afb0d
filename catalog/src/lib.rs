//! Where artifacts live: OCI image layouts on disk, and registries.
//!
//! An artifact is named by the digest of its manifest, and every other blob by a digest in that manifest. Whoever
//! gives out the bytes, a disk or a registry, is a stranger: sizes are bounded, digests are checked, and names only
//! ever find a candidate.
//!
//! | where | read | write |
//! |---|---|---|
//! | directory | [`Layout`] | [`Store`] |
//! | registry (feature `registry`) | `Registry::pull` | `Registry::push` |
//!
//! Without the feature nothing here uses the network: the boot program reads layouts.

pub mod artifact;
mod blobs;
pub mod descriptor;
pub mod document;
pub mod error;
pub mod export;
pub mod layout;
pub mod platforms;
pub mod reference;
pub mod referrers;
#[cfg(feature = "registry")]
pub mod registry;
mod simple;
mod staging;
pub mod store;
mod tagging;
pub mod transfer;
pub mod trust_files;

pub use artifact::{Artifact, tag_of};
pub use descriptor::Descriptor;
pub use error::CatalogError;
pub use export::{Export, Exported};
pub use layout::{Entry, Layout};
pub use platforms::{Found, Platforms};
pub use reference::{LayoutReference, Reference, RegistryReference, Repository, Selector, Tag};
pub use referrers::Signatures;
#[cfg(feature = "registry")]
pub use registry::{Access, Progress, Registry, RegistryError};
pub use store::{NewExtension, Store};
pub use transfer::{copy_found, copy_layout};
pub use trust_files::TrustFiles;

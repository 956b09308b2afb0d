//! Everything that can be wrong with a store of artifacts.

use std::io;
use std::path::PathBuf;

use spec::{Arch, Diagnose, Digest, Outcome, ReasonCode};

/// Why something could not be read from a layout, or written to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The operating system said no.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: a verb.
        action: &'static str,
        /// The file or directory in question.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The directory has no `oci-layout` file.
    #[error("{} is not an OCI image layout: it has no oci-layout file", dir.display())]
    NotALayout {
        /// The directory.
        dir: PathBuf,
    },
    /// A new layout was to be made in a directory that holds something else.
    #[error("{} is neither empty nor an OCI image layout", dir.display())]
    Occupied {
        /// The directory.
        dir: PathBuf,
    },
    /// A document breaks a rule of its format.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// The document, with its digest or path.
        what: String,
        /// The rule.
        reason: String,
    },
    /// A document is not JSON, or lacks a field.
    #[error("{what} is not the document that its media type says")]
    Json {
        /// The document, with its digest or path.
        what: String,
        /// Where the parser stopped.
        #[source]
        source: serde_json::Error,
    },
    /// The list of paths cannot be read.
    #[error("{what} is not a list of paths")]
    Listing {
        /// The blob.
        what: String,
        /// The line.
        #[source]
        source: spec::listing::ListingError,
    },
    /// A document is larger than any sound one.
    #[error("{what} has {size} bytes, more than the {limit} that are read of it")]
    TooLarge {
        /// The document, with its digest or path.
        what: String,
        /// Its size in bytes.
        size: u64,
        /// The largest size that is read, in bytes.
        limit: u64,
    },
    /// A blob is not in the store.
    #[error("blob {digest} is missing in {}", dir.display())]
    BlobMissing {
        /// The digest that a descriptor names.
        digest: Digest,
        /// The layout.
        dir: PathBuf,
    },
    /// Where a file should be is a link, a pipe, a device or a directory.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The bytes are too many or too few.
    #[error("blob {digest} has {found} bytes where its descriptor says {wanted}")]
    WrongSize {
        /// The digest that a descriptor names.
        digest: Digest,
        /// The size that the descriptor names, in bytes.
        wanted: u64,
        /// The bytes that were there, or that had come when there were too many.
        found: u64,
    },
    /// The bytes are others.
    #[error("blob {wanted} has the digest {found}")]
    WrongDigest {
        /// The digest that a descriptor names.
        wanted: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// Nothing in the layout has the tag.
    #[error("{} has no tag {tag}", dir.display())]
    TagMissing {
        /// The layout.
        dir: PathBuf,
        /// The tag that was asked for.
        tag: String,
        /// The tags that are there.
        known: Vec<String>,
    },
    /// The index does not list the digest.
    #[error("{} does not list {digest}", dir.display())]
    NotListed {
        /// The layout.
        dir: PathBuf,
        /// The digest that was asked for.
        digest: Digest,
    },
    /// There is no single answer.
    #[error("{} has {} artifacts that {asked} could mean", dir.display(), found.len())]
    Ambiguous {
        /// The layout.
        dir: PathBuf,
        /// What was asked for.
        asked: String,
        /// The artifacts that it could be.
        found: Vec<Digest>,
    },
    /// One manifest is needed, and an index lists several.
    #[error("index {index} is of {} architectures, and one is needed here", found.len())]
    SeveralArchitectures {
        /// The index.
        index: Digest,
        /// Its manifests that are there, by architecture.
        found: Vec<(String, Digest)>,
    },
    /// There is nothing for the architecture that is wanted.
    #[error("{of} is not for {arch}")]
    ArchMissing {
        /// A manifest, or an index of several.
        of: Digest,
        /// What is wanted.
        arch: Arch,
        /// What it is for.
        there: Vec<String>,
    },
    /// An index is to be passed on, and a manifest of it is not there.
    #[error("index {index} lists {absent} for {architecture}, which is not there")]
    IndexNotWhole {
        /// The index.
        index: Digest,
        /// The manifest.
        absent: Digest,
        /// What it is for.
        architecture: String,
    },
    /// The index of a layout lists no artifact at all.
    #[error("{} holds no artifacts", dir.display())]
    Empty {
        /// The layout.
        dir: PathBuf,
    },
    /// The tag that an artifact from elsewhere would get names another one already.
    #[error("the tag {tag} in {} is that of another manifest, {holder}", dir.display())]
    TagTaken {
        /// The layout.
        dir: PathBuf,
        /// The tag, on one platform.
        tag: String,
        /// The manifest that has it.
        holder: Digest,
    },
    /// The config is of a later version of Tenon.
    #[error("{what} has schema version {found}; this program reads {known}")]
    UnknownSchema {
        /// The config, with its digest.
        what: String,
        /// The version that it says.
        found: u64,
        /// The version that this program reads.
        known: u32,
    },
    /// There are more signatures than anybody looks at.
    #[error("{found} manifests may be signatures of {subject}; only the first {limit} are looked at")]
    TooManySignatures {
        /// The manifest that is signed.
        subject: Digest,
        /// How many there are; what is not looked at may be of another manifest.
        found: usize,
        /// How many are looked at.
        limit: usize,
    },
    /// There are larger signatures than anybody reads.
    #[error(
        "{found} signatures of {subject} are not looked at: with the smaller ones they have more than {limit} bytes"
    )]
    SignaturesTooLarge {
        /// The manifest that is signed.
        subject: Digest,
        /// How many there are.
        found: usize,
        /// How many bytes are read.
        limit: u64,
    },
}

impl CatalogError {
    /// An I/O error with its place.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| CatalogError::Io { action, path, source }
    }

    /// A broken rule of a format.
    pub(crate) fn malformed(what: impl Into<String>, reason: impl Into<String>) -> Self {
        CatalogError::Malformed { what: what.into(), reason: reason.into() }
    }

    /// The code under which a machine that meets this error at boot reports it.
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            CatalogError::WrongSize { .. } | CatalogError::WrongDigest { .. } => ReasonCode::DigestMismatch,
            CatalogError::Malformed { .. }
            | CatalogError::Json { .. }
            | CatalogError::Listing { .. }
            | CatalogError::TooLarge { .. }
            | CatalogError::NotAFile { .. }
            | CatalogError::UnknownSchema { .. }
            | CatalogError::TooManySignatures { .. }
            | CatalogError::SignaturesTooLarge { .. } => ReasonCode::MalformedArtifact,
            CatalogError::Io { .. }
            | CatalogError::NotALayout { .. }
            | CatalogError::Occupied { .. }
            | CatalogError::BlobMissing { .. }
            | CatalogError::TagMissing { .. }
            | CatalogError::NotListed { .. }
            | CatalogError::Ambiguous { .. }
            | CatalogError::SeveralArchitectures { .. }
            | CatalogError::ArchMissing { .. }
            | CatalogError::IndexNotWhole { .. }
            | CatalogError::Empty { .. }
            | CatalogError::TagTaken { .. } => ReasonCode::NotFound,
        }
    }
}

impl Diagnose for CatalogError {
    fn outcome(&self) -> Outcome {
        match (self, self.reason_code()) {
            (CatalogError::TagTaken { .. }, _) => Outcome::Refused,
            (_, ReasonCode::NotFound) => Outcome::Unavailable,
            _ => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            CatalogError::NotALayout { .. } => {
                Some("name a directory that an extension was built or copied into".into())
            }
            CatalogError::Occupied { .. } => Some("name a new or an empty directory".into()),
            CatalogError::BlobMissing { .. } => {
                Some("copy or build the artifact again: it is not whole".into())
            }
            CatalogError::WrongSize { .. } | CatalogError::WrongDigest { .. } => {
                Some("fetch the artifact again from where it was built: these bytes have changed".into())
            }
            CatalogError::TagMissing { known, .. } if known.is_empty() => None,
            CatalogError::TagMissing { known, .. } => Some(format!("the tags are {}", first_few(known))),
            CatalogError::Ambiguous { found, .. } => {
                Some(format!("name a tag, or one by its digest: {}", first_few(found)))
            }
            CatalogError::SeveralArchitectures { found, .. } => {
                let each: Vec<String> = found
                    .iter()
                    .map(|(architecture, digest)| format!("{digest} for {architecture}"))
                    .collect();
                Some(format!("name one by its digest: {}", first_few(&each)))
            }
            CatalogError::ArchMissing { there, .. } => Some(format!("it is for {}", first_few(there))),
            CatalogError::IndexNotWhole { .. } => {
                Some("bring all architectures here, or name one manifest by its digest".into())
            }
            CatalogError::TagTaken { .. } => {
                Some("name another layout, or remove the tag from index.json of this one".into())
            }
            CatalogError::UnknownSchema { .. } => Some("use a newer version of this program".into()),
            _ => None,
        }
    }
}

/// A list for a sentence: a store may hold thousands.
fn first_few<T: ToString>(items: &[T]) -> String {
    const SHOWN: usize = 8;
    let mut words: Vec<String> = items.iter().take(SHOWN).map(T::to_string).collect();
    if items.len() > SHOWN {
        words.push(format!("and {} more", items.len() - SHOWN));
    }
    words.join(", ")
}

//! What an exchange with a registry is about, for the sentences of errors.

use std::fmt;

use spec::Digest;

use crate::reference::{Host, RegistryReference};

/// An artifact on a registry, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    reference: RegistryReference,
    part: Option<String>,
}

impl Subject {
    /// The artifact as a whole.
    pub(super) fn artifact(reference: &RegistryReference) -> Subject {
        Subject { reference: reference.clone(), part: None }
    }

    /// One of its blobs.
    pub(super) fn blob(reference: &RegistryReference, digest: &Digest) -> Subject {
        Subject::part(reference, format!("blob {digest}"))
    }

    /// A document of it, `manifests/NAME` or `referrers/DIGEST`, unless it is what the reference names.
    pub(super) fn document(reference: &RegistryReference, path: &str) -> Subject {
        match path.split_once('/') {
            Some(("manifests", name)) if name.contains(':') => {
                Subject::part(reference, format!("manifest {name}"))
            }
            Some(("referrers", digest)) => {
                Subject::part(reference, format!("the list of signatures of {digest}"))
            }
            _ => Subject::artifact(reference),
        }
    }

    fn part(reference: &RegistryReference, part: String) -> Subject {
        Subject { reference: reference.clone(), part: Some(part) }
    }

    /// The registry.
    pub fn host(&self) -> &Host {
        &self.reference.host
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "{part} of {}", self.reference),
            None => self.reference.fmt(f),
        }
    }
}

//! What the documents of trust have in common: a header, and digests that are denied.

use std::collections::BTreeSet;

use serde::Deserialize;
use spec::machine::API_VERSION;
use spec::yaml::YamlError;
use spec::{Diagnose, Digest, Outcome};

/// Digests that one document may deny. The list is for emergencies; what is old is denied by its generation.
pub const DENIED_MAX: usize = 256;

/// The first two keys, read alone so that a file of another kind is called that, and not a bad one of this kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Header {
    api_version: String,
    kind: String,
}

impl Header {
    /// The kind of the document.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// The complaint where any kind of trust would do.
    pub(crate) fn unknown_kind(&self, file: &str) -> DocumentError {
        let (field, wanted) = ("kind", "TrustPolicy, Revocation or ExtensionSet");
        let found = self.kind.chars().take(80).collect();
        DocumentError::Header { file: file.to_owned(), field, wanted, found, kind: wanted }
    }

    /// Is it a document of this kind, and of this version of the format?
    pub(crate) fn expect(&self, kind: &'static str, file: &str) -> Result<(), DocumentError> {
        let fields = [("apiVersion", API_VERSION, &self.api_version), ("kind", kind, &self.kind)];
        match fields.into_iter().find(|(_, wanted, found)| wanted != found) {
            None => Ok(()),
            Some((field, wanted, found)) => {
                let found = found.chars().take(80).collect();
                Err(DocumentError::Header { file: file.to_owned(), field, wanted, found, kind })
            }
        }
    }
}

/// The digests of a `deny:` list, each once.
pub(crate) fn denied(digests: Vec<Digest>, file: &str) -> Result<BTreeSet<Digest>, DocumentError> {
    match digests.len() {
        0..=DENIED_MAX => Ok(digests.into_iter().collect()),
        count => Err(DocumentError::TooManyDenied { file: file.to_owned(), count }),
    }
}

/// Why a document of trust was refused.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not the YAML that it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A document of another kind, or of another version of the format.
    #[error("{file}: {field} is {found:?}, not {wanted}")]
    Header {
        /// The file.
        file: String,
        /// `apiVersion` or `kind`.
        field: &'static str,
        /// What it must say.
        wanted: &'static str,
        /// What it says.
        found: String,
        /// The kind that was expected.
        kind: &'static str,
    },
    /// The list of denied digests is too long.
    #[error("{file}: {count} digests are denied; at most {DENIED_MAX} may be")]
    TooManyDenied {
        /// The file.
        file: String,
        /// How many there are.
        count: usize,
    },
    /// A set has an extension twice.
    #[error("{file}: the set has {name} twice")]
    Twice {
        /// The file.
        file: String,
        /// The extension.
        name: spec::ExtensionName,
    },
}

impl Diagnose for DocumentError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            DocumentError::Yaml(error) => error.hint(),
            DocumentError::Header { kind, .. } => {
                Some(format!("start the file with apiVersion: {API_VERSION} and kind: {kind}"))
            }
            DocumentError::TooManyDenied { .. } => {
                Some("raise the generation of the component instead, and demand the new one".into())
            }
            DocumentError::Twice { .. } => Some("list each extension once".into()),
        }
    }
}

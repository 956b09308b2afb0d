//! Why a manifest was refused.

use crate::yaml::YamlError;
use crate::{Diagnose, Outcome};

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not the YAML that it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It says something that cannot be.
    #[error("{place}: {problem}")]
    At {
        /// File, line and column.
        place: String,
        /// The complaint.
        problem: String,
        /// What to do; may be empty.
        hint: String,
    },
}

impl Diagnose for ManifestError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            ManifestError::Yaml(error) => error.hint(),
            ManifestError::At { hint, .. } => Some(hint.clone()).filter(|hint| !hint.is_empty()),
        }
    }
}

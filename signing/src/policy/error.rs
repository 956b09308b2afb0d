//! Why a trust policy was refused.

use spec::yaml::YamlError;
use spec::{Diagnose, Outcome};

use super::Role;
use crate::document::DocumentError;
use crate::key::KeyError;

/// Why a trust policy was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not the document that it should be.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A policy that trusts nobody is a mistake.
    #[error("{file}: the trust policy has no keys")]
    NoKeys {
        /// The file.
        file: String,
    },
    /// A key that is trusted with nothing is a mistake.
    #[error("{file}: trust key {key} has no roles")]
    NoRoles {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// A publisher, or a developer override, that is for nothing is a mistake.
    #[error("{file}: {key} is trusted for no extensions")]
    NoExtensions {
        /// The file.
        file: String,
        /// The key, or the override.
        key: String,
    },
    /// What only a publisher has, at a key that is none.
    #[error("{file}: trust key {key} has extensions: or may:, and is no publisher")]
    NoPublisher {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// A set is demanded, and nobody may sign one.
    #[error("{file}: the policy demands a set, and no key is an operator")]
    NoOperator {
        /// The file.
        file: String,
    },
    /// A threshold that is 0, or more than there are keys.
    #[error("{file}: the threshold of role {role} is {threshold}, and {keys} keys have that role")]
    Threshold {
        /// The file.
        file: String,
        /// The role.
        role: Role,
        /// Its threshold.
        threshold: usize,
        /// How many keys have the role.
        keys: usize,
    },
    /// Two keys have one name.
    #[error("{file}: two trust keys are named {key}")]
    NameTwice {
        /// The file.
        file: String,
        /// The name.
        key: String,
    },
    /// Two names have one key.
    #[error("{file}: trust keys {first} and {second} are the same key")]
    KeyTwice {
        /// The file.
        file: String,
        /// The name that comes first.
        first: String,
        /// The other name.
        second: String,
    },
    /// The text of a key is not a key.
    #[error("{file}: trust key {key} cannot be used")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl From<YamlError> for PolicyError {
    fn from(error: YamlError) -> PolicyError {
        PolicyError::Document(error.into())
    }
}

impl Diagnose for PolicyError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            PolicyError::Document(error) => return error.hint(),
            PolicyError::Key { source, .. } => return source.hint(),
            PolicyError::NoKeys { .. } => "list at least one key under keys:",
            PolicyError::NoRoles { .. } => {
                "name publisher, operator or root under roles:, or leave roles: out"
            }
            PolicyError::NoExtensions { .. } => {
                "list names or patterns under extensions:, or \"*\" for all; a key that signs none has other roles:"
            }
            PolicyError::NoPublisher { .. } => {
                "add publisher to its roles:, or take extensions: and may: out"
            }
            PolicyError::NoOperator { .. } => "give roles: [operator] to the key that signs sets",
            PolicyError::Threshold { .. } => {
                "a threshold is at least 1 and at most the number of keys with that role"
            }
            PolicyError::NameTwice { .. } => "give each key a name of its own",
            PolicyError::KeyTwice { .. } => {
                "list the key once, with the roles and extensions of both entries"
            }
        };
        Some(hint.to_owned())
    }
}

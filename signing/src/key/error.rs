//! Why a text is not a public key.

use ed25519_dalek::pkcs8::spki::{self, der};
use spec::{Diagnose, Outcome};

use super::{ENCRYPTED_LABEL, PRIVATE_LABEL, PUBLIC_LABEL};

/// Object identifier of Ed25519 keys (RFC 8410, section 3).
const ED25519: &str = "1.3.101.112";

/// Why a text is not the public key that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing.
    #[error("this is empty, where a PEM block of type {PUBLIC_LABEL} is expected")]
    Empty,
    /// There is no PEM block.
    #[error("this is not PEM text: no line says -----BEGIN {PUBLIC_LABEL}-----")]
    NotPem,
    /// There is a PEM block of another type.
    #[error("this is a PEM block of type {found}, not an Ed25519 public key")]
    OtherLabel {
        /// Its label.
        found: String,
    },
    /// The PEM block cannot be decoded.
    #[error("the PEM block of the key is damaged")]
    Damaged(#[source] der::Error),
    /// A key, but for RSA, ECDSA or something else.
    #[error("this is a key of the algorithm {oid}, not an Ed25519 key ({ED25519})")]
    OtherAlgorithm {
        /// Its object identifier.
        oid: String,
    },
    /// The PEM block holds no well-formed SPKI public key.
    #[error("the public key inside the PEM block is malformed")]
    Malformed(#[source] spki::Error),
    /// A key of low order.
    #[error("this public key is a point of low order, for which anybody can sign")]
    Weak,
    /// A key outside the subgroup of keys.
    #[error("this public key is a point that no private key leads to")]
    Odd,
    /// The hint of a key is not one.
    #[error("{0:?} is not the hint of a key: expected the base64 of a SHA-256")]
    Hint(String),
}

impl From<spki::Error> for KeyError {
    fn from(error: spki::Error) -> KeyError {
        match error {
            spki::Error::OidUnknown { oid } => KeyError::OtherAlgorithm { oid: oid.to_string() },
            other => KeyError::Malformed(other),
        }
    }
}

impl Diagnose for KeyError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            KeyError::OtherLabel { found } if [PRIVATE_LABEL, ENCRYPTED_LABEL].contains(&found.as_str()) => {
                "keep it secret; extbuild key show prints its public half"
            }
            KeyError::Weak | KeyError::Odd => {
                "whoever gave it to you wants signatures accepted that the key has not made: do not use it"
            }
            KeyError::Hint(_) => return None,
            _ => "extbuild key show prints the public half of a key in this form",
        };
        Some(hint.to_owned())
    }
}

//! Why a file is not the key that it should be.

use ed25519_dalek::pkcs8::{self, spki};
use pkcs8::spki::der::{self, ErrorKind};
use spec::{Diagnose, Outcome};

use super::{Foreign, KeyError};

/// Why a key file cannot be used. Nothing of a key is in any of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// The file is something else.
    #[error("this is {0}, not a key in PKCS#8 or SPKI form")]
    Foreign(Foreign),
    /// The PEM or the key inside is wrong in the way that public keys can be, too.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no well-formed PKCS#8 private key.
    #[error("the private key is malformed")]
    Malformed(#[source] pkcs8::Error),
    /// It is locked in a way that is not known here.
    #[error("the key is locked with the algorithm {oid}, which is not read here")]
    Encryption {
        /// Its object identifier.
        oid: String,
    },
    /// Its parameters ask for too much work, or make no sense.
    #[error("the key is locked so that opening it would take more time or memory than is reasonable")]
    Cost,
    /// Not the passphrase, or the file is damaged: there is no telling.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// A public key, where a private one is needed.
    #[error("this is a public key, and a private key is needed here")]
    PublicOnly,
}

impl KeyFileError {
    /// What reading the outside of a locked key failed with.
    pub(super) fn of_encryption(error: pkcs8::Error) -> KeyFileError {
        match error {
            pkcs8::Error::Asn1(asn1) => match asn1.kind() {
                ErrorKind::OidUnknown { oid } => KeyFileError::Encryption { oid: oid.to_string() },
                _ => KeyFileError::Malformed(error),
            },
            _ => KeyFileError::Malformed(error),
        }
    }
}

impl From<pkcs8::Error> for KeyFileError {
    fn from(error: pkcs8::Error) -> KeyFileError {
        match error {
            pkcs8::Error::PublicKey(spki::Error::OidUnknown { oid }) => {
                KeyFileError::Key(KeyError::OtherAlgorithm { oid: oid.to_string() })
            }
            other => KeyFileError::Malformed(other),
        }
    }
}

impl From<der::Error> for KeyFileError {
    fn from(error: der::Error) -> KeyFileError {
        KeyFileError::Key(KeyError::Damaged(error))
    }
}

impl Diagnose for KeyFileError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            KeyFileError::Foreign(foreign) => foreign.hint(),
            KeyFileError::Key(KeyError::OtherAlgorithm { .. }) => {
                "extbuild key new makes an Ed25519 key".into()
            }
            KeyFileError::Key(_) | KeyFileError::Malformed(_) => {
                "take the copy that you keep elsewhere; extbuild key new makes a new key".into()
            }
            KeyFileError::Encryption { .. } | KeyFileError::Cost => {
                "lock it anew: openssl pkcs8 -topk8 -scrypt -in KEY -out NEW".into()
            }
            KeyFileError::WrongPassphrase => {
                "a passphrase that is right and does not open it means that the file is damaged".into()
            }
            KeyFileError::PublicOnly => {
                "name the file of the private key; this one is to be given away".into()
            }
        })
    }
}

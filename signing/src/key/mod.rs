//! Ed25519 keys, and the forms in which they are kept.

#[cfg(feature = "key-files")]
mod encrypted;
mod error;
#[cfg(feature = "key-files")]
mod file;
#[cfg(feature = "key-files")]
mod file_error;
#[cfg(feature = "key-files")]
mod foreign;
#[cfg(feature = "key-files")]
mod passphrase;
mod private;
mod public;

#[cfg(feature = "key-files")]
pub use encrypted::{EncryptedKey, Fresh};
pub use error::KeyError;
#[cfg(feature = "key-files")]
pub use file::KeyFile;
#[cfg(feature = "key-files")]
pub use file_error::KeyFileError;
#[cfg(feature = "key-files")]
pub use foreign::Foreign;
#[cfg(feature = "key-files")]
pub use passphrase::{Passphrase, PassphraseError};
pub use private::SigningKey;
pub use public::{KeyHint, PublicKey};

/// PEM label of a PKCS#8 private key (RFC 7468, section 10).
const PRIVATE_LABEL: &str = "PRIVATE KEY";
/// PEM label of a PKCS#8 private key behind a passphrase (RFC 7468, section 11).
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// PEM label of an SPKI public key (RFC 7468, section 13).
const PUBLIC_LABEL: &str = "PUBLIC KEY";

//! The half of a key that signs.

use std::convert::Infallible;
use std::fmt;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::spki::der::pem;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, KeypairBytes, SecretDocument};
use zeroize::{Zeroize as _, Zeroizing};

use super::{PRIVATE_LABEL, PublicKey};
use crate::envelope::Message;
use crate::sign::Signer;

/// A private key. It is overwritten when it is dropped, and it can neither be copied nor printed.
///
/// ```compile_fail,E0599
/// let key = signing::SigningKey::from_seed([7; 32]);
/// let copy = key.clone();
/// ```
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a seed (RFC 8032, section 5.1.5), which must come from a source of true randomness.
    pub fn from_seed(mut seed: [u8; 32]) -> SigningKey {
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        seed.zeroize();
        SigningKey(key)
    }

    /// Reads a PKCS#8 key in DER; one with a public half (version 2) must have the right one.
    #[cfg(feature = "key-files")]
    pub(super) fn from_der(der: &[u8]) -> Result<SigningKey, super::KeyFileError> {
        use ed25519_dalek::pkcs8::DecodePrivateKey as _;

        let mut pair = KeypairBytes::from_pkcs8_der(der)?;
        let key = ed25519_dalek::SigningKey::try_from(&pair);
        pair.secret_key.zeroize(); // its own drop would not
        Ok(SigningKey(key?))
    }

    /// The other half, for those who verify.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.0)
    }

    /// Writes the key as PKCS#8 version 1, the only version that OpenSSL 3.0 reads (RFC 8410, section 7).
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        self.document().to_bytes()
    }

    /// The same as PEM.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let pem = self.document().to_pem(PRIVATE_LABEL, pem::LineEnding::LF);
        pem.expect("48 bytes of DER always fit a PEM block")
    }

    fn document(&self) -> SecretDocument {
        let mut bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let document = bytes.to_pkcs8_der().expect("a key of fixed size always encodes");
        bytes.secret_key.zeroize();
        document
    }
}

impl Signer for SigningKey {
    type Error = Infallible;

    fn public_key(&self) -> PublicKey {
        self.public_key()
    }

    fn sign(&self, message: &Message) -> Result<[u8; 64], Infallible> {
        Ok(self.0.sign(message.as_bytes()).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public_key()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;

    #[test]
    fn a_private_key_does_not_print() {
        let key = SigningKey::from_seed(std::array::from_fn(|index| index as u8));
        let seed = BASE64.encode(key.0.to_bytes());
        let printed = format!("{key:?}");
        assert!(!printed.contains(&seed) && !printed.contains("0, 1, 2"), "{printed}");
        assert!(printed.starts_with("SigningKey { public: PublicKey(oFCD"), "{printed}");
    }
}

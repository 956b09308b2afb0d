//! The half of a key that verifies, and the name that it goes by.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::spki::der::pem;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, Document, EncodePublicKey as _};
use ed25519_dalek::{Signature, VerifyingKey};
use spec::Digest;

use super::{KeyError, PUBLIC_LABEL};
use crate::envelope::Message;

/// A public key that is fit for strict verification. It displays as its [`KeyHint`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads an SPKI key, as `openssl pkey -pubout` and [`PublicKey::to_pem`] write it.
    pub fn from_pem(pem: &[u8]) -> Result<PublicKey, KeyError> {
        let text = labelled(pem)?;
        let (_, document) = Document::from_pem(text).map_err(KeyError::Damaged)?;
        PublicKey::from_der(document.as_bytes())
    }

    /// Reads an SPKI key in DER.
    ///
    /// Refused, though lenient verifiers take them: points of low order, for which anybody can sign, and points outside
    /// the subgroup that all keys of seeds are in (RFC 8032, section 5.1.5), of which one verifier takes signatures that
    /// the next does not. No point inside can be written in a second way, so a key has one name.
    pub(super) fn from_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let key = VerifyingKey::from_public_key_der(der)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        match key.to_edwards().is_torsion_free() {
            true => Ok(PublicKey(key)),
            false => Err(KeyError::Odd),
        }
    }

    /// The other half of a private key.
    pub(super) fn of(key: &ed25519_dalek::SigningKey) -> PublicKey {
        PublicKey(key.verifying_key())
    }

    /// Writes the key as SPKI PEM.
    pub fn to_pem(&self) -> String {
        self.document()
            .to_pem(PUBLIC_LABEL, pem::LineEnding::LF)
            .expect("44 bytes of DER always fit a PEM block")
    }

    /// The same as DER.
    pub fn to_der(&self) -> Vec<u8> {
        self.document().into_vec()
    }

    fn document(&self) -> Document {
        self.0.to_public_key_der().expect("a key of fixed size always encodes")
    }

    /// The 32 bytes of the point, as minisign writes them (RFC 8032, section 5.1.5).
    #[cfg(feature = "minisign")]
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The SHA-256 of its SPKI DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.document().as_bytes())
    }

    /// What a bundle says to have the key found.
    pub fn hint(&self) -> KeyHint {
        KeyHint(*self.fingerprint().as_bytes())
    }

    /// Is `signature` one by this key over `message`? Strictly: a signature in another encoding, or with a point of
    /// low order, is none.
    pub(crate) fn has_signed(&self, message: &Message, signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message.as_bytes(), &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hint().fmt(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// The name of a key in a bundle: the base64 of the SHA-256 of its SPKI DER, as cosign computes it
/// (cosign internal/key/svkeypair.go). It serves to look a key up and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHint([u8; 32]);

impl KeyHint {
    /// The first eight hexadecimal digits of the fingerprint, to tell files apart by.
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for KeyHint {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<KeyHint, KeyError> {
        let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(KeyHint).ok_or_else(|| KeyError::Hint(text.chars().take(80).collect()))
    }
}

impl fmt::Display for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHint({self})")
    }
}

/// Finds out what kind of PEM text this is before anything decodes it.
fn labelled(pem: &[u8]) -> Result<&str, KeyError> {
    if pem.trim_ascii().is_empty() {
        return Err(KeyError::Empty);
    }
    let text = str::from_utf8(pem).map_err(|_| KeyError::NotPem)?;
    if !text.contains("-----BEGIN ") {
        return Err(KeyError::NotPem);
    }
    match pem::decode_label(pem).map_err(|error| KeyError::Damaged(error.into()))? {
        PUBLIC_LABEL => Ok(text),
        other => Err(KeyError::OtherLabel { found: other.chars().take(80).collect() }),
    }
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use spec::Diagnose as _;

    use super::*;
    use crate::SigningKey;

    /// Ed25519, seed 00 01 … 1f.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=
-----END PUBLIC KEY-----
";

    fn key() -> SigningKey {
        SigningKey::from_seed(std::array::from_fn(|index| index as u8))
    }

    fn public_pem(point: [u8; 32]) -> String {
        // RFC 8410, section 4: SPKI of an Ed25519 key is these twelve bytes and the point.
        let der = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), &point].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der))
    }

    #[test]
    fn a_key_is_what_its_seed_says() {
        assert_eq!(key().public_key().to_pem(), PUBLIC);
        assert_eq!(key().public_key().to_string(), "oFCDfYUHBYLM9zlLCYiEfMMSy4glm4lImfbyOc8XkaU=");
    }

    #[test]
    fn pem_is_read_back() {
        let dos = PUBLIC.replace('\n', "\r\n");
        for text in [PUBLIC, PUBLIC.trim_end(), &dos] {
            assert_eq!(PublicKey::from_pem(text.as_bytes()).unwrap(), key().public_key());
        }
    }

    #[track_caller]
    fn refused(pem: &[u8], wanted: &str) {
        assert_eq!(PublicKey::from_pem(pem).unwrap_err().to_string(), wanted);
    }

    #[test]
    fn an_error_says_what_the_text_is() {
        refused(b"", "this is empty, where a PEM block of type PUBLIC KEY is expected");
        refused(b" \n", "this is empty, where a PEM block of type PUBLIC KEY is expected");
        let not_pem = "this is not PEM text: no line says -----BEGIN PUBLIC KEY-----";
        refused(b"\x30\x2a\xff\x00", not_pem);
        refused(b"ssh-ed25519 AAAA me@here", not_pem);
        let rsa = PUBLIC.replace("PUBLIC", "RSA PRIVATE");
        refused(rsa.as_bytes(), "this is a PEM block of type RSA PRIVATE KEY, not an Ed25519 public key");
        let private = PublicKey::from_pem(key().to_pem().as_bytes()).unwrap_err();
        assert_eq!(private.to_string(), "this is a PEM block of type PRIVATE KEY, not an Ed25519 public key");
        assert!(private.hint().unwrap().contains("keep it secret"));
        refused(PUBLIC.replace("MCow", "MC!w").as_bytes(), "the PEM block of the key is damaged");
        refused(
            PUBLIC.replace("AyEA", "AyEB").as_bytes(),
            "the public key inside the PEM block is malformed",
        );
        // X25519 (RFC 8410, section 3) is the same key with another identifier.
        refused(
            PUBLIC.replace("K2Vw", "K2Vu").as_bytes(),
            "this is a key of the algorithm 1.3.101.110, not an Ed25519 key (1.3.101.112)",
        );
    }

    #[test]
    fn one_pem_block_and_no_more() {
        refused(PUBLIC.repeat(2).as_bytes(), "the PEM block of the key is damaged");
        refused(format!("{PUBLIC}and so on\n").as_bytes(), "the PEM block of the key is damaged");
    }

    #[test]
    fn a_key_for_which_anybody_can_sign_is_no_key() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        refused(
            public_pem(neutral).as_bytes(),
            "this public key is a point of low order, for which anybody can sign",
        );
    }
}

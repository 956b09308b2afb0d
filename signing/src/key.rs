//! Ed25519 keys, and the PEM text that they are kept in.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::spki::{self, der, der::pem};
use ed25519_dalek::pkcs8::{
    self, DecodePrivateKey as _, DecodePublicKey as _, Document, EncodePrivateKey as _, EncodePublicKey as _,
    KeypairBytes, SecretDocument,
};
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use spec::{Diagnose, Digest, Outcome};
use zeroize::{Zeroize as _, Zeroizing};

/// PEM label of a PKCS#8 private key (RFC 7468, section 10).
const PRIVATE_LABEL: &str = "PRIVATE KEY";
/// PEM label of an SPKI public key (RFC 7468, section 13).
const PUBLIC_LABEL: &str = "PUBLIC KEY";

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

    /// Reads a PKCS#8 key, as `openssl genpkey -algorithm ed25519` and [`SigningKey::to_pem`] write it.
    pub fn from_pem(pem: &[u8]) -> Result<SigningKey, KeyError> {
        let text = labelled(pem, PRIVATE_LABEL)?;
        let (_, document) = SecretDocument::from_pem(text).map_err(KeyError::Damaged)?;
        let mut pair = KeypairBytes::from_pkcs8_der(document.as_bytes())?;
        let key = ed25519_dalek::SigningKey::try_from(&pair);
        pair.secret_key.zeroize(); // its own drop would not
        Ok(SigningKey(key?))
    }

    /// Writes the key as PKCS#8 version 1, the only version that OpenSSL 3.0 reads (RFC 8410, section 7).
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = bytes.to_pkcs8_pem(pem::LineEnding::LF).expect("48 bytes of DER always fit a PEM block");
        bytes.secret_key.zeroize();
        pem
    }

    /// The other half, for those who verify.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a message. Only for this crate: a key signs nothing but envelopes, so no signature by it can be taken
    /// for something else.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public_key()).finish_non_exhaustive()
    }
}

/// A public key that is fit for strict verification. It displays as its [`KeyHint`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads an SPKI key, as `openssl pkey -pubout` and [`PublicKey::to_pem`] write it.
    pub fn from_pem(pem: &[u8]) -> Result<PublicKey, KeyError> {
        let text = labelled(pem, PUBLIC_LABEL)?;
        let (_, document) = Document::from_pem(text).map_err(KeyError::Damaged)?;
        let key = VerifyingKey::from_public_key_der(document.as_bytes())?;
        // Anybody can sign for a key of low order.
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(PublicKey(key))
    }

    /// Writes the key as SPKI.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(pem::LineEnding::LF).expect("44 bytes of DER always fit a PEM block")
    }

    /// What a bundle says to have the key found.
    pub fn hint(&self) -> KeyHint {
        let der = self.0.to_public_key_der().expect("a key of fixed size always encodes");
        KeyHint(*Digest::of(der.as_bytes()).as_bytes())
    }

    /// Is `signature` one by this key over `message`? Strictly: a signature in another encoding, or with a point of
    /// low order, is none.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
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

/// Finds out what kind of PEM text this is before anything decodes it, and wants exactly one kind.
fn labelled<'t>(pem: &'t [u8], wanted: &'static str) -> Result<&'t str, KeyError> {
    if pem.trim_ascii().is_empty() {
        return Err(KeyError::Empty { wanted });
    }
    let text = std::str::from_utf8(pem).map_err(|_| KeyError::NotPem { wanted })?;
    if !text.contains("-----BEGIN ") {
        return Err(KeyError::NotPem { wanted });
    }
    let found = pem::decode_label(pem).map_err(|error| KeyError::Damaged(error.into()))?;
    match found == wanted {
        true => Ok(text),
        false => Err(KeyError::OtherLabel { found: found.chars().take(80).collect(), wanted }),
    }
}

/// Why a text is not the key that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing.
    #[error("this is empty, where a PEM block of type {wanted} is expected")]
    Empty {
        /// The label that was looked for.
        wanted: &'static str,
    },
    /// There is no PEM block.
    #[error("this is not PEM text: no line says -----BEGIN {wanted}-----")]
    NotPem {
        /// The label that was looked for.
        wanted: &'static str,
    },
    /// There is a PEM block of another type.
    #[error("this is a PEM block of type {found}, not an Ed25519 {}", .wanted.to_lowercase())]
    OtherLabel {
        /// Its label.
        found: String,
        /// The label that was looked for.
        wanted: &'static str,
    },
    /// The PEM block cannot be decoded.
    #[error("the PEM block of the key is damaged")]
    Damaged(#[source] der::Error),
    /// A key, but for RSA, ECDSA or something else.
    #[error("this is a key of the algorithm {oid}, not an Ed25519 key ({})", pkcs8::ALGORITHM_OID)]
    OtherAlgorithm {
        /// Its object identifier.
        oid: String,
    },
    /// The PEM block holds no well-formed PKCS#8 private key.
    #[error("the private key inside the PEM block is malformed")]
    PrivateMalformed(#[source] pkcs8::Error),
    /// The PEM block holds no well-formed SPKI public key.
    #[error("the public key inside the PEM block is malformed")]
    PublicMalformed(#[source] spki::Error),
    /// A key of low order.
    #[error("this public key is a point of low order, for which anybody can sign")]
    Weak,
    /// The hint of a key is not one.
    #[error("{0:?} is not the hint of a key: expected the base64 of a SHA-256")]
    Hint(String),
}

impl From<pkcs8::Error> for KeyError {
    fn from(error: pkcs8::Error) -> KeyError {
        match error {
            pkcs8::Error::PublicKey(spki::Error::OidUnknown { oid }) => {
                KeyError::OtherAlgorithm { oid: oid.to_string() }
            }
            other => KeyError::PrivateMalformed(other),
        }
    }
}

impl From<spki::Error> for KeyError {
    fn from(error: spki::Error) -> KeyError {
        match error {
            spki::Error::OidUnknown { oid } => KeyError::OtherAlgorithm { oid: oid.to_string() },
            other => KeyError::PublicMalformed(other),
        }
    }
}

impl Diagnose for KeyError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            KeyError::OtherLabel { found, wanted: PUBLIC_LABEL } if found == PRIVATE_LABEL => {
                "keep it secret, and write down its public half: openssl pkey -in KEY.pem -pubout"
            }
            KeyError::OtherLabel { found, .. } if found == "ENCRYPTED PRIVATE KEY" => {
                "decrypt it first: openssl pkey -in KEY.pem -out PLAIN.pem"
            }
            KeyError::Weak | KeyError::Hint(_) => return None,
            _ => {
                "make a key with: openssl genpkey -algorithm ed25519 -out KEY.pem; \
                 its public half with: openssl pkey -in KEY.pem -pubout"
            }
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(SigningKey::from_pem(key().to_pem().as_bytes()).unwrap().0, key().0);
        let dos = PUBLIC.replace('\n', "\r\n");
        for text in [PUBLIC, PUBLIC.trim_end(), &dos] {
            assert_eq!(PublicKey::from_pem(text.as_bytes()).unwrap(), key().public_key());
        }
    }

    #[test]
    fn a_private_key_does_not_print() {
        let seed = BASE64.encode(key().0.to_bytes());
        let printed = format!("{:?}", key());
        assert!(!printed.contains(&seed) && !printed.contains("0, 1, 2"), "{printed}");
        assert!(printed.starts_with("SigningKey { public: PublicKey(oFCD"), "{printed}");
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
        assert!(private.hint().unwrap().contains("-pubout"));
        let public = SigningKey::from_pem(PUBLIC.as_bytes()).unwrap_err();
        assert_eq!(public.to_string(), "this is a PEM block of type PUBLIC KEY, not an Ed25519 private key");
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

//! Key files of all forms that are read, told apart by what is in them and never by their names.

use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode as _, Reader as _, SecretDocument, SliceReader, Tag, Tagged as _, pem};

use super::{
    ENCRYPTED_LABEL, EncryptedKey, Foreign, KeyError, KeyFileError, PRIVATE_LABEL, PUBLIC_LABEL, PublicKey,
    SigningKey,
};

/// The key in a file: PKCS#8 (RFC 5958) or SPKI (RFC 8410), as PEM (RFC 7468) or DER.
#[derive(Debug)]
pub enum KeyFile {
    /// A private key that anybody who can read the file can use.
    Private(SigningKey),
    /// A private key behind a passphrase.
    Encrypted(EncryptedKey),
    /// A public key.
    Public(PublicKey),
}

impl KeyFile {
    /// Reads the content of a file. No error has anything of the content in it but labels and object identifiers.
    pub fn parse(bytes: &[u8]) -> Result<KeyFile, KeyFileError> {
        match contains(bytes, b"-----BEGIN ") {
            true => KeyFile::from_pem(bytes),
            false => KeyFile::from_der(bytes),
        }
    }

    /// Must it be kept from others?
    pub fn is_secret(&self) -> bool {
        !matches!(self, KeyFile::Public(_))
    }

    fn from_pem(bytes: &[u8]) -> Result<KeyFile, KeyFileError> {
        let label = pem::decode_label(bytes).map_err(|error| KeyError::Damaged(error.into()))?;
        let read: fn(&[u8]) -> Result<KeyFile, KeyFileError> = match label {
            PRIVATE_LABEL => private,
            ENCRYPTED_LABEL => encrypted,
            PUBLIC_LABEL => public,
            other => return Err(KeyFileError::Foreign(Foreign::of_label(other))),
        };
        let text = str::from_utf8(bytes).map_err(|_| KeyFileError::Foreign(Foreign::Unknown))?;
        let (_, document) = SecretDocument::from_pem(text)?;
        read(document.as_bytes())
    }

    fn from_der(bytes: &[u8]) -> Result<KeyFile, KeyFileError> {
        match first_two(bytes) {
            Some((Tag::Integer, Tag::Sequence)) => private(bytes),
            Some((Tag::Sequence, Tag::OctetString)) => encrypted(bytes),
            Some((Tag::Sequence, Tag::BitString)) => public(bytes),
            _ => Err(KeyFileError::Foreign(Foreign::of_bytes(bytes))),
        }
    }
}

fn private(der: &[u8]) -> Result<KeyFile, KeyFileError> {
    SigningKey::from_der(der).map(KeyFile::Private)
}

fn encrypted(der: &[u8]) -> Result<KeyFile, KeyFileError> {
    EncryptedKey::from_der(der).map(KeyFile::Encrypted)
}

fn public(der: &[u8]) -> Result<KeyFile, KeyFileError> {
    Ok(KeyFile::Public(PublicKey::from_der(der)?))
}

/// The types of the first two fields of a SEQUENCE, by which the three structures differ: `PrivateKeyInfo` starts
/// with a version and an algorithm, the others with an algorithm and their content.
fn first_two(bytes: &[u8]) -> Option<(Tag, Tag)> {
    let outer = AnyRef::from_der(bytes).ok().filter(|outer| outer.tag() == Tag::Sequence)?;
    let mut fields = SliceReader::new(outer.value()).ok()?;
    let mut tag = || Some(fields.decode::<AnyRef<'_>>().ok()?.tag());
    Some((tag()?, tag()?))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::key::{Fresh, Passphrase};

    fn key() -> SigningKey {
        SigningKey::from_seed([7; 32])
    }

    fn kind(bytes: &[u8]) -> &'static str {
        match KeyFile::parse(bytes).unwrap() {
            KeyFile::Private(_) => "private",
            KeyFile::Encrypted(_) => "encrypted",
            KeyFile::Public(_) => "public",
        }
    }

    #[test]
    fn a_key_is_known_by_what_it_is() {
        let passphrase = Passphrase::new(Zeroizing::new(b"secret".to_vec())).unwrap();
        let locked = EncryptedKey::lock(&key(), &passphrase, Fresh { salt: [1; 16], iv: [2; 16] });
        for (bytes, wanted) in [
            (key().to_pem().as_bytes().to_vec(), "private"),
            (key().to_der().to_vec(), "private"),
            (locked.to_pem().into_bytes(), "encrypted"),
            (locked.to_der(), "encrypted"),
            (key().public_key().to_pem().into_bytes(), "public"),
            (key().public_key().to_der(), "public"),
        ] {
            assert_eq!(kind(&bytes), wanted);
            assert_eq!(KeyFile::parse(&bytes).unwrap().is_secret(), wanted != "public");
        }
    }

    #[test]
    fn a_key_that_is_read_is_the_one_that_was_written() {
        let KeyFile::Private(read) = KeyFile::parse(key().to_pem().as_bytes()).unwrap() else { panic!() };
        assert_eq!(read.to_der(), key().to_der());
    }

    #[track_caller]
    fn refused(bytes: impl AsRef<[u8]>, wanted: &str) {
        assert_eq!(KeyFile::parse(bytes.as_ref()).unwrap_err().to_string(), wanted);
    }

    #[test]
    fn other_files_are_called_by_their_names() {
        refused("", "this is an empty file, not a key in PKCS#8 or SPKI form");
        refused(" \n", "this is an empty file, not a key in PKCS#8 or SPKI form");
        refused(
            b"\x30\x2a\xff\x00",
            "this is no form of key that is known, not a key in PKCS#8 or SPKI form",
        );
        let ssh = "this is a public key of OpenSSH, not a key in PKCS#8 or SPKI form";
        refused("ssh-ed25519 AAAA me@here", ssh);
        let minisign = "this is a file of minisign or signify, not a key in PKCS#8 or SPKI form";
        refused("untrusted comment: minisign encrypted secret key\nRWRTY0Iy", minisign);
        let pem = |label: &str| format!("-----BEGIN {label}-----\nMAo=\n-----END {label}-----\n");
        for (label, name) in [
            ("OPENSSH PRIVATE KEY", "a private key of OpenSSH"),
            ("ENCRYPTED SIGSTORE PRIVATE KEY", "a private key of cosign"),
            ("EC PRIVATE KEY", "a PEM block of type EC PRIVATE KEY"),
        ] {
            refused(pem(label), &format!("this is {name}, not a key in PKCS#8 or SPKI form"));
        }
    }

    #[test]
    fn one_pem_block_and_no_more() {
        let pem = key().to_pem();
        refused(pem.repeat(2), "the PEM block of the key is damaged");
        refused(format!("{}and so on\n", *pem), "the PEM block of the key is damaged");
        refused(&pem.as_bytes()[..60], "the PEM block of the key is damaged");
        refused(
            [&key().to_der(), &b"x"[..]].concat(),
            "this is no form of key that is known, not a key in PKCS#8 or SPKI form",
        );
    }
}

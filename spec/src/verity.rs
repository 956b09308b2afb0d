//! What dm-verity must be told about an image (Linux Documentation/admin-guide/device-mapper/verity.rst).

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::door::serde_by_text;

/// Bytes of a data block and of a hash block: the page size of every machine that Tenon is for, and what
/// `veritysetup format` takes unless told otherwise.
pub const BLOCK_SIZE: u64 = 4096;

/// The facts that open an image through dm-verity and refuse every block that is not the one that was built.
///
/// Hash format 1, SHA-256 and [`BLOCK_SIZE`] are not said because they are always the same. The superblock in the
/// image says the same as this, but only what is signed may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerityFacts {
    /// The hash that stands for the whole tree of hashes, and so for the whole image.
    pub root_hash: Digest,
    /// What is hashed before each block.
    pub salt: Salt,
    /// Where the data ends and the verity superblock is, in bytes; the hash tree begins one block later.
    pub hash_offset: u64,
}

impl VerityFacts {
    /// How many blocks of data there are; nothing if `hash_offset` is no place where data can end.
    pub fn data_blocks(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.hash_offset / BLOCK_SIZE).filter(|_| self.hash_offset.is_multiple_of(BLOCK_SIZE))
    }
}

/// The 32 bytes that are hashed before each block, written as 64 lower-case hex digits.
///
/// dm-verity allows salts of other lengths; `veritysetup` makes them this long, and so does Tenon.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; 32]);

impl Salt {
    /// A salt of these bytes.
    pub fn new(bytes: [u8; 32]) -> Salt {
        Salt(bytes)
    }

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A signature of a root hash for the kernel itself: PKCS#7 in DER, detached, over the hex digits of the hash (Linux
/// Documentation/admin-guide/device-mapper/verity.rst, "root_hash_sig_key_desc"). Kernels can demand one
/// (`dm_verity.require_signatures=1`), or let their policies ask for it. Tenon believes nothing because of it.
///
/// It is written as hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RootHashSignature(Arc<[u8]>);

/// Longest signature in bytes: an RSA-4096 one has 700, and one with a chain of certificates some thousand.
const SIGNATURE_MAX: usize = 16 << 10;
/// A DER SEQUENCE, with which PKCS#7 begins (ITU-T X.690, 8.9).
const SEQUENCE: u8 = 0x30;

impl RootHashSignature {
    /// A signature of these bytes, if they can be one.
    pub fn new(der: &[u8]) -> Result<RootHashSignature, RootHashSignatureError> {
        match der {
            [SEQUENCE, _, ..] if der.len() <= SIGNATURE_MAX => Ok(RootHashSignature(der.into())),
            _ => Err(RootHashSignatureError),
        }
    }

    /// The bytes.
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }
}

/// The bytes are no signature of a root hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no signature of a root hash: expected PKCS#7 in DER of at most {SIGNATURE_MAX} bytes")]
pub struct RootHashSignatureError;

impl FromStr for RootHashSignature {
    type Err = RootHashSignatureError;

    fn from_str(text: &str) -> Result<RootHashSignature, RootHashSignatureError> {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some((digit(high)? << 4 | digit(low)?) as u8),
            _ => None,
        });
        let der = pairs.collect::<Option<Vec<u8>>>().ok_or(RootHashSignatureError)?;
        RootHashSignature::new(&der)
    }
}

impl fmt::Display for RootHashSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a salt: expected 64 lower-case hex digits")]
pub struct SaltError(String);

impl FromStr for Salt {
    type Err = SaltError;

    fn from_str(text: &str) -> Result<Salt, SaltError> {
        let digits = Digest::from_hex(text).map_err(|_| SaltError(text.chars().take(80).collect()))?;
        Ok(Salt(*digits.as_bytes()))
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

serde_by_text!(Salt, RootHashSignature);

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(hash_offset: u64) -> VerityFacts {
        VerityFacts { root_hash: Digest::of(b"abc"), salt: Salt::new([0xa1; 32]), hash_offset }
    }

    #[test]
    fn the_document_is_hex_and_comes_back() {
        let text = serde_json::to_string(&facts(8192)).unwrap();
        let salt = "a1".repeat(32);
        let root = Digest::of(b"abc");
        assert_eq!(text, format!(r#"{{"rootHash":"{root}","salt":"{salt}","hashOffset":8192}}"#));
        assert_eq!(serde_json::from_str::<VerityFacts>(&text).unwrap(), facts(8192));
        assert!(serde_json::from_str::<VerityFacts>(&text.replace("}", r#","hashType":0}"#)).is_err());
        assert!(serde_json::from_str::<VerityFacts>(&text.replace(&salt, "a1")).is_err());
    }

    #[test]
    fn a_signature_is_der_in_hex() {
        let signature: RootHashSignature = "3003020101".parse().unwrap();
        assert_eq!(signature.as_der(), [0x30, 3, 2, 1, 1]);
        assert_eq!(signature.to_string(), "3003020101");
        for wrong in ["", "30", "300", "3x03", "0203020101", &"30".repeat(SIGNATURE_MAX + 1), "\u{e4}\u{e4}"]
        {
            assert!(wrong.parse::<RootHashSignature>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn data_ends_after_whole_blocks() {
        let blocks = |hash_offset| facts(hash_offset).data_blocks().map(NonZeroU64::get);
        assert_eq!([0, 4095, 4097].map(blocks), [None; 3]);
        assert_eq!([4096, 1 << 40].map(blocks), [Some(1), Some(1 << 28)]);
    }

    #[test]
    fn only_64_digits_are_a_salt() {
        for wrong in ["", "00", &"0".repeat(63), &"A".repeat(64), &"0".repeat(66), &"\u{e4}".repeat(32)] {
            assert!(wrong.parse::<Salt>().is_err(), "{wrong}");
        }
    }
}

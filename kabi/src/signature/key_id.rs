//! What a key is known by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Far above any: serial numbers have up to 20 bytes (RFC 5280, section 4.1.2.2), and so have identifiers made with
/// SHA-1 (4.2.1.2).
const MAX_BYTES: usize = 64;

/// The serial number of a certificate, or the identifier of its subject's key: bytes, written in lower-case hexadecimal
/// digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// The text or the bytes cannot be what a key is known by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not what a key is known by: expected 1 to {MAX_BYTES} bytes as pairs of lower-case hexadecimal digits"
)]
pub struct KeyIdError(String);

impl KeyId {
    /// A subject key identifier.
    pub fn of_subject(identifier: &[u8]) -> Result<KeyId, KeyIdError> {
        identifier.iter().map(|byte| format!("{byte:02x}")).collect::<String>().parse()
    }

    /// A serial number, big-endian. The byte that keeps a large number from being negative (X.690, section 8.3.3) is not
    /// part of it.
    pub fn of_serial(number: &[u8]) -> Result<KeyId, KeyIdError> {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        KeyId::of_subject(&number[zeros.min(number.len().saturating_sub(1))..])
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<KeyId, KeyIdError> {
        let whole = (2..=2 * MAX_BYTES).contains(&text.len()) && text.len().is_multiple_of(2);
        match whole && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            true => Ok(KeyId(text.to_owned())),
            false => Err(KeyIdError(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<KeyId, KeyIdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> String {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_has_no_zeros_before_it_and_an_identifier_may() {
        assert_eq!(KeyId::of_serial(&[0, 0x9b, 1]).unwrap().as_str(), "9b01");
        assert_eq!(KeyId::of_serial(&[0, 0]).unwrap().as_str(), "00");
        assert_eq!(KeyId::of_subject(&[0, 0x9b]).unwrap().as_str(), "009b");
        for bad in ["", "0", "AB", "0x12", "é", "a b ", &"0".repeat(130)] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad}");
        }
        assert!(KeyId::of_serial(&[]).is_err() && KeyId::of_subject(&[1; 65]).is_err());
    }
}

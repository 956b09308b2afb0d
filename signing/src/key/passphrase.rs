//! What a private key is locked with.

use std::fmt;

use spec::{Diagnose, Outcome};
use zeroize::Zeroizing;

/// A passphrase: bytes, as typed or as a file has them. It is overwritten when it is dropped, and does not print.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Longest passphrase, in bytes: OpenSSL asks for no longer ones (`PEM_BUFSIZE`, include/openssl/pem.h).
    pub const MAX: usize = 1024;

    /// Refused: an empty one, which locks nothing, one of more than [`Passphrase::MAX`] bytes, and one with control
    /// characters, which nobody can type elsewhere. They mostly come from a file with another system's line ends.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Passphrase, PassphraseError> {
        match bytes.len() {
            0 => return Err(PassphraseError::Empty),
            1..=Passphrase::MAX => {}
            _ => return Err(PassphraseError::TooLong),
        }
        match bytes.iter().any(u8::is_ascii_control) {
            true => Err(PassphraseError::Control),
            false => Ok(Passphrase(bytes)),
        }
    }

    /// Was the same typed twice?
    pub fn is(&self, other: &Passphrase) -> bool {
        self.0 == other.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Why something cannot be a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// It is empty.
    #[error("the passphrase is empty")]
    Empty,
    /// It is too long.
    #[error("the passphrase has more than {} bytes", Passphrase::MAX)]
    TooLong,
    /// It has control characters.
    #[error("the passphrase has control characters in it")]
    Control,
}

impl Diagnose for PassphraseError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            PassphraseError::Empty | PassphraseError::TooLong => None,
            PassphraseError::Control => {
                Some("a file must have it in its first line, which ends with \\n".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(bytes: &[u8]) -> Result<Passphrase, PassphraseError> {
        Passphrase::new(Zeroizing::new(bytes.to_vec()))
    }

    #[test]
    fn what_locks_nothing_or_cannot_be_typed_is_refused() {
        assert_eq!(passphrase(b"").unwrap_err(), PassphraseError::Empty);
        assert_eq!(passphrase(&[b'x'; Passphrase::MAX + 1]).unwrap_err(), PassphraseError::TooLong);
        for bytes in [&b"correct horse\r"[..], b"a\0b", b"a\x7f"] {
            assert_eq!(passphrase(bytes).unwrap_err(), PassphraseError::Control);
        }
        for bytes in [&[b'x'; Passphrase::MAX][..], b" ", "schön".as_bytes(), b"\xff\xfe"] {
            assert!(passphrase(bytes).is_ok());
        }
    }

    #[test]
    fn a_passphrase_does_not_print() {
        assert_eq!(format!("{:?}", passphrase(b"secret").unwrap()), "Passphrase(…)");
    }
}

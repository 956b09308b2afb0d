//! Bytes that are the expected ones, or an error that says what they are.

use std::io::{self, Read, Write};

use spec::defence::{self, Threat};
use spec::verity::{RootHashSignature, VerityFacts};
use spec::{Diagnose, Digest, Outcome, ReasonCode};

/// Read, hashed and written at a time: little enough to be in a processor's own cache until all three are done.
const PIECE: usize = 128 << 10;

/// What a file must be: the digest of all its bytes, and how many they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Digest of the whole.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// What stands for each of its blocks, if it has a hash tree.
    pub verity: Option<VerityFacts>,
    /// What the kernel may want to see before it believes that.
    pub signature: Option<RootHashSignature>,
}

/// Copies `source` to `sink` and hashes what it copies. The copy is worth nothing when this fails.
pub(crate) fn copy(source: impl Read, expected: &Expected, mut sink: impl Write) -> Result<(), ContentError> {
    // One byte more than there should be tells a file that is too long from one that fits.
    let mut source = source.take(expected.size.saturating_add(1));
    let mut piece = vec![0; PIECE];
    let mut hasher = spec::Hasher::new();
    let mut size = 0;
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ContentError::Read(error)),
        };
        hasher.update(&piece[..read]);
        sink.write_all(&piece[..read]).map_err(ContentError::Hold)?;
        size += read as u64;
    }
    if size != expected.size {
        return Err(ContentError::Size { wanted: expected.size, found: size });
    }
    match hasher.finish() {
        found if found == expected.digest || !defence::stands(Threat::D1) => Ok(()),
        found => Err(ContentError::Digest { wanted: expected.digest, found }),
    }
}

/// Why bytes are not believed.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// They are others.
    #[error("the image has digest {found} instead of {wanted}")]
    Digest {
        /// Digest that it should have.
        wanted: Digest,
        /// Digest of what is there.
        found: Digest,
    },
    /// They are more or fewer; `found` stops counting one byte above `wanted`.
    #[error("the image should have {wanted} bytes; it is {}", if found > wanted { "longer".to_owned() } else { format!("{found} bytes long") })]
    Size {
        /// Size that it should have.
        wanted: u64,
        /// Size of what is there.
        found: u64,
    },
    /// They are more than may be held.
    #[error("the image has {size} bytes, and {limit} is the most that can be held in memory here")]
    TooLarge {
        /// Size that it should have.
        size: u64,
        /// What there is room for.
        limit: u64,
    },
    /// They cannot be read.
    #[error("the image cannot be read")]
    Read(#[source] io::Error),
    /// They cannot be kept.
    #[error("the image cannot be held in memory")]
    Hold(#[source] io::Error),
}

impl ContentError {
    /// The kind of refusal that follows.
    pub(crate) fn code(&self) -> ReasonCode {
        match self {
            ContentError::Digest { .. } | ContentError::Size { .. } => ReasonCode::DigestMismatch,
            ContentError::TooLarge { .. } | ContentError::Read(_) | ContentError::Hold(_) => {
                ReasonCode::ActivationFailed
            }
        }
    }

    /// The expected value and the one that was there, where two were compared.
    pub(crate) fn wanted_found(&self) -> Option<(String, String)> {
        match self {
            ContentError::Digest { wanted, found } => Some((wanted.to_string(), found.to_string())),
            ContentError::Size { wanted, found } => Some((wanted.to_string(), found.to_string())),
            ContentError::TooLarge { .. } | ContentError::Read(_) | ContentError::Hold(_) => None,
        }
    }
}

impl Diagnose for ContentError {
    fn outcome(&self) -> Outcome {
        match self.code() {
            ReasonCode::DigestMismatch => Outcome::Refused,
            _ => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            ContentError::Digest { .. } | ContentError::Size { .. } | ContentError::Read(_) => {
                "write the medium again: it is damaged, or it was changed".into()
            }
            ContentError::TooLarge { .. } | ContentError::Hold(_) => {
                "give the machine more memory, or use a smaller image".into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(bytes: &[u8]) -> Expected {
        Expected { digest: Digest::of(bytes), size: bytes.len() as u64, verity: None, signature: None }
    }

    #[test]
    fn the_expected_bytes_are_copied() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * PIECE / 2).collect();
        let mut copied = Vec::new();
        copy(&bytes[..], &expected(&bytes), &mut copied).unwrap();
        assert_eq!(copied, bytes);
    }

    #[test]
    fn a_flipped_byte_is_named_with_both_digests() {
        let error = copy(&b"tenoN"[..], &expected(b"tenon"), io::sink()).unwrap_err();
        assert_eq!(error.code(), ReasonCode::DigestMismatch);
        let digests = [b"tenon", b"tenoN"].map(|bytes| Digest::of(bytes).to_string());
        assert_eq!(error.wanted_found(), Some(digests.into()));
    }

    #[test]
    fn short_and_endless_files_are_refused() {
        let short = copy(&b"ten"[..], &expected(b"tenon"), io::sink()).unwrap_err();
        assert_eq!(short.to_string(), "the image should have 5 bytes; it is 3 bytes long");
        let endless = copy(io::repeat(b't'), &expected(b"tenon"), io::sink()).unwrap_err();
        assert_eq!(endless.to_string(), "the image should have 5 bytes; it is longer");
    }
}

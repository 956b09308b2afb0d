//! Detached signatures of files as minisign 0.11 has them (jedisct1.github.io/minisign, "Signature format"), for people who
//! have downloaded a file and want to know whose it is. Nothing here reads one: `minisign -V` does.
//!
//! ```text
//! untrusted comment: TEXT
//! base64("ED" || KEY NUMBER || SIGNATURE of the BLAKE2b-512 of the file)
//! trusted comment: TEXT
//! base64(signature of SIGNATURE || TEXT of the trusted comment)
//! ```
//!
//! The key is one of ours, and signs approvals too. No signature of the one kind can be taken for one of the other:
//!
//! - A DSSE encoding begins with 39 known bytes, `DSSEv1 28 application/vnd.in-toto+json `. The first signature here is over
//!   64 bytes that a hash function has chosen, the second over a signature that our key has made, with a comment behind
//!   it: whoever wants one of them to begin like that must choose what BLAKE2b, or our key, gives out.
//! - In a file of minisign's older kind (`Ed`, without a hash), an approval could stand for a file that holds the
//!   encoding itself; but it lacks the second signature, which minisign demands.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use blake2::{Blake2b512, Digest as _};
use spec::{Diagnose, Outcome};

use crate::envelope::Message;
use crate::key::PublicKey;
use crate::sign::{SignError, Signer, sign_message};

/// Longest trusted comment, the zero behind it included (minisign.h, `TRUSTEDCOMMENTMAXBYTES`, less its prefix).
const COMMENT_MAX: usize = 8192 - "trusted comment: ".len() - 1;

/// Takes in a file, piece by piece.
#[derive(Default)]
pub struct FileHasher(Blake2b512);

/// The BLAKE2b-512 of a file: what is signed in its place (minisign's algorithm `ED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHash([u8; 64]);

/// What a signature says about its file, under the signature: minisign prints it once it has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedComment(String);

impl FileHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all of them.
    pub fn finish(self) -> FileHash {
        FileHash(self.0.finalize().into())
    }
}

impl fmt::Debug for FileHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileHasher")
    }
}

impl TrustedComment {
    /// The comment that minisign itself writes: a time, in seconds since 1970, and the name of the file.
    pub fn of_file(name: &str, timestamp: u64) -> Result<TrustedComment, CommentError> {
        if name.chars().any(char::is_control) {
            return Err(CommentError::Control);
        }
        let text = format!("timestamp:{timestamp}\tfile:{name}\thashed");
        match text.len() > COMMENT_MAX {
            true => Err(CommentError::TooLong),
            false => Ok(TrustedComment(text)),
        }
    }
}

/// The signature of a file, as the text of `FILE.minisig`.
pub fn sign_file<S: Signer>(
    signer: &S,
    file: &FileHash,
    comment: &TrustedComment,
) -> Result<String, SignError<S::Error>> {
    let key = signer.public_key();
    let signature = sign_message(signer, &Message::of_minisign(file.0.to_vec()))?;
    let both = [signature.as_slice(), comment.0.as_bytes()].concat();
    let global = sign_message(signer, &Message::of_minisign(both))?;
    let head = [b"ED".as_slice(), &key_number(key), &signature].concat();
    Ok(format!(
        "untrusted comment: signature by the key {}\n{}\ntrusted comment: {}\n{}\n",
        name_of(key),
        BASE64.encode(head),
        comment.0,
        BASE64.encode(global)
    ))
}

/// A public key as minisign reads it, `minisign -V -p FILE`.
pub fn public_key(key: PublicKey) -> String {
    let bytes = [b"Ed".as_slice(), &key_number(key), &key.to_bytes()].concat();
    format!("untrusted comment: minisign public key {}\n{}\n", name_of(key), BASE64.encode(bytes))
}

/// Minisign draws the number of a key by lot, to tell a wrong key from a wrong signature; ours follows from the key.
fn key_number(key: PublicKey) -> [u8; 8] {
    std::array::from_fn(|at| key.fingerprint().as_bytes()[at])
}

/// The number as minisign writes it for people: of 64 bits, little-endian, in upper-case figures.
fn name_of(key: PublicKey) -> String {
    format!("{:016X}", u64::from_le_bytes(key_number(key)))
}

/// The name of a file cannot be in a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommentError {
    /// Minisign ends a comment at the end of a line, and so would a reader.
    #[error("the name of the file has a control character in it, which a signature of minisign cannot say")]
    Control,
    /// Minisign reads no more.
    #[error("the name of the file is too long for a signature of minisign")]
    TooLong,
}

impl Diagnose for CommentError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some("give the file another name".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn hash(bytes: &[u8]) -> FileHash {
        let mut hasher = FileHasher::default();
        bytes.chunks(7).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    #[test]
    fn the_hash_is_blake2b_512() {
        // RFC 7693, appendix A: "abc".
        let FileHash(bytes) = hash(b"abc");
        assert_eq!(bytes[..8], [0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d]);
        assert_eq!(bytes[56..], [0xb9, 0x23, 0x86, 0xed, 0xd4, 0x00, 0x99, 0x23]);
    }

    #[test]
    fn a_signature_has_four_lines_and_only_a_signer_makes_it() {
        let key = SigningKey::from_seed([5; 32]);
        let comment = TrustedComment::of_file("x.iso", 7).unwrap();
        let text = sign_file(&key, &hash(b"content"), &comment).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2], "trusted comment: timestamp:7\tfile:x.iso\thashed");
        assert_eq!(text, sign_file(&key, &hash(b"content"), &comment).unwrap());
        let head = BASE64.decode(lines[1]).unwrap();
        let public = public_key(key.public_key());
        let public = BASE64.decode(public.lines().nth(1).unwrap()).unwrap();
        assert_eq!((head.len(), &head[..2], &head[2..10]), (74, b"ED".as_slice(), &public[2..10]));
    }

    #[test]
    fn a_comment_is_one_line() {
        for name in ["a\nb", "a\tb", "a\u{7f}"] {
            assert_eq!(TrustedComment::of_file(name, 0), Err(CommentError::Control));
        }
        assert_eq!(TrustedComment::of_file(&"x".repeat(COMMENT_MAX), 0), Err(CommentError::TooLong));
    }
}

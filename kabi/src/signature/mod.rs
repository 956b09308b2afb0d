//! The signature at the end of a module: who made it, and with which key.
//!
//! A signed module is followed by a CMS message (RFC 5652), a trailer that has its length, and a magic string
//! (scripts/sign-file.c; kernel/module/signing.c, `module_sig_check`). What is signed is the module before all that.

mod cms;
mod key_id;
#[cfg(feature = "verify")]
mod verify;

use serde::{Deserialize, Serialize};
use spec::Digest;

pub(crate) use cms::digest_of_name;
pub use key_id::{KeyId, KeyIdError};
#[cfg(feature = "verify")]
pub use verify::{SignatureError, verify, verify_detached};

use crate::InfoText;

/// `MODULE_SIG_STRING` (linux/module_signature.h).
const MAGIC: &[u8; 28] = b"~Module signature appended~\n";
/// `struct module_signature` (linux/module_signature.h): five `u8`, three bytes of padding, a big-endian `u32`.
const TRAILER: usize = 12;
/// `PKEY_ID_PKCS7`, the only form since Linux 4.3.
const PKCS7: u8 = 2;

/// Who signed a module, as its own words have it: whether it is true, only the key can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleSignature {
    /// The common name of who issued the certificate; none if the key is named by its subject key identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<InfoText>,
    /// Who issued the certificate: the SHA-256 of the whole name in DER. None if the key is named by its subject key
    /// identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Digest>,
    /// Which of the kernel's keys it must be checked with: a serial number of that issuer's, or the identifier.
    pub key: KeyId,
    /// The digest algorithm, by the kernel's name or, if it is none of the usual ones, by its object identifier.
    pub hash: InfoText,
}

impl ModuleSignature {
    /// What the CMS message says; of several signers, the first, as modinfo does.
    pub(crate) fn parse(message: &[u8]) -> Result<ModuleSignature, SignatureProblem> {
        cms::facts(&cms::signer(message)?)
    }
}

/// What is wrong with the signature of a module. A kernel with CONFIG_MODULE_SIG refuses such a module even where it
/// takes unsigned ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    /// The file ends before the trailer, or the trailer has fields that no longer mean anything.
    #[error("the trailer of the signature at the end of the file is broken")]
    Trailer,
    /// The message would start before the file does.
    #[error("the signature should have {length} bytes, and only {size} bytes come before its trailer")]
    Length {
        /// `sig_len` of the trailer.
        length: u32,
        /// Bytes before the trailer.
        size: usize,
    },
    /// The message is not CMS in DER.
    #[error("the signature is not a CMS message: {0}")]
    Cms(String),
    /// A message of another kind than the kernel takes.
    #[error("the signature is a CMS message {0}; the kernel refuses that")]
    Kind(&'static str),
    /// What modinfo would show is no line of text.
    #[error("the signature names its {what} in a way that cannot be shown")]
    Unreadable {
        /// What it names.
        what: &'static str,
    },
}

/// A file of a module, divided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The module, which is what was signed.
    pub(crate) module: &'a [u8],
    /// The CMS message, if there is one that kernels look at.
    pub(crate) message: Option<&'a [u8]>,
}

/// Divides a file, as the kernel does (kernel/module_signature.c, `mod_check_sig`).
pub(crate) fn split(bytes: &[u8]) -> Result<Parts<'_>, SignatureProblem> {
    let Some(signed) = bytes.strip_suffix(MAGIC) else {
        return Ok(Parts { module: bytes, message: None });
    };
    let (rest, trailer) = signed.split_last_chunk::<TRAILER>().ok_or(SignatureProblem::Trailer)?;
    let [algorithm, hash, kind, signer, key, pad @ .., _, _, _, _] = *trailer;
    let length = u32::from_be_bytes(*trailer.last_chunk().expect("the trailer has 12 bytes"));
    let before = rest.len().checked_sub(length as usize).filter(|before| *before > 0);
    let Some(before) = before else {
        return Err(SignatureProblem::Length { length, size: rest.len() });
    };
    // Anything else is a signature of before 4.3; the kernel takes it for none.
    if kind != PKCS7 {
        return Ok(Parts { module: rest, message: None });
    }
    let pad: [u8; 3] = pad;
    if [algorithm, hash, signer, key] != [0; 4] || pad != [0; 3] {
        return Err(SignatureProblem::Trailer);
    }
    let (module, message) = rest.split_at(before);
    Ok(Parts { module, message: Some(message) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{ISSUER, ModuleFile, cms_message, issuer_of};

    /// A trailer with these fields before the length, and the magic string.
    fn trailer(fields: [u8; 8], length: usize) -> Vec<u8> {
        [fields.as_slice(), &(length as u32).to_be_bytes(), MAGIC].concat()
    }

    const FIELDS: [u8; 8] = [0, 0, PKCS7, 0, 0, 0, 0, 0];

    fn signed(message: &[u8]) -> ModuleFile {
        ModuleFile::new("m").appended(&[message, &trailer(FIELDS, message.len())].concat())
    }

    #[test]
    fn who_signed_is_read_and_the_module_is_what_comes_before() {
        let message = cms_message(&[0, 0xab, 0xcd]);
        let file = signed(&message);
        let signature = file.parse().signature.unwrap();
        assert_eq!(signature.signer.unwrap().as_str(), "Somebody");
        assert_eq!((signature.key.as_str(), signature.hash.as_str()), ("abcd", "sha256"));
        assert_eq!(signature.issuer, Some(issuer_of(ISSUER)));
        let bytes = file.bytes();
        assert_eq!(split(&bytes).unwrap().module, ModuleFile::new("m").bytes());
        assert_eq!(split(&bytes).unwrap().message, Some(message.as_slice()));
    }

    #[test]
    fn what_the_kernel_takes_for_no_signature_is_none() {
        let plain = ModuleFile::new("m");
        let message = cms_message(&[1]);
        let old = trailer([0, 0, 1, 0, 0, 0, 0, 0], message.len());
        for appended in
            [&b"~Module signature appended~"[..], b"anything", &[message.as_slice(), &old].concat()]
        {
            assert_eq!(plain.clone().appended(appended).parse().signature, None);
        }
    }

    #[test]
    fn a_broken_signature_is_refused_with_what_is_wrong() {
        let message = cms_message(&[1]);
        let with = |fields, length| [message.as_slice(), &trailer(fields, length)].concat();
        let size = ModuleFile::new("m").bytes().len() + message.len();
        for (appended, part) in [
            (with(FIELDS, size), "and only"),
            (with(FIELDS, u32::MAX as usize), "should have 4294967295 bytes"),
            (with([1, 0, PKCS7, 0, 0, 0, 0, 0], message.len()), "trailer"),
            (with([0, 0, PKCS7, 0, 0, 0, 0, 1], message.len()), "trailer"),
            (with(FIELDS, message.len() - 1), "is not a CMS message"),
            (with(FIELDS, message.len() + 1), "is not a CMS message"),
            (with(FIELDS, 0), "is not a CMS message"),
        ] {
            let problem = ModuleFile::new("m").appended(&appended).refused();
            assert!(problem.contains(part), "{problem:?} does not say {part:?}");
        }
        assert_eq!(split(MAGIC).unwrap_err(), SignatureProblem::Trailer);
    }

    proptest! {
        #[test]
        fn no_change_to_a_signature_makes_the_reader_panic(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut: prop::sample::Index,
        ) {
            let mut message = cms_message(&[1, 2, 3]);
            for (index, byte) in edits {
                *index.get_mut(&mut message) = byte;
            }
            let _ = ModuleSignature::parse(&message);
            let _ = ModuleSignature::parse(&message[..cut.index(message.len())]);
            let _ = split(&signed(&message).bytes());
        }
    }
}

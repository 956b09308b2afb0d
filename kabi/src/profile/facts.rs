//! What a profile says about a kernel besides its exports.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use spec::{Digest, ModuleName};

use super::KernelOptions;
use crate::{InfoText, KeyId, ModuleSignature, StructLayout};

/// Longest build id, in bytes; the linker makes 20 of SHA-1 and takes any number by hand (ld(1), --build-id).
const BUILD_ID_MAX: usize = 64;

/// Facts about a kernel; those that could not be learned are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelFacts {
    /// The vermagic of its own modules.
    pub vermagic: Option<InfoText>,
    /// Which build of the release it is.
    pub build_id: Option<BuildId>,
    /// `struct module` in its own modules.
    pub layout: Option<StructLayout>,
    /// How it was configured.
    pub options: KernelOptions,
    /// What could be a module and is a part of the kernel image.
    pub builtins: BTreeSet<ModuleName>,
    /// The keys that are built into it, in its order.
    pub keys: Vec<TrustedKey>,
}

/// A certificate that is built into the kernel: modules that its key has signed are loaded wherever signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The common name of its subject.
    pub subject: InfoText,
    /// Who issued it: the SHA-256 of the whole name in DER.
    pub issuer: Digest,
    /// Its serial number among those of its issuer; by both of them most signatures name it.
    pub serial: KeyId,
    /// Its subject key identifier (RFC 5280, section 4.2.1.2), by which other signatures name it.
    pub key_id: Option<KeyId>,
    /// The public key: SubjectPublicKeyInfo as DER.
    pub spki: Vec<u8>,
}

impl TrustedKey {
    /// Is it the key that the signature names? The kernel compares issuer and serial number together, or the subject key
    /// identifier (crypto/asymmetric_keys/pkcs7_trust.c, `pkcs7_validate_trust_one`).
    pub fn is_named_by(&self, signature: &ModuleSignature) -> bool {
        match &signature.issuer {
            Some(issuer) => self.issuer == *issuer && self.serial == signature.key,
            None => self.key_id.as_ref() == Some(&signature.key),
        }
    }
}

/// The build id of a kernel (NT_GNU_BUILD_ID, `/sys/kernel/notes`): a hash of what was linked, as lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildId(String);

/// The text cannot be a build id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a build id: expected 1 to {BUILD_ID_MAX} bytes as lower-case hexadecimal digits")]
pub struct BuildIdError(String);

impl BuildId {
    /// The build id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The build id among ELF notes, such as those of a running kernel in `/sys/kernel/notes`.
    pub fn from_notes(notes: &[u8]) -> Option<BuildId> {
        crate::kernel::build_id(notes)
    }

    /// The build id with these bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<BuildId> {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.parse().ok()
    }
}

impl FromStr for BuildId {
    type Err = BuildIdError;

    fn from_str(text: &str) -> Result<BuildId, BuildIdError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let sound = (2..=2 * BUILD_ID_MAX).contains(&text.len())
            && text.len().is_multiple_of(2)
            && text.bytes().all(is_digit);
        match sound {
            true => Ok(BuildId(text.to_owned())),
            false => Err(BuildIdError(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_has_one_form() {
        let id = BuildId::from_bytes(&[0x0a, 0xff]).unwrap();
        assert_eq!((id.as_str(), "0aff".parse()), ("0aff", Ok(id.clone())));
        for bad in ["", "0", "0aF0", "0xff", &"00".repeat(65)] {
            assert!(bad.parse::<BuildId>().is_err(), "{bad}");
        }
    }
}

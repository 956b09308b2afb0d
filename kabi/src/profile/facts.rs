//! What a profile says about a kernel besides its exports.

use std::collections::BTreeSet;

use spec::{BuildId, Digest, ModuleName};

use super::KernelOptions;
use crate::{InfoText, KeyId, ModuleSignature, StructLayout};

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

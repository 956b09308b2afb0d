//! Why an extension is left out, or what is odd about one that is not: a code for machines and a sentence for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of refusal. The kebab-case form is an interface: it is in `status.json`, and it never changes meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// No artifact of that name and version is on the medium.
    NotFound,
    /// The bytes of a manifest, config or layer are not the ones that were signed.
    DigestMismatch,
    /// A document is not what its media type says: broken, too large, or of another version.
    MalformedArtifact,
    /// There is no signature.
    SignatureMissing,
    /// No signature is by a key that the trust policy has.
    KeyUnknown,
    /// A signature by a trusted key does not match the signed bytes.
    SignatureInvalid,
    /// A signature is good, but says something else than that this extension may be used.
    StatementMismatch,
    /// The key may not sign for this name.
    KeyOutOfScope,
    /// Fewer keys have signed than the trust policy demands.
    TooFewSignatures,
    /// The policy denies this very digest.
    DigestDenied,
    /// A component is of an older security generation than the policy allows.
    GenerationTooLow,
    /// The trust policy demands a signed set, and there is none that may be believed.
    SetMissing,
    /// The signed set of this machine does not have this artifact.
    NotInSet,
    /// The trust policy, or the signed set, is past its date.
    TrustExpired,
    /// The image holds something that can run or steer something, and the extension does not declare it.
    GrantMissing,
    /// The extension declares something that the key which signed it may not let in.
    GrantRefused,
    /// Name or version of the signed config is not what was asked for.
    IdentityMismatch,
    /// Made for another architecture.
    ArchMismatch,
    /// Modules made for another kernel release or another build of it.
    KernelMismatch,
    /// A module was built for a kernel of other properties: preemption, module unloading, versions of symbols.
    VermagicMismatch,
    /// A module was built with another layout of `struct module`.
    ModuleLayoutMismatch,
    /// A module says nothing about the kernel that it was built for; kernels load it by force or not at all.
    ModuleUnversioned,
    /// The type information of a module is not about this kernel.
    BtfMismatch,
    /// A module needs something that the kernel was built without.
    KernelOptionMissing,
    /// A module is not signed, and the kernel loads signed ones only.
    ModuleUnsigned,
    /// A module is signed with a key that the kernel does not have.
    ModuleKeyUnknown,
    /// A module imports a symbol that nothing exports.
    SymbolMissing,
    /// A module imports a symbol that is exported with another CRC: its meaning has changed.
    SymbolCrcMismatch,
    /// A module imports a symbol that is exported to others only: by its licence, or in a namespace it does not import.
    SymbolRestricted,
    /// A module of the same name is there already, or is part of the kernel itself.
    ModuleDuplicate,
    /// Modules need each other in a circle.
    ModuleCycle,
    /// Members of one release of an upstream are of different versions.
    GroupMismatch,
    /// A file of firmware that a module may ask for is nowhere.
    FirmwareMissing,
    /// A module takes symbols of a module of the kernel, of which nobody said whether the base ships it.
    ModuleAssumed,
    /// Not everything is known of the kernel that decides whether modules fit it.
    KernelFactsUnknown,
    /// A module that another wants to be loaded with it is nowhere.
    SoftDependencyMissing,
    /// A module exports a symbol that the base or another extension exports too.
    SymbolDuplicate,
    /// A required extension is missing, refused, or of another version.
    RequirementUnmet,
    /// A path is in the base or in another extension already.
    PathCollision,
    /// The kernel refused to mount the image, or it is damaged.
    ActivationFailed,
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The serde name is the one name: ask serde for it.
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(code)) => f.write_str(&code),
            _ => Err(fmt::Error),
        }
    }
}

/// One reason for a refusal, or for a second look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// What kind of refusal it is.
    pub code: ReasonCode,
    /// The whole story in a sentence.
    pub sentence: String,
    /// What the person who can fix it does next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The thing that was looked at: a module, or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The kernel symbol in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// What would have been right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// What was there instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl Reason {
    /// A reason that has nothing but its code and sentence yet.
    pub fn new(code: ReasonCode, sentence: impl Into<String>) -> Reason {
        Reason {
            code,
            sentence: sentence.into(),
            hint: None,
            subject: None,
            symbol: None,
            wanted: None,
            found: None,
        }
    }

    /// Adds what to do next.
    pub fn hint(self, hint: impl Into<String>) -> Reason {
        Reason { hint: Some(hint.into()), ..self }
    }

    /// Adds the module or path that was looked at.
    pub fn subject(self, subject: impl Into<String>) -> Reason {
        Reason { subject: Some(subject.into()), ..self }
    }

    /// Adds the kernel symbol in question.
    pub fn symbol(self, symbol: impl Into<String>) -> Reason {
        Reason { symbol: Some(symbol.into()), ..self }
    }

    /// Adds the value that would have been right and the one that was there.
    pub fn wanted_found(self, wanted: impl Into<String>, found: impl Into<String>) -> Reason {
        Reason { wanted: Some(wanted.into()), found: Some(found.into()), ..self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

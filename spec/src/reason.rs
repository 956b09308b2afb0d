//! Why an extension is left out: a code for machines and a sentence for people.

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
    /// Name or version of the signed config is not what was asked for.
    IdentityMismatch,
    /// Made for another architecture.
    ArchMismatch,
    /// Modules made for another kernel release.
    KernelMismatch,
    /// A module imports a symbol that nothing exports.
    SymbolMissing,
    /// A module imports a symbol that is exported with another CRC: its meaning has changed.
    SymbolCrcMismatch,
    /// A module imports a symbol that is exported to others only: by its licence, or in a namespace it does not import.
    SymbolRestricted,
    /// A module of the same name is there already.
    ModuleDuplicate,
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

/// One reason for a refusal.
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

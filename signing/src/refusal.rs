//! Why an extension may not be used, in words.

use spec::{Diagnose, Digest, ExtensionName, Grant, Outcome, Reason, ReasonCode};

use crate::envelope::BundleError;
use crate::key::KeyHint;
use crate::statement::StatementError;

/// Why an extension may not be used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There are no bundles.
    #[error("{name} is not signed: there is no signature bundle for {manifest}")]
    Missing {
        /// The extension.
        name: ExtensionName,
        /// The manifest that was to be used.
        manifest: Digest,
    },
    /// A bundle is no bundle.
    #[error("the signature bundle of {name} cannot be read")]
    Malformed {
        /// The extension.
        name: ExtensionName,
        /// What is wrong with the bundle.
        source: BundleError,
    },
    /// All bundles that can be read name keys that the policy does not have.
    #[error("{name} is signed by no key of the trust policy, but by {}", listed(hints))]
    KeyUnknown {
        /// The extension.
        name: ExtensionName,
        /// The keys that the bundles name, sorted, each once.
        hints: Vec<KeyHint>,
    },
    /// A bundle names a key of the policy, and the signature is not by it, or the payload has been changed since.
    #[error("the signature of {name} names the key {signer}, but that key has not signed these bytes")]
    SignatureInvalid {
        /// The extension.
        name: ExtensionName,
        /// The name of the key in the policy.
        signer: String,
    },
    /// A trusted key has signed something that is not an approval.
    #[error("key {signer} has signed a statement, but not that {name} may be used")]
    OtherStatement {
        /// The extension.
        name: ExtensionName,
        /// The name of the key in the policy.
        signer: String,
        /// What the statement is instead.
        source: StatementError,
    },
    /// A trusted key has approved another manifest.
    #[error("the signature of {name} by key {signer} is for the manifest {found}, not for {wanted}")]
    OtherManifest {
        /// The extension.
        name: ExtensionName,
        /// The name of the key in the policy.
        signer: String,
        /// The manifest that was to be used.
        wanted: Digest,
        /// The manifest that is approved.
        found: Digest,
    },
    /// A trusted key has approved the manifest under another name.
    #[error("key {signer} has signed this manifest as {found:?}, not as {name}")]
    OtherName {
        /// The extension.
        name: ExtensionName,
        /// The name of the key in the policy.
        signer: String,
        /// The name that is approved.
        found: String,
    },
    /// A trusted key has approved the manifest, but is trusted with something else.
    #[error("key {signer} has signed {name}, but the policy does not have it as a publisher")]
    NoPublisher {
        /// The extension.
        name: ExtensionName,
        /// The name of the key in the policy.
        signer: String,
    },
    /// A trusted key has approved the manifest, but the policy does not let it.
    #[error("key {signer} may not sign for {name}, only for {}", scope.join(", "))]
    KeyOutOfScope {
        /// The extension.
        name: ExtensionName,
        /// The name of the key in the policy.
        signer: String,
        /// The names that it may sign for.
        scope: Vec<String>,
    },
    /// Good signatures, and too few of them.
    #[error("{name} is signed by {}, and the policy demands {threshold} different keys", signers.join(", "))]
    TooFew {
        /// The extension.
        name: ExtensionName,
        /// The names of the keys that have signed.
        signers: Vec<String>,
        /// How many keys must have.
        threshold: usize,
    },
    /// The trust policy or the set is past its date.
    #[error("{what}, and so {name} is not let in")]
    Expired {
        /// The extension.
        name: ExtensionName,
        /// What is past its date, and since when.
        what: String,
    },
    /// The policy, or a revocation, denies the very manifest.
    #[error("the manifest {manifest} of {name} is denied by the trust policy or its revocation")]
    Denied {
        /// The extension.
        name: ExtensionName,
        /// Its manifest.
        manifest: Digest,
    },
    /// The policy demands a set, and none is believed.
    #[error(
        "{name} needs to be in a signed set for the class {class}, and there is none that may be believed"
    )]
    NoSet {
        /// The extension.
        name: ExtensionName,
        /// The class of machines.
        class: ExtensionName,
    },
    /// The set has another manifest under this name, or none.
    #[error(
        "{name} with the manifest {manifest} is not in version {version} of the set for the class {class}"
    )]
    NotInSet {
        /// The extension.
        name: ExtensionName,
        /// The class of machines.
        class: ExtensionName,
        /// The version of the set.
        version: u64,
        /// The manifest that was to be used.
        manifest: Digest,
        /// The manifest that the set has under this name.
        found: Option<Box<Digest>>,
    },
    /// The config of the approved manifest is of another extension.
    #[error("the signed config is of the extension {found}, not of {wanted}")]
    OtherConfig {
        /// The name that was approved.
        wanted: ExtensionName,
        /// The name in the config.
        found: ExtensionName,
    },
    /// A component is of a generation that must not run any more.
    #[error("{name} has generation {found} of {component}, and at least {floor} is demanded")]
    TooOld {
        /// The extension.
        name: ExtensionName,
        /// The component.
        component: ExtensionName,
        /// The lowest generation that may run.
        floor: u64,
        /// The generation that it has.
        found: u64,
    },
    /// The extension carries something that those who signed it may not let in.
    #[error("{name} needs the grant {grant}, which {} may not give", by.join(", "))]
    NotGranted {
        /// The extension.
        name: ExtensionName,
        /// The grant.
        grant: Grant,
        /// The keys that have signed, or the developer override.
        by: Vec<String>,
    },
}

/// Unknown keys that a sentence names: enough to find one's own among them.
const HINTS_SHOWN: usize = 3;

fn listed(hints: &[KeyHint]) -> String {
    let mut shown: Vec<String> = hints.iter().take(HINTS_SHOWN).map(ToString::to_string).collect();
    if hints.len() > HINTS_SHOWN {
        shown.push(format!("{} more", hints.len() - HINTS_SHOWN));
    }
    shown.join(", ")
}

impl Refusal {
    /// How far the bundle came; a later check has a higher number.
    pub(crate) fn progress(&self) -> u8 {
        match self {
            Refusal::Missing { .. } => 0,
            Refusal::Malformed { .. } => 1,
            Refusal::KeyUnknown { .. } => 2,
            Refusal::SignatureInvalid { .. } => 3,
            Refusal::OtherStatement { .. } => 4,
            Refusal::OtherManifest { .. } => 5,
            Refusal::OtherName { .. } => 6,
            Refusal::NoPublisher { .. } => 7,
            Refusal::KeyOutOfScope { .. } => 8,
            // These are not about one bundle.
            Refusal::TooFew { .. }
            | Refusal::Expired { .. }
            | Refusal::Denied { .. }
            | Refusal::NoSet { .. }
            | Refusal::NotInSet { .. }
            | Refusal::OtherConfig { .. }
            | Refusal::TooOld { .. }
            | Refusal::NotGranted { .. } => 9,
        }
    }

    pub(crate) fn unknown_hints(&self) -> &[KeyHint] {
        match self {
            Refusal::KeyUnknown { hints, .. } => hints,
            _ => &[],
        }
    }

    /// The kind of refusal, for status.
    pub fn code(&self) -> ReasonCode {
        match self {
            Refusal::Missing { .. } => ReasonCode::SignatureMissing,
            Refusal::Malformed { .. } => ReasonCode::MalformedArtifact,
            Refusal::KeyUnknown { .. } => ReasonCode::KeyUnknown,
            Refusal::SignatureInvalid { .. } => ReasonCode::SignatureInvalid,
            Refusal::OtherStatement { .. } | Refusal::OtherManifest { .. } | Refusal::OtherName { .. } => {
                ReasonCode::StatementMismatch
            }
            Refusal::NoPublisher { .. } | Refusal::KeyOutOfScope { .. } => ReasonCode::KeyOutOfScope,
            Refusal::TooFew { .. } => ReasonCode::TooFewSignatures,
            Refusal::Expired { .. } => ReasonCode::TrustExpired,
            Refusal::Denied { .. } => ReasonCode::DigestDenied,
            Refusal::NoSet { .. } => ReasonCode::SetMissing,
            Refusal::NotInSet { .. } => ReasonCode::NotInSet,
            Refusal::OtherConfig { .. } => ReasonCode::IdentityMismatch,
            Refusal::TooOld { .. } => ReasonCode::GenerationTooLow,
            Refusal::NotGranted { .. } => ReasonCode::GrantRefused,
        }
    }

    /// The refusal as status shows it: the sentence with its causes, the hint, and wanted and found values.
    pub fn reason(&self) -> Reason {
        let reason = Reason { hint: self.hint(), ..Reason::new(self.code(), spec::sentence(self)) };
        match self {
            Refusal::OtherManifest { wanted, found, .. } => {
                reason.wanted_found(wanted.to_string(), found.to_string())
            }
            Refusal::OtherName { name, found, .. } => reason.wanted_found(name.to_string(), found),
            Refusal::KeyOutOfScope { name, scope, .. } => {
                reason.wanted_found(name.to_string(), scope.join(", "))
            }
            Refusal::TooFew { signers, threshold, .. } => {
                reason.wanted_found(threshold.to_string(), signers.len().to_string())
            }
            Refusal::NotInSet { manifest, found, .. } => {
                let found = found.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
                reason.wanted_found(manifest.to_string(), found)
            }
            Refusal::OtherConfig { wanted, found } => reason.wanted_found(wanted.as_str(), found.as_str()),
            Refusal::TooOld { component, floor, found, .. } => {
                reason.subject(component.as_str()).wanted_found(floor.to_string(), found.to_string())
            }
            Refusal::NotGranted { grant, .. } => reason.subject(grant.to_string()),
            _ => reason,
        }
    }
}

impl Diagnose for Refusal {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Refusal::Missing { .. } => {
                "sign it with extbuild sign, or fetch it together with its signature".into()
            }
            Refusal::Malformed { .. } | Refusal::SignatureInvalid { .. } => {
                "fetch the signature again from where it was published, and do not use it if it stays so"
                    .into()
            }
            Refusal::KeyUnknown { .. } => {
                "if you trust the publisher, add its public key to the trust policy".into()
            }
            Refusal::OtherStatement { .. } | Refusal::OtherManifest { .. } | Refusal::OtherName { .. } => {
                "fetch the artifact and its signature together, or have this manifest signed under this name"
                    .into()
            }
            Refusal::NoPublisher { signer, .. } => {
                format!("if {signer} is to sign extensions, add publisher to its roles in the trust policy")
            }
            Refusal::TooFew { .. } => {
                "have it signed with another key of the trust policy, beside the signatures that it has"
                    .into()
            }
            Refusal::Expired { .. } => {
                "put the next version of what has expired, and its signatures, where this one is".into()
            }
            Refusal::Denied { .. } | Refusal::TooOld { .. } => {
                "it must not run any more: take a newer one, or ask those who keep the trust policy".into()
            }
            Refusal::NoSet { class, .. } => {
                format!(
                    "have an operator sign a set for {class} with extbuild trust set, and put it on the medium"
                )
            }
            Refusal::NotInSet { class, .. } => {
                format!(
                    "have an operator sign the next version of the set for {class} with this manifest in it"
                )
            }
            Refusal::OtherConfig { .. } => "build and sign it again".into(),
            Refusal::NotGranted { grant, by, .. } => format!(
                "if it is to carry that, add {grant} under may: of {} in the trust policy",
                by.join(", ")
            ),
            Refusal::KeyOutOfScope { name, signer, .. } => {
                format!(
                    "if {signer} is to publish {name}, add the name to its extensions in the trust policy"
                )
            }
        })
    }
}

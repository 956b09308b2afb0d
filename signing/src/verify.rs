//! The audit page: the only place where a [`Verified`] is made.
//!
//! There is one verdict and no way around it: no option, no fallback, no second format. A bundle is good if it can be
//! read, names a key of the policy, is signed with that key, says exactly what is asked, and the key may say it; in
//! this order, so no statement is parsed before its signature is found good.

use std::collections::BTreeSet;

use spec::artifact::limits;
use spec::{Diagnose, Digest, ExtensionName, Outcome, Reason, ReasonCode};

use crate::envelope::{Bundle, BundleError, Message, Statement, StatementError};
use crate::key::KeyHint;
use crate::policy::{TrustPolicy, TrustedKey};

/// A `T` that a trusted key has signed. Whoever needs such a `T` asks for it in this form; only
/// [`verify_extension`] makes one, and it can be neither copied nor forged.
///
/// ```compile_fail,E0451
/// # let name: spec::ExtensionName = "wireguard".parse().unwrap();
/// # let manifest = spec::Digest::of(b"");
/// let approval = signing::Approval { name, manifest };
/// let forged = signing::Verified { value: approval, signer: String::new() };
/// ```
///
/// ```compile_fail,E0599
/// fn twice(verified: signing::Verified<signing::Approval>) -> [signing::Verified<signing::Approval>; 2] {
///     [verified.clone(), verified]
/// }
/// ```
#[derive(Debug)]
pub struct Verified<T> {
    value: T,
    signer: String,
}

impl<T> Verified<T> {
    /// What was signed.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The name that the policy gives to the key.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// What was signed, for those who need no proof of it any more.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// What a good signature says: this manifest is this extension.
///
/// It says so for the manifest and the name only. Whoever reads the config of that manifest checks that its digest is
/// the one in the manifest and that the name in it is this name, and otherwise refuses with
/// [`ReasonCode::IdentityMismatch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The extension.
    pub name: ExtensionName,
    /// The digest of its manifest.
    pub manifest: Digest,
}

/// Decides whether `manifest` may be used as the extension `wanted`.
///
/// One good bundle is enough, whatever lies beside it; the first [`limits::BUNDLES`] are looked at. If none is good,
/// the refusal is that of the bundle that came furthest, in the order of the checks above, and the first one of
/// those that came equally far.
pub fn verify_extension(
    policy: &TrustPolicy,
    wanted: &ExtensionName,
    manifest: &Digest,
    bundles: &[impl AsRef<[u8]>],
) -> Result<Verified<Approval>, Refusal> {
    let approval = Approval { name: wanted.clone(), manifest: *manifest };
    let mut refusals = Vec::new();
    for bundle in bundles.iter().take(limits::BUNDLES) {
        match check_bundle(policy, &approval, bundle.as_ref()) {
            Ok(key) => return Ok(Verified { value: approval, signer: key.name().to_owned() }),
            Err(refusal) => refusals.push(refusal),
        }
    }
    Err(most_telling(refusals, &approval))
}

/// The key that has signed `approval` in this bundle, if all is well with it.
fn check_bundle<'p>(
    policy: &'p TrustPolicy,
    approval: &Approval,
    bytes: &[u8],
) -> Result<&'p TrustedKey, Refusal> {
    let name = &approval.name;
    let bundle = Bundle::parse(bytes).map_err(|source| Refusal::Malformed { name: name.clone(), source })?;
    let key = policy
        .key(&bundle.hint())
        .ok_or_else(|| Refusal::KeyUnknown { name: name.clone(), hints: vec![bundle.hint()] })?;
    let signer = || key.name().to_owned();

    let message = Message::of(bundle.payload());
    if !key.public_key().has_signed(&message, bundle.signature()) {
        return Err(Refusal::SignatureInvalid { name: name.clone(), signer: signer() });
    }
    let statement = Statement::parse(bundle.payload()).map_err(|source| Refusal::OtherStatement {
        name: name.clone(),
        signer: signer(),
        source,
    })?;
    if statement.manifest != approval.manifest {
        let (wanted, found) = (approval.manifest, statement.manifest);
        return Err(Refusal::OtherManifest { name: name.clone(), signer: signer(), wanted, found });
    }
    if statement.name != name.as_str() {
        let found = statement.name.chars().take(80).collect();
        return Err(Refusal::OtherName { name: name.clone(), signer: signer(), found });
    }
    if !key.may_sign(name) {
        let scope = key.extensions().iter().map(ToString::to_string).collect();
        return Err(Refusal::KeyOutOfScope { name: name.clone(), signer: signer(), scope });
    }
    Ok(key)
}

fn most_telling(refusals: Vec<Refusal>, approval: &Approval) -> Refusal {
    let Approval { name, manifest } = approval.clone();
    let unknown: BTreeSet<KeyHint> = refusals.iter().flat_map(Refusal::unknown_hints).copied().collect();
    // `min_by_key` takes the first of equals, where `max_by_key` takes the last.
    match refusals.into_iter().min_by_key(|refusal| std::cmp::Reverse(refusal.progress())) {
        None => Refusal::Missing { name, manifest },
        Some(Refusal::KeyUnknown { .. }) => {
            Refusal::KeyUnknown { name, hints: unknown.into_iter().collect() }
        }
        Some(refusal) => refusal,
    }
}

/// Why no bundle lets a manifest be used.
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
    fn progress(&self) -> u8 {
        match self {
            Refusal::Missing { .. } => 0,
            Refusal::Malformed { .. } => 1,
            Refusal::KeyUnknown { .. } => 2,
            Refusal::SignatureInvalid { .. } => 3,
            Refusal::OtherStatement { .. } => 4,
            Refusal::OtherManifest { .. } => 5,
            Refusal::OtherName { .. } => 6,
            Refusal::KeyOutOfScope { .. } => 7,
        }
    }

    fn unknown_hints(&self) -> &[KeyHint] {
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
            Refusal::KeyOutOfScope { .. } => ReasonCode::KeyOutOfScope,
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
            Refusal::KeyOutOfScope { name, signer, .. } => {
                format!(
                    "if {signer} is to publish {name}, add the name to its extensions in the trust policy"
                )
            }
        })
    }
}

//! The audit page: the only place where a [`Verified`] is made.
//!
//! There is one verdict and no way around it: no option, no fallback, no second format. For each name one rule decides,
//! and the policy says which: signatures by enough of its keys, or, if it has an override for that name, none.
//! A bundle is good if it can be read, names a key of the policy, is signed with that key, says exactly what is asked,
//! and the key may say it; in this order, so no statement is parsed before its signature is found good.

use std::collections::{BTreeMap, BTreeSet};

use spec::artifact::limits;
use spec::defence::{self, Threat};
use spec::{Digest, ExtensionName};

use crate::envelope::{Bundle, Message};
use crate::key::KeyHint;
use crate::policy::{Developer, Role, TrustPolicy, TrustedKey};
use crate::refusal::Refusal;
use crate::statement::{Purpose, Statement};
use crate::trust::Trust;

/// A `T` that trusted keys have signed. Whoever needs such a `T` asks for it in this form; only [`verify_extension`] and
/// [`verify_index`] make one, and it can be neither copied nor forged.
///
/// ```compile_fail,E0451
/// # let name: spec::ExtensionName = "wireguard".parse().unwrap();
/// # let manifest = spec::Digest::of(b"");
/// let approval = signing::Approval { name, manifest };
/// let forged = signing::Verified { value: approval, authority: todo!() };
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
    authority: Authority,
}

/// By whose word something is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authority {
    /// Keys of the policy have signed it: at least as many as it demands, each once.
    Keys(Vec<TrustedKey>),
    /// The policy has an override for it, and nobody need have signed it.
    Developer(Developer),
}

impl<T> Verified<T> {
    /// What was signed.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The names that the policy gives to the keys; none if a developer override let it in.
    pub fn signers(&self) -> Vec<&str> {
        match &self.authority {
            Authority::Keys(keys) => keys.iter().map(TrustedKey::name).collect(),
            Authority::Developer(_) => Vec::new(),
        }
    }

    /// The developer override that let it in without a signature.
    pub fn developer(&self) -> Option<&str> {
        match &self.authority {
            Authority::Keys(_) => None,
            Authority::Developer(developer) => Some(&developer.name),
        }
    }

    /// What was signed, for those who need no proof of it any more.
    pub fn into_value(self) -> T {
        self.value
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl Authority {
    /// The names of the keys, or of the override.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Authority::Keys(keys) => keys.iter().map(|key| key.name().to_owned()).collect(),
            Authority::Developer(developer) => vec![developer.name.clone()],
        }
    }
}

/// What a good signature says: this manifest is this extension.
///
/// It says so for the manifest and the name only. Whoever reads the config of that manifest passes both to
/// [`crate::clear`], which holds the config against name and policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The extension.
    pub name: ExtensionName,
    /// The digest of its manifest.
    pub manifest: Digest,
}

/// What a good signature of an index says: it lists what there is of a version of this extension.
///
/// No machine reads an index. It tells people, and programs that move extensions, which manifests belong together; each of
/// them is believed by its own signatures alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedIndex {
    /// The extension.
    pub name: ExtensionName,
    /// The digest of the index.
    pub index: Digest,
}

/// Decides whether `manifest` may be used as the extension `wanted`.
///
/// As many different keys must have signed as the policy demands, whatever lies beside their bundles; of each key of the
/// policy the first [`limits::BUNDLES`] are looked at that name it. If none is good, the refusal is that of the bundle
/// that came furthest, in the order of the checks above, and the first one of those that came equally far.
pub fn verify_extension(
    trust: &Trust,
    wanted: &ExtensionName,
    manifest: &Digest,
    bundles: &[impl AsRef<[u8]>],
) -> Result<Verified<Approval>, Refusal> {
    let approval = Approval { name: wanted.clone(), manifest: *manifest };
    let authority = authority(trust, &approval, bundles, || check_set(trust, &approval))?;
    Ok(Verified { value: approval, authority })
}

/// Decides whether `index` may be taken for the list of what there is of a version of `wanted`, by the same rules. Sets have
/// no say in it: their members are manifests.
pub fn verify_index(
    trust: &Trust,
    wanted: &ExtensionName,
    index: &Digest,
    bundles: &[impl AsRef<[u8]>],
) -> Result<Verified<ApprovedIndex>, Refusal> {
    let approval = Approval { name: wanted.clone(), manifest: *index };
    let authority = authority(trust, &approval, bundles, || Ok(()))?;
    Ok(Verified { value: ApprovedIndex { name: wanted.clone(), index: *index }, authority })
}

/// Those by whose word the approval is believed; `check` is what the override of a developer lets pass besides.
fn authority(
    trust: &Trust,
    approval: &Approval,
    bundles: &[impl AsRef<[u8]>],
    check: impl FnOnce() -> Result<(), Refusal>,
) -> Result<Authority, Refusal> {
    check_rules(trust, approval)?;
    if let Some(developer) = override_for(trust.policy(), &approval.name) {
        return Ok(Authority::Developer(developer.clone()));
    }
    check()?;
    signers(trust.policy(), approval, bundles).map(Authority::Keys)
}

/// What no signature helps against.
fn check_rules(trust: &Trust, approval: &Approval) -> Result<(), Refusal> {
    let Approval { name, manifest } = approval.clone();
    if let Some(what) = trust.expired().filter(|_| defence::stands(Threat::A1)) {
        return Err(Refusal::Expired { name, what: what.to_owned() });
    }
    match trust.denies(&manifest) && defence::stands(Threat::C12) {
        true => Err(Refusal::Denied { name, manifest }),
        false => Ok(()),
    }
}

fn override_for<'p>(policy: &'p TrustPolicy, name: &ExtensionName) -> Option<&'p Developer> {
    policy.developer().filter(|developer| developer.covers(name))
}

/// Is it what the operators have signed for this class of machines?
fn check_set(trust: &Trust, approval: &Approval) -> Result<(), Refusal> {
    let Some(rule) = trust.policy().set() else { return Ok(()) };
    let Approval { name, manifest } = approval.clone();
    let class = rule.class.clone();
    let Some(set) = trust.set() else { return Err(Refusal::NoSet { name, class }) };
    let found = set.members.get(&name).map(|member| member.manifest);
    match found == Some(manifest) || !defence::stands(Threat::A2) {
        true => Ok(()),
        false => {
            let found = found.map(Box::new);
            Err(Refusal::NotInSet { name, class, version: set.version, manifest, found })
        }
    }
}

/// The keys that have signed: enough of them, each once.
fn signers(
    policy: &TrustPolicy,
    approval: &Approval,
    bundles: &[impl AsRef<[u8]>],
) -> Result<Vec<TrustedKey>, Refusal> {
    let mut good: Vec<TrustedKey> = Vec::new();
    let mut refusals = Vec::new();
    // A flood in the name of one key does not use up what another one has.
    let mut looked_at = BTreeMap::<&str, usize>::new();
    for bytes in bundles {
        match named_key(policy, approval, bytes.as_ref()) {
            Err(refusal) => refusals.push(refusal),
            Ok((key, bundle)) => {
                let count = looked_at.entry(key.name()).or_default();
                if *count == limits::BUNDLES {
                    continue;
                }
                *count += 1;
                match check_bundle(key, approval, &bundle) {
                    Ok(()) if good.contains(key) && defence::stands(Threat::A7) => {}
                    Ok(()) => good.push(key.clone()),
                    Err(refusal) => refusals.push(refusal),
                }
            }
        }
    }
    let threshold = policy.thresholds().of(Role::Publisher);
    match good.len() {
        // Without a defence, for the tests of it, nobody has signed and it gets in all the same.
        0 if !defence::stands(if refusals.is_empty() { Threat::B5 } else { Threat::A8 }) => Ok(good),
        0 => Err(most_telling(refusals, approval)),
        count if count < threshold => {
            let (name, signers) =
                (approval.name.clone(), good.iter().map(|key| key.name().to_owned()).collect());
            Err(Refusal::TooFew { name, signers, threshold })
        }
        _ => Ok(good),
    }
}

/// The key of the policy that a bundle names. Bundles of strangers cost no more than this.
fn named_key<'p>(
    policy: &'p TrustPolicy,
    approval: &Approval,
    bytes: &[u8],
) -> Result<(&'p TrustedKey, Bundle), Refusal> {
    let name = || approval.name.clone();
    let bundle = Bundle::parse(bytes).map_err(|source| Refusal::Malformed { name: name(), source })?;
    match policy.key(&bundle.hint()) {
        Some(key) => Ok((key, bundle)),
        None => Err(Refusal::KeyUnknown { name: name(), hints: vec![bundle.hint()] }),
    }
}

/// Has the key signed `approval` in this bundle, and may it?
fn check_bundle(key: &TrustedKey, approval: &Approval, bundle: &Bundle) -> Result<(), Refusal> {
    let name = &approval.name;
    let signer = || key.name().to_owned();

    let message = Message::of(bundle.payload());
    if !key.public_key().has_signed(&message, bundle.signature()) {
        return Err(Refusal::SignatureInvalid { name: name.clone(), signer: signer() });
    }
    let statement = Statement::parse(bundle.payload(), Purpose::Extension)
        .map_err(|source| Refusal::OtherStatement { name: name.clone(), signer: signer(), source })?;
    if statement.digest != approval.manifest {
        let (wanted, found) = (approval.manifest, statement.digest);
        return Err(Refusal::OtherManifest { name: name.clone(), signer: signer(), wanted, found });
    }
    if statement.name != name.as_str() && defence::stands(Threat::A3) {
        let found = statement.name.chars().take(80).collect();
        return Err(Refusal::OtherName { name: name.clone(), signer: signer(), found });
    }
    if !key.roles().contains(&Role::Publisher) && defence::stands(Threat::A3) {
        return Err(Refusal::NoPublisher { name: name.clone(), signer: signer() });
    }
    if !key.may_sign(name) && defence::stands(Threat::A3) {
        let scope = key.extensions().iter().map(ToString::to_string).collect();
        return Err(Refusal::KeyOutOfScope { name: name.clone(), signer: signer(), scope });
    }
    Ok(())
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

//! Which extensions go onto the medium: of each that the machine wants, the one that boot would take.

use catalog::{Entry, Layout};
use signing::{Refusal, TrustPolicy, verify_extension};
use spec::machine::{ExtensionsConfig, Wanted};
use spec::{Arch, VersionRange};

use crate::error::ComposeError;

/// An extension for the medium.
#[derive(Debug)]
pub struct Selected {
    /// Name, version and manifest.
    pub entry: Entry,
    /// What the trust policy says: the key that has signed it, or why the machine will refuse it.
    pub verdict: Result<String, Refusal>,
}

/// Takes the highest version that the layout has of every extension that is wanted. One that the machine will refuse
/// is taken too, with the verdict: what is done about it is for whoever composes to decide.
pub(crate) fn select(
    layout: &Layout,
    wanted: &ExtensionsConfig,
    policy: &TrustPolicy,
    arch: Arch,
) -> Result<Vec<Selected>, ComposeError> {
    wanted.extensions.iter().map(|wanted| select_one(layout, wanted, policy, arch)).collect()
}

fn select_one(
    layout: &Layout,
    wanted: &Wanted,
    policy: &TrustPolicy,
    arch: Arch,
) -> Result<Selected, ComposeError> {
    let Wanted { name, version } = wanted;
    let entry = layout.candidates(name, version).into_iter().find(|entry| is_for(entry, arch));
    let entry = entry.ok_or_else(|| ComposeError::NoCandidate {
        name: name.clone(),
        range: version.clone(),
        arch,
        directory: layout.dir().to_owned(),
        there: layout.candidates(name, &VersionRange::any()).iter().map(describe).collect(),
    })?;
    let signatures = layout.signatures(&entry.descriptor.digest);
    let verdict = verify_extension(policy, name, &entry.descriptor.digest, &signatures.bundles)
        .map(|verified| verified.signer().to_owned());
    Ok(Selected { entry, verdict })
}

/// An index need not say for which machine a manifest is; boot finds out.
fn is_for(entry: &Entry, arch: Arch) -> bool {
    entry.descriptor.platform.as_ref().is_none_or(|platform| platform.architecture == arch.as_str())
}

fn describe(entry: &Entry) -> String {
    match &entry.descriptor.platform {
        Some(platform) => format!("{} ({})", entry.version, platform.architecture),
        None => entry.version.to_string(),
    }
}

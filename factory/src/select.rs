//! Which extensions go onto the medium: of each that the machine wants, the one that boot would take.

use catalog::{Entry, Layout};
use spec::machine::{ExtensionsConfig, Wanted};
use spec::status::ExtensionStatus;
use spec::{Arch, Digest, VersionRange};

use crate::error::ComposeError;

/// An extension for the medium.
#[derive(Debug)]
pub struct Selected {
    /// Name, version and manifest.
    pub entry: Entry,
    /// What the boot program will make of it. One that it will refuse goes onto the medium too: what is done about it is
    /// for whoever composes to decide.
    pub fate: ExtensionStatus,
}

/// Finds in the layout what boot would take of every extension that is wanted. `fates` are in the order of the config.
pub(crate) fn select(
    layout: &Layout,
    wanted: &ExtensionsConfig,
    fates: Vec<ExtensionStatus>,
    arch: Arch,
) -> Result<Vec<Selected>, ComposeError> {
    let both = wanted.extensions.iter().zip(fates);
    both.map(|(wanted, fate)| {
        let entry = select_one(layout, wanted, fate.digest, arch)?;
        Ok(Selected { entry, fate })
    })
    .collect()
}

fn select_one(
    layout: &Layout,
    wanted: &Wanted,
    taken: Option<Digest>,
    arch: Arch,
) -> Result<Entry, ComposeError> {
    let Wanted { name, version, .. } = wanted;
    let is_taken = |entry: &Entry| Some(entry.descriptor.digest) == taken && is_for(entry, arch);
    let entry = layout.candidates(name, version).into_iter().find(is_taken);
    entry.ok_or_else(|| ComposeError::NoCandidate {
        name: name.clone(),
        range: version.clone(),
        arch,
        directory: layout.dir().to_owned(),
        there: layout.candidates(name, &VersionRange::any()).iter().map(describe).collect(),
    })
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

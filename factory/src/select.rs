//! Which extensions go onto the medium: of each that the machine wants, the one that boot would take.

use catalog::{Entry, Layout};
use spec::machine::{ExtensionsConfig, Wanted};
use spec::status::ExtensionStatus;
use spec::{Arch, VersionRange};

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

/// Finds the highest version that the layout has of every extension that is wanted.
pub(crate) fn select(
    layout: &Layout,
    wanted: &ExtensionsConfig,
    arch: Arch,
) -> Result<Vec<Entry>, ComposeError> {
    wanted.extensions.iter().map(|wanted| select_one(layout, wanted, arch)).collect()
}

fn select_one(layout: &Layout, wanted: &Wanted, arch: Arch) -> Result<Entry, ComposeError> {
    let Wanted { name, version } = wanted;
    let entry = layout.candidates(name, version).into_iter().find(|entry| is_for(entry, arch));
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

//! The extension as an OCI artifact: media types and the config that holds every fact a decision needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::defence::{self, Threat};
use crate::listing::{self, Listing};
use crate::verity::{RootHashSignature, VerityFacts};
use crate::{
    Arch, Diagnose, ExtensionName, Grant, GrantKind, KernelRelease, Load, ModuleName, Outcome, Probe,
    TreePath, Version, VersionRange,
};

/// Media types and annotation keys of an extension artifact (OCI image-spec 1.1, manifest.md and annotations.md).
pub mod media {
    /// `artifactType` of the manifest.
    pub const ARTIFACT: &str = "application/vnd.tenon.extension.v1";
    /// The config: [`super::ExtensionConfig`] as JSON.
    pub const CONFIG: &str = "application/vnd.tenon.extension.config.v1+json";
    /// First layer: the squashfs image.
    pub const IMAGE: &str = "application/vnd.tenon.extension.image.v1.squashfs";
    /// Second layer: [`crate::listing::Listing`] of the image as text.
    pub const PATHS: &str = "application/vnd.tenon.extension.paths.v1";
    /// Third layer, where there are modules: `kabi::Record` as JSON.
    pub const KABI: &str = "application/vnd.tenon.extension.kabi.v1+json";
    /// A sigstore bundle: artifact type and layer of a signature.
    pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    /// An OCI image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The config of an artifact that has none.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

    /// `predicateType` of the in-toto statement that approves the manifest of an extension.
    pub const APPROVAL: &str = "https://tenon.dev/extension/v1";

    /// Annotation: name of the extension; a hint for finding it, never believed.
    pub const NAME_KEY: &str = "dev.tenon.name";
    /// Annotation: version of the extension; a hint for finding it, never believed.
    pub const VERSION_KEY: &str = "dev.tenon.version";
    /// Annotation: the tag of a manifest in the index of an OCI layout.
    pub const REF_NAME_KEY: &str = "org.opencontainers.image.ref.name";
}

/// Sizes above which a blob is refused unread, in bytes.
pub mod limits {
    /// A manifest or index: what registries accept (OCI distribution-spec 1.1).
    pub const MANIFEST: u64 = 4 << 20;
    /// A config.
    pub const CONFIG: u64 = 1 << 20;
    /// An image. Ours are far smaller; a descriptor is written by anybody, and must not fill a disk.
    pub const IMAGE: u64 = 16 << 30;
    /// A listing of paths or a kernel ABI record.
    pub const FACTS: u64 = 64 << 20;
    /// Everything that lies beside a trust policy, together.
    pub const TRUST: u64 = 16 << 20;
    /// A signature bundle.
    pub const BUNDLE: u64 = 1 << 20;
    /// Bundles that are looked at for one manifest; anybody with push rights can add more. Reading and verifying so many
    /// forged ones takes a quarter of a second, and nobody has so many signers.
    pub const BUNDLES: usize = 1024;
    /// Probes of an extension.
    pub const PROBES: usize = 16;
    /// Bytes of bundles that are read for one manifest. A bundle with one signature has about 1 KiB.
    pub const BUNDLES_SIZE: u64 = 64 << 20;
}

/// The config blob of an extension artifact. Its digest is in the manifest, and the manifest is what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtensionConfig {
    /// Layout of this document: 1.
    pub schema_version: u32,
    /// What the extension is called, wherever it is stored.
    pub name: ExtensionName,
    /// The version of the extension.
    pub version: Version,
    /// The exact version of what it carries, in upstream's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The architecture of its modules and binaries.
    pub arch: Arch,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// SPDX licence expression of what it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The kernel that its modules were built for; none without modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelRelease>,
    /// Extensions that must be there too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// Modules to load once it is active, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load: Vec<Load>,
    /// What shows that it works, before anybody confirms the set that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// Modules that may be loaded by force, which taints the kernel: they do not say what they were built for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub force: Vec<ModuleName>,
    /// The release of an upstream that it is a part of; all parts that are active must be of the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<ReleaseGroup>,
    /// What it carries that needs a grant, sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// Security generations by component: a number goes up when what came before must not run any more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generations: BTreeMap<ExtensionName, u64>,
    /// How large the image is when it is read: bounds for whoever reads it.
    pub content: ContentFacts,
    /// How the image is opened through dm-verity; none if it has no hash tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verity: Option<VerityFacts>,
    /// A signature of its root hash, for kernels that ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_hash_signature: Option<RootHashSignature>,
}

impl ExtensionConfig {
    /// Does it declare that it has a newer one of this file of the base? That is for files only: a directory is shared,
    /// and whoever replaced one would take away what is in it.
    pub fn replaces(&self, path: &TreePath, base: &Listing) -> bool {
        let declared =
            |grant: &Grant| grant.kind() == GrantKind::Replaces && grant.subject() == path.as_str();
        base.get(path) == Some(listing::Kind::Leaf) && self.grants.iter().any(declared)
    }

    /// Is everything declared that the config itself has loaded or run? And is it within bounds?
    pub fn check_steps(&self) -> Result<(), StepsError> {
        if self.probes.len() > limits::PROBES {
            return Err(StepsError::TooManyProbes(self.probes.len()));
        }
        match steps(&self.load, &self.probes).find(|grant| !self.grants.contains(grant)) {
            Some(grant) if defence::stands(Threat::C10) => Err(StepsError::Undeclared(grant)),
            _ => Ok(()),
        }
    }
}

/// The grants for what is done for an extension when it is active.
pub fn steps(load: &[Load], probes: &[Probe]) -> impl Iterator<Item = Grant> {
    load.iter().filter_map(Load::grant).chain(probes.iter().filter_map(Probe::grant))
}

/// What is to be done for an extension when it is active, and must not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepsError {
    /// It steers or runs something, and nobody said that it may.
    #[error("{}, which needs the grant {_0}, and the extension does not declare that", step(_0))]
    Undeclared(Grant),
    /// Whoever confirms a set waits for all of them.
    #[error("it has {_0} probes, and at most {most} are run", most = limits::PROBES)]
    TooManyProbes(usize),
}

/// What is done for an extension that needs such a grant.
pub fn step(grant: &Grant) -> String {
    let subject = grant.subject();
    match grant.kind() {
        GrantKind::ModprobeOptions => format!("module {subject} is loaded with parameters"),
        GrantKind::ProbeRun => format!("{subject} is run as a probe"),
        _ => format!("{subject} is used"),
    }
}

impl Diagnose for StepsError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            StepsError::Undeclared(grant) => Some(format!("add \"{grant}\" to the grants in its manifest")),
            StepsError::TooManyProbes(_) => Some("let one program look at several things".into()),
        }
    }
}

/// The layout of [`ExtensionConfig`] that this version writes and reads.
pub const CONFIG_SCHEMA: u32 = 1;

/// An extension that another one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its name.
    pub name: ExtensionName,
    /// The versions that will do.
    #[serde(default = "VersionRange::any")]
    pub version: VersionRange,
}

/// A release that comes in parts which work only together, such as a driver, its firmware and its libraries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseGroup {
    /// What the parts are parts of.
    pub name: ExtensionName,
    /// The exact version, in upstream's words.
    pub version: String,
}

/// What is inside the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentFacts {
    /// Files, directories and links, the root included.
    pub inodes: u64,
    /// Sum of the sizes of all files, in bytes.
    pub bytes: u64,
}

//! The base OS as its users see it: what `base.json` beside (and inside the initramfs before) a base image says.

use serde::{Deserialize, Serialize};

use crate::{Arch, Digest, ExtensionName, KernelRelease, ModuleName, Version};

/// Where the base image holds its own facts; extensions may not go there.
pub mod places {
    /// The kernel profile, `kabi::Profile` as text.
    pub const PROFILE: &str = "/usr/lib/tenon/kabi.db";
    /// The list of the base's paths, [`crate::listing::Listing`] as text.
    pub const PATHS: &str = "/usr/lib/tenon/paths";
    /// The modules that the base ships, `kabi::Record` as JSON.
    pub const MODULES: &str = "/usr/lib/tenon/modules.json";
}

/// The files of a base directory, as `extbuild base` writes it.
pub mod files {
    /// [`super::BaseDescription`] as JSON.
    pub const DESCRIPTION: &str = "base.json";
    /// The root file system.
    pub const ROOT: &str = "root.squashfs";
    /// The kernel image.
    pub const KERNEL: &str = "vmlinuz";
    /// Directory of the uncompressed modules that boot needs, named `NAME.ko`.
    pub const BOOT_MODULES: &str = "boot-modules";
    /// Copies of the facts inside the root image, for builders: the same bytes as at [`super::places`].
    pub const PROFILE: &str = "kabi.db";
    /// See [`PROFILE`].
    pub const PATHS: &str = "paths";
    /// See [`PROFILE`].
    pub const MODULES: &str = "modules.json";
}

/// Identity of a base and of its parts. The initramfs carries it, so whoever trusts the initramfs trusts the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BaseDescription {
    /// Layout of this document: 1.
    pub schema_version: u32,
    /// What the base is called.
    pub name: ExtensionName,
    /// Its version.
    pub version: Version,
    /// Its architecture.
    pub arch: Arch,
    /// Its kernel.
    pub kernel: KernelRelease,
    /// The root image.
    pub root: BaseImage,
    /// Modules that the initramfs loads before it looks for the root image, in order.
    pub boot_modules: Vec<ModuleName>,
}

/// The root image of a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseImage {
    /// Digest of the whole file.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

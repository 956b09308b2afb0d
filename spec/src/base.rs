//! The base OS as its users see it: what `base.json` beside (and inside the initramfs before) a base image says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::verity::VerityFacts;
use crate::{Arch, Diagnose, Digest, ExtensionName, KernelRelease, ModuleName, Outcome, Version};

/// Where the base image holds its own facts; extensions may not go there.
pub mod places {
    /// The kernel profile, `kabi::Profile` as bytes.
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
    /// Layout of this document: [`SCHEMA`].
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
    /// How it is opened through dm-verity; none if it has no hash tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verity: Option<VerityFacts>,
}

/// The layout of [`BaseDescription`] that this version writes and reads.
pub const SCHEMA: u32 = 1;

impl BaseDescription {
    /// Reads the JSON document; `file` names it in errors.
    pub fn parse(json: &[u8], file: &str) -> Result<BaseDescription, BaseDescriptionError> {
        /// The one field that every version of the document has.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Versioned {
            schema_version: u32,
        }
        let broken = |source| BaseDescriptionError::Broken { file: file.to_owned(), source };
        let found = serde_json::from_slice::<Versioned>(json).map_err(broken)?.schema_version;
        match found {
            SCHEMA => serde_json::from_slice(json).map_err(broken),
            found => Err(BaseDescriptionError::Schema { file: file.to_owned(), found }),
        }
    }
}

/// Name and version.
impl fmt::Display for BaseDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// A file does not describe a base.
#[derive(Debug, thiserror::Error)]
pub enum BaseDescriptionError {
    /// It is not the JSON that it should be.
    #[error("{file} is not the description of a base")]
    Broken {
        /// The file.
        file: String,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
    /// It is of another version of Tenon.
    #[error("{file} has schemaVersion {found}; this program reads {SCHEMA}")]
    Schema {
        /// The file.
        file: String,
        /// What it says.
        found: u32,
    },
}

impl Diagnose for BaseDescriptionError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            BaseDescriptionError::Schema { found, .. } if *found > SCHEMA => {
                "use a newer version of this program".into()
            }
            _ => "write the base directory again with extbuild base".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_layout_is_named_before_its_fields_are_looked_at() {
        let error = BaseDescription::parse(b"{\"schemaVersion\": 2, \"news\": true}", "b.json").unwrap_err();
        assert_eq!(error.to_string(), "b.json has schemaVersion 2; this program reads 1");
        assert_eq!(error.hint().as_deref(), Some("use a newer version of this program"));
        let error = BaseDescription::parse(b"{\"schemaVersion\": 1}", "b.json").unwrap_err();
        assert_eq!(error.to_string(), "b.json is not the description of a base");
    }
}

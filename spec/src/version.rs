//! Versions of extensions. Versions of what they carry are upstream's business and compare only for equality.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::door::{display_inner, serde_by_text};

/// The version of an extension: semver 2.0.0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(semver::Version);

impl Version {
    /// The version as a part of an OCI tag, where `+` is not allowed: `_` stands for it, as Helm has it.
    pub fn as_tag(&self) -> String {
        self.0.to_string().replace('+', "_")
    }
}

/// The text is not a semver version or range.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not a {wanted}")]
pub struct VersionError {
    text: String,
    wanted: &'static str,
    #[source]
    source: semver::Error,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Version, VersionError> {
        text.parse().map(Version).map_err(|source| VersionError {
            text: text.chars().take(80).collect(),
            wanted: "version: expected MAJOR.MINOR.PATCH as in semver",
            source,
        })
    }
}

/// A set of versions, as Cargo writes it: `1.2` is `^1.2`, `=1.2.3` is exact, `>=1, <3` is both, `*` is any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange(semver::VersionReq);

impl VersionRange {
    /// The range that has every version.
    pub fn any() -> VersionRange {
        VersionRange(semver::VersionReq::STAR)
    }

    /// Is `version` in the range?
    pub fn contains(&self, version: &Version) -> bool {
        self.0.matches(&version.0)
    }
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<VersionRange, VersionError> {
        text.parse().map(VersionRange).map_err(|source| VersionError {
            text: text.chars().take(80).collect(),
            wanted: "version range: expected for example ^1.2, =1.2.3 or >=1, <3",
            source,
        })
    }
}

serde_by_text!(Version, VersionRange);
display_inner!(Version, VersionRange);

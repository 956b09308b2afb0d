//! The set: what a class of machines runs, member by member, as an operator signs it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use spec::machine::API_VERSION;
use spec::{Digest, ExtensionName, Version, yaml};

use crate::document::{DocumentError, Header};
use crate::moment::Moment;

/// `kind` of a set.
pub(crate) const KIND: &str = "ExtensionSet";

/// What a class of machines runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionSet {
    /// The class of machines.
    pub class: ExtensionName,
    /// Its version: of two sets the higher one is in force.
    pub version: u64,
    /// When it is to be replaced.
    pub expires: Option<Moment>,
    /// The members by name.
    pub members: BTreeMap<ExtensionName, Member>,
}

/// One member of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its version, for people.
    pub version: Version,
    /// The digest of its manifest.
    pub manifest: Digest,
}

impl ExtensionSet {
    /// Reads a set. `file` names the text in errors.
    pub fn parse(text: &str, file: &str) -> Result<ExtensionSet, DocumentError> {
        let header: Header = yaml::parse(text, file)?;
        header.expect(KIND, file)?;
        let Document { class, version, expires, extensions, .. } = yaml::parse(text, file)?;
        let mut members = BTreeMap::new();
        for MemberFragment { name, version, digest } in extensions {
            if members.insert(name.clone(), Member { version, manifest: digest }).is_some() {
                return Err(DocumentError::Twice { file: file.to_owned(), name });
            }
        }
        Ok(ExtensionSet { class, version, expires, members })
    }

    /// Writes the set as [`ExtensionSet::parse`] reads it.
    pub fn to_yaml(&self) -> String {
        let ExtensionSet { class, version, expires, members } = self;
        let mut text =
            format!("apiVersion: {API_VERSION}\nkind: {KIND}\nclass: {class}\nversion: {version}\n");
        if let Some(expires) = expires {
            text += &format!("expires: {expires}\n");
        }
        text += if members.is_empty() { "extensions: []\n" } else { "extensions:\n" };
        for (name, Member { version, manifest }) in members {
            text += &format!("  - name: {name}\n    version: \"{version}\"\n    digest: {manifest}\n");
        }
        text
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    class: ExtensionName,
    version: u64,
    #[serde(default)]
    expires: Option<Moment>,
    extensions: Vec<MemberFragment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberFragment {
    name: ExtensionName,
    version: Version,
    digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ExtensionSet {
        let member = Member { version: "1.2.0".parse().unwrap(), manifest: Digest::of(b"wireguard") };
        ExtensionSet {
            class: "edge".parse().unwrap(),
            version: 7,
            expires: Some("2030-01-01".parse().unwrap()),
            members: [("wireguard".parse().unwrap(), member)].into(),
        }
    }

    #[test]
    fn a_set_reads_as_it_is_written() {
        let text = set().to_yaml();
        assert_eq!(ExtensionSet::parse(&text, "set.yaml").unwrap(), set());
        let empty = ExtensionSet { members: BTreeMap::new(), expires: None, ..set() };
        assert_eq!(ExtensionSet::parse(&empty.to_yaml(), "set.yaml").unwrap(), empty);
    }

    #[test]
    fn a_set_of_mistakes_is_refused() {
        let text = set().to_yaml();
        let said = |text: &str| ExtensionSet::parse(text, "set.yaml").unwrap_err().to_string();
        let member = text.split("extensions:\n").nth(1).unwrap();
        assert_eq!(said(&format!("{text}{member}")), "set.yaml: the set has wireguard twice");
        assert!(said(&text.replace(KIND, "Set")).starts_with("set.yaml: kind is \"Set\", not ExtensionSet"));
        assert!(said(&text.replace("version: 7", "version: -7")).starts_with("set.yaml:4:"));
        assert!(said(&format!("{text}x: 1\n")).contains("unknown field"));
    }
}

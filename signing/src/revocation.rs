//! The revocation: what must not run any more, as an operator signs it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use spec::machine::API_VERSION;
use spec::{Digest, ExtensionName, yaml};

use crate::document::{self, DocumentError, Header};

/// `kind` of a revocation.
pub(crate) const KIND: &str = "Revocation";

/// What must not run any more. It has no date of expiry: what is revoked stays so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocation {
    /// Its version: of two the higher one is in force, and no floor of it may be lower than of those before.
    pub version: u64,
    /// The lowest security generation of each component that may run.
    pub generations: BTreeMap<ExtensionName, u64>,
    /// Manifests that may not be used, whoever has signed them.
    pub denied: BTreeSet<Digest>,
}

impl Revocation {
    /// Reads a revocation. `file` names the text in errors.
    pub fn parse(text: &str, file: &str) -> Result<Revocation, DocumentError> {
        let header: Header = yaml::parse(text, file)?;
        header.expect(KIND, file)?;
        let Document { version, generations, deny, .. } = yaml::parse(text, file)?;
        Ok(Revocation { version, generations, denied: document::denied(deny, file)? })
    }

    /// Writes the revocation as [`Revocation::parse`] reads it.
    pub fn to_yaml(&self) -> String {
        let Revocation { version, generations, denied } = self;
        let mut text = format!("apiVersion: {API_VERSION}\nkind: {KIND}\nversion: {version}\n");
        if !generations.is_empty() {
            text += "generations:\n";
        }
        for (component, floor) in generations {
            text += &format!("  {component}: {floor}\n");
        }
        if !denied.is_empty() {
            text += "deny:\n";
        }
        for digest in denied {
            text += &format!("  - {digest}\n");
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
    version: u64,
    #[serde(default)]
    generations: BTreeMap<ExtensionName, u64>,
    #[serde(default)]
    deny: Vec<Digest>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DENIED_MAX;

    #[test]
    fn a_revocation_reads_as_it_is_written() {
        let revocation = Revocation {
            version: 4,
            generations: [("nvidia".parse().unwrap(), 3)].into(),
            denied: [Digest::of(b"bad")].into(),
        };
        let read = |text: &str| Revocation::parse(text, "revocation.yaml").unwrap();
        assert_eq!(read(&revocation.to_yaml()), revocation);
        let nothing = Revocation { version: 1, ..Revocation::default() };
        assert_eq!(read(&nothing.to_yaml()), nothing);
    }

    #[test]
    fn the_list_of_denied_digests_is_short() {
        let denied = (0..=DENIED_MAX).map(|n| Digest::of(&n.to_le_bytes())).collect();
        let text = Revocation { version: 1, generations: BTreeMap::new(), denied }.to_yaml();
        let said = Revocation::parse(&text, "r.yaml").unwrap_err().to_string();
        assert_eq!(said, "r.yaml: 257 digests are denied; at most 256 may be");
    }
}

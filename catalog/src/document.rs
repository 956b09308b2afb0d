//! The two JSON documents of OCI: the manifest, which is one artifact, and the index, which lists manifests
//! (image-spec 1.1, manifest.md and image-index.md).
//!
//! Readers of one document must not see two things in it: one that could be both kinds is refused (CVE-2021-41190),
//! and so is one that says another media type than whoever pointed to it. Other unknown fields are allowed, as OCI
//! demands.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use spec::artifact::{limits, media};
use spec::defence::{self, Threat};

use crate::descriptor::Descriptor;
use crate::error::CatalogError;

/// `schemaVersion` of both documents.
const SCHEMA: u32 = 2;

/// An image manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The blob with the facts.
    pub config: Descriptor,
    /// The blobs with the content.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, rename = "manifests", deserialize_with = "present", skip_serializing)]
    is_also_an_index: bool,
}

/// An image index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// The manifests that it lists.
    pub manifests: Vec<Descriptor>,
    /// Fields that mean nothing here, kept when the index is rewritten.
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

/// A field whose presence alone matters, be it `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Manifest {
    /// A manifest without subject and annotations.
    pub fn new(artifact_type: &str, config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: SCHEMA,
            media_type: Some(media::MANIFEST.to_owned()),
            artifact_type: Some(artifact_type.to_owned()),
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            is_also_an_index: false,
        }
    }

    /// Reads the manifest that `described` points to; the caller has checked size and digest.
    pub fn parse(bytes: &[u8], described: &Descriptor) -> Result<Manifest, CatalogError> {
        let what = format!("manifest {}", described.digest);
        let manifest: Manifest = parse(bytes, &what)?;
        check(&what, manifest.schema_version, described, media::MANIFEST, manifest.media_type.as_deref())?;
        match manifest.is_also_an_index && defence::stands(Threat::A5) {
            true => Err(CatalogError::malformed(what, "it has both layers and manifests")),
            false => Ok(manifest),
        }
    }

    /// The bytes that are stored: compact JSON, fields in the order of the specification.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_json(self)
    }
}

impl Index {
    /// An index that lists nothing.
    pub(crate) fn new() -> Index {
        Index {
            schema_version: SCHEMA,
            media_type: Some(media::INDEX.to_owned()),
            manifests: Vec::new(),
            other: BTreeMap::new(),
        }
    }

    /// Reads the index that `described` points to; the caller has checked size and digest.
    pub fn parse(bytes: &[u8], described: &Descriptor) -> Result<Index, CatalogError> {
        let what = format!("index {}", described.digest);
        let index = Index::parse_unpointed(bytes, &what)?;
        check(&what, index.schema_version, described, media::INDEX, index.media_type.as_deref())?;
        Ok(index)
    }

    /// Reads an index that no descriptor points to, such as `index.json`; `what` names it in errors.
    pub fn parse_unpointed(bytes: &[u8], what: &str) -> Result<Index, CatalogError> {
        let index: Index = parse(bytes, what)?;
        if let Some(field) = ["layers", "config"].into_iter().find(|field| index.other.contains_key(*field)) {
            return Err(CatalogError::malformed(what, format!("it has both manifests and {field}")));
        }
        if index.schema_version != SCHEMA {
            return Err(CatalogError::malformed(what, wrong_schema(index.schema_version)));
        }
        match &index.media_type {
            Some(found) if found != media::INDEX => {
                Err(CatalogError::malformed(what, format!("it says that it is {found}")))
            }
            _ => Ok(index),
        }
    }

    /// Lists `new`, which takes its tag from whatever had it.
    ///
    /// The order is by tag and digest, so that the bytes do not depend on who came first.
    pub(crate) fn list(&mut self, new: Descriptor) {
        let replaced = |old: &Descriptor| match old.tag() {
            Some(tag) => new.tag() == Some(tag),
            None => old.digest == new.digest,
        };
        let listed = new.tag().is_none() && self.manifests.iter().any(|old| old.digest == new.digest);
        if !listed {
            self.manifests.retain(|old| !replaced(old));
            self.manifests.push(new);
        }
        self.manifests.sort_by(|a, b| (a.tag(), a.digest).cmp(&(b.tag(), b.digest)));
    }

    /// Adds what is not listed yet, at the end. Did that change anything?
    pub(crate) fn append_new(&mut self, new: &[Descriptor]) -> bool {
        let before = self.manifests.len();
        for descriptor in new {
            if !self.manifests.iter().any(|old| old.digest == descriptor.digest) {
                self.manifests.push(descriptor.clone());
            }
        }
        self.manifests.len() > before
    }

    /// The bytes that are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_json(self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, CatalogError> {
    let size = bytes.len() as u64;
    if size > limits::MANIFEST {
        return Err(CatalogError::TooLarge { what: what.to_owned(), size, limit: limits::MANIFEST });
    }
    serde_json::from_slice(bytes).map_err(|source| CatalogError::Json { what: what.to_owned(), source })
}

fn check(
    what: &str,
    schema: u32,
    described: &Descriptor,
    expected: &str,
    said: Option<&str>,
) -> Result<(), CatalogError> {
    if schema != SCHEMA {
        return Err(CatalogError::malformed(what, wrong_schema(schema)));
    }
    if described.media_type != expected {
        let reason = format!("it is listed as {}, expected {expected}", described.media_type);
        return Err(CatalogError::malformed(what, reason));
    }
    match said {
        Some(said) if said == expected => Ok(()),
        Some(said) => {
            Err(CatalogError::malformed(what, format!("it says that it is {said}, expected {expected}")))
        }
        None => Err(CatalogError::malformed(what, "it has no mediaType")),
    }
}

fn wrong_schema(found: u32) -> String {
    format!("schemaVersion is {found}, expected {SCHEMA}")
}

fn to_json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("strings and numbers always have a JSON form")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::Tag;

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::parse(&bytes, &Descriptor::of(media::MANIFEST, &bytes));
            let _ = Index::parse(&bytes, &Descriptor::of(media::INDEX, &bytes));
        }

        #[test]
        fn a_damaged_manifest_is_parsed_or_refused(at in 0usize..400, byte in any::<u8>()) {
            let blob = Descriptor::of(media::IMAGE, b"x");
            let mut bytes = Manifest::new(media::ARTIFACT, blob.clone(), vec![blob]).to_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Manifest::parse(&bytes, &Descriptor::of(media::MANIFEST, &bytes));
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = format!(r#"{{"schemaVersion":2,"manifests":[],"x":{}"#, "[".repeat(100_000));
        assert!(Index::parse_unpointed(deep.as_bytes(), "deep").is_err());
    }

    #[test]
    fn the_order_of_an_index_does_not_depend_on_who_came_first() {
        let tag = |tag: &str| tag.parse::<Tag>().unwrap();
        let entries = [
            Descriptor::of(media::MANIFEST, b"1").tagged(&tag("b")),
            Descriptor::of(media::MANIFEST, b"2").tagged(&tag("a")),
            Descriptor::of(media::MANIFEST, b"3"),
        ];
        let listed = |order: [usize; 3]| {
            let mut index = Index::new();
            order.into_iter().for_each(|at| index.list(entries[at].clone()));
            index.to_bytes()
        };
        assert_eq!(listed([0, 1, 2]), listed([2, 1, 0]));
    }
}

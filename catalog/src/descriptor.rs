//! A descriptor: the name that content has in OCI, which is its type, digest and size (image-spec 1.1, descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::artifact::media;
use spec::{Arch, Digest, ExtensionName, Version};

use crate::reference::Tag;

/// What a document says about a blob. Unknown fields are kept, so that an index is rewritten without loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The type of the content.
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// For a manifest: the type of the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// For a manifest: the machines that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes of whoever wrote the descriptor; hints, never believed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Fields that mean nothing here.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// The machines that a manifest is for (image-spec 1.1, image-index.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// In Go's words.
    pub architecture: String,
    /// In Go's words.
    pub os: String,
    /// Fields that mean nothing here.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Platform {
    /// Linux on `arch`.
    pub fn linux(arch: Arch) -> Platform {
        Platform { architecture: arch.as_str().into(), os: "linux".into(), other: BTreeMap::new() }
    }
}

impl Descriptor {
    /// A descriptor with the three facts that every one has.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }

    /// The descriptor of `bytes`.
    pub fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// The three facts alone: what a `subject` has.
    pub fn bare(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest, self.size)
    }

    /// The descriptor of an extension's manifest as an index lists it: with what it can be found by.
    pub fn of_extension(self, name: &ExtensionName, version: &Version, arch: Arch) -> Descriptor {
        let hints = [(media::NAME_KEY, name.to_string()), (media::VERSION_KEY, version.to_string())];
        Descriptor {
            artifact_type: Some(media::ARTIFACT.to_owned()),
            platform: Some(Platform::linux(arch)),
            annotations: hints.map(|(key, value)| (key.to_owned(), value)).into(),
            ..self
        }
    }

    /// The descriptor with a tag.
    pub fn tagged(mut self, tag: &Tag) -> Descriptor {
        self.annotations.insert(media::REF_NAME_KEY.to_owned(), tag.to_string());
        self
    }

    /// The tag that an index gives it.
    pub fn tag(&self) -> Option<&str> {
        self.annotations.get(media::REF_NAME_KEY).map(String::as_str)
    }

    /// The descriptor without its tag.
    pub(crate) fn untagged(mut self) -> Descriptor {
        self.annotations.remove(media::REF_NAME_KEY);
        self
    }

    /// The descriptor of an index, `bytes`, that is found by what this manifest is found by.
    pub(crate) fn as_index(&self, bytes: &[u8]) -> Descriptor {
        Descriptor { annotations: self.annotations.clone(), ..Descriptor::of(media::INDEX, bytes) }
    }
}

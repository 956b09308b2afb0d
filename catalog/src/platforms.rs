//! One version of an extension for several architectures: an image index with a manifest for each
//! (image-spec 1.1, image-index.md).

use std::collections::BTreeSet;

use spec::artifact::{ExtensionConfig, limits, media};
use spec::{Arch, Digest};

use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Index;
use crate::error::CatalogError;
use crate::layout::Layout;
use crate::reference::Selector;

/// Most manifests that an index may list. Linux runs on about twenty architectures (kernel, arch/), and a list that
/// somebody else has written decides how much is fetched.
pub const PLATFORMS_MAX: usize = 16;

/// The manifests that an index lists, one for each architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct Platforms {
    index: Index,
}

/// What a reference to a layout means.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The index, where there is one.
    pub index: Option<Descriptor>,
    /// The manifests that are there: the one that is meant, or those that the index lists.
    pub manifests: Vec<Descriptor>,
    /// What the index lists and the layout does not have.
    pub absent: Vec<Descriptor>,
}

impl Platforms {
    /// The index of these manifests, in the order of their platforms: equal manifests, equal bytes.
    pub(crate) fn of(manifests: impl IntoIterator<Item = Descriptor>) -> Platforms {
        let mut index = Index::new();
        index.manifests = manifests.into_iter().map(Descriptor::untagged).collect();
        index.manifests.sort_by(|a, b| (architecture(a), a.digest).cmp(&(architecture(b), b.digest)));
        Platforms { index }
    }

    /// Reads the index that `described` points to; the caller has checked size and digest.
    ///
    /// Refused: an index in an index, two manifests for one platform, one manifest for two, one for no platform or
    /// for another system than Linux, none at all, more than [`PLATFORMS_MAX`].
    pub fn parse(bytes: &[u8], described: &Descriptor) -> Result<Platforms, CatalogError> {
        let index = Index::parse(bytes, described)?;
        let refuse =
            |reason: String| Err(CatalogError::malformed(format!("index {}", described.digest), reason));
        if !(1..=PLATFORMS_MAX).contains(&index.manifests.len()) {
            let found = index.manifests.len();
            return refuse(format!("it lists {found} manifests, not 1 to {PLATFORMS_MAX}"));
        }
        let (mut platforms, mut digests) = (BTreeSet::new(), BTreeSet::new());
        for listed in &index.manifests {
            if listed.media_type != media::MANIFEST {
                return refuse(format!("it lists {} as {}", listed.digest, excerpt(&listed.media_type)));
            }
            let Some(platform) = listed.platform.as_ref().filter(|platform| platform.os == "linux") else {
                return refuse(format!("it does not say on which Linux {} runs", listed.digest));
            };
            if !platforms.insert(&platform.architecture) {
                let architecture = excerpt(&platform.architecture);
                return refuse(format!("it lists two manifests for {architecture}"));
            }
            if !digests.insert(listed.digest) {
                return refuse(format!("it lists {} twice", listed.digest));
            }
        }
        Ok(Platforms { index })
    }

    /// The manifests.
    pub fn manifests(&self) -> &[Descriptor] {
        &self.index.manifests
    }

    /// The manifests, only that for `arch` where one is named; `described` names the index in errors.
    pub fn for_arch(
        &self,
        arch: Option<Arch>,
        described: &Descriptor,
    ) -> Result<Vec<Descriptor>, CatalogError> {
        let Some(arch) = arch else { return Ok(self.manifests().to_vec()) };
        match self.manifests().iter().find(|listed| architecture(listed) == arch.as_str()) {
            Some(listed) => Ok(vec![listed.clone()]),
            None => Err(CatalogError::ArchMissing {
                of: described.digest,
                arch,
                there: self.manifests().iter().map(|listed| excerpt(architecture(listed))).collect(),
            }),
        }
    }

    /// The bytes that are stored.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.index.to_bytes()
    }
}

impl Found {
    /// One manifest.
    pub fn manifest(manifest: Descriptor) -> Found {
        Found { index: None, manifests: vec![manifest], absent: Vec::new() }
    }

    /// The manifest for one architecture alone. One manifest may be for any: what it is for, its config says.
    pub fn only(self, arch: Arch) -> Result<Found, CatalogError> {
        let Some(index) = &self.index else { return Ok(self) };
        match self.manifests.iter().find(|listed| architecture(listed) == arch.as_str()) {
            Some(listed) => Ok(Found::manifest(listed.clone())),
            None => Err(CatalogError::ArchMissing {
                of: index.digest,
                arch,
                there: self.manifests.iter().map(|listed| excerpt(architecture(listed))).collect(),
            }),
        }
    }

    /// The descriptor of what is meant.
    pub fn named(&self) -> &Descriptor {
        self.index.as_ref().unwrap_or_else(|| self.manifests.first().expect("without an index there is one"))
    }

    /// Everything that is there, the manifests first: whoever reads the index finds what it lists.
    pub fn documents(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().chain(&self.index)
    }

    /// The one manifest that `layout` has of it.
    pub fn one(mut self, layout: &Layout) -> Result<Descriptor, CatalogError> {
        match (self.manifests.pop(), self.manifests.as_slice()) {
            (Some(one), []) => Ok(one),
            (None, _) => {
                self.check_whole().and_then(|()| Err(CatalogError::Empty { dir: layout.dir().to_owned() }))
            }
            (Some(last), others) => Err(CatalogError::SeveralArchitectures {
                index: self.index.as_ref().map_or(last.digest, |index| index.digest),
                found: others
                    .iter()
                    .chain([&last])
                    .map(|listed| (excerpt(architecture(listed)), listed.digest))
                    .collect(),
            }),
        }
    }

    /// Refuses an index of which something is not there.
    pub fn check_whole(&self) -> Result<(), CatalogError> {
        match (&self.index, self.absent.first()) {
            (Some(index), Some(absent)) => Err(CatalogError::IndexNotWhole {
                index: index.digest,
                absent: absent.digest,
                architecture: excerpt(architecture(absent)),
            }),
            _ => Ok(()),
        }
    }
}

impl Layout {
    /// What is meant: a manifest, or an index and what it lists.
    pub fn find(&self, select: &Selector) -> Result<Found, CatalogError> {
        let named = self.named(select)?;
        if named.media_type != media::INDEX {
            return Ok(Found::manifest(named));
        }
        let (manifests, absent) = self
            .platforms(&named)?
            .index
            .manifests
            .into_iter()
            .partition(|listed| self.is_there(&listed.digest));
        Ok(Found { index: Some(named), manifests, absent })
    }

    /// The one manifest that is meant: of an index, the only one that is there.
    pub fn resolve(&self, select: &Selector) -> Result<Descriptor, CatalogError> {
        self.find(select)?.one(self)
    }

    /// Reads an index that the layout lists.
    pub(crate) fn platforms(&self, index: &Descriptor) -> Result<Platforms, CatalogError> {
        Platforms::parse(&self.blob(index, limits::MANIFEST)?, index)
    }

    fn is_there(&self, digest: &Digest) -> bool {
        blobs::open(self.dir(), digest).is_ok()
    }
}

/// An index is of one version of one extension, and says of each manifest which machines it is for. `manifests` are
/// those of `index`, each with what its config says.
pub fn check_agreement<'a>(
    index: &Descriptor,
    manifests: impl IntoIterator<Item = (&'a Descriptor, &'a ExtensionConfig)>,
) -> Result<(), CatalogError> {
    let mut first = None;
    for (listed, config) in manifests {
        let says = |what: String| {
            let reason = format!("manifest {} is of {what}", listed.digest);
            Err(CatalogError::malformed(format!("index {}", index.digest), reason))
        };
        let (name, version) = *first.get_or_insert((&config.name, &config.version));
        if (name, version) != (&config.name, &config.version) {
            return says(format!("{} {}, and others are of {name} {version}", config.name, config.version));
        }
        if architecture(listed) != config.arch.as_str() {
            return says(format!("{}, which is not what it is listed for", config.arch));
        }
    }
    Ok(())
}

fn architecture(listed: &Descriptor) -> &str {
    listed.platform.as_ref().map_or("", |platform| platform.architecture.as_str())
}

/// Enough of a stranger's word to recognise it by.
fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::Platform;

    fn listed(architecture: &str, content: &str) -> serde_json::Value {
        let mut descriptor = Descriptor::of(media::MANIFEST, content.as_bytes());
        descriptor.platform =
            Some(Platform { architecture: architecture.into(), ..Platform::linux(Arch::Amd64) });
        serde_json::to_value(descriptor).unwrap()
    }

    fn parse(manifests: &[serde_json::Value], more: &str) -> Result<Platforms, String> {
        let manifests = serde_json::to_string(manifests).unwrap();
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":{manifests}{more}}}"#, media::INDEX);
        Platforms::parse(text.as_bytes(), &Descriptor::of(media::INDEX, text.as_bytes()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_index_of_extensions_lists_one_manifest_for_each_architecture() {
        let both = [listed("amd64", "a"), listed("arm64", "b")];
        assert_eq!(parse(&both, "").unwrap().manifests().len(), 2);
        let with = |key: &str, value: serde_json::Value| {
            let mut entry = listed("arm64", "b");
            entry[key] = value;
            [listed("amd64", "a"), entry]
        };
        let many: Vec<_> = (0..=PLATFORMS_MAX).map(|n| listed(&format!("a{n}"), &n.to_string())).collect();
        let cases = [
            (parse(&[], ""), "it lists 0 manifests, not 1 to 16"),
            (parse(&many, ""), "it lists 17 manifests, not 1 to 16"),
            (parse(&both, r#","layers":[]"#), "it has both manifests and layers"),
            (parse(&both, r#","layers":null"#), "it has both manifests and layers"),
            (parse(&both, r#","config":{}"#), "it has both manifests and config"),
            (parse(&with("mediaType", media::INDEX.into()), ""), media::INDEX),
            (parse(&with("platform", serde_json::Value::Null), ""), "on which Linux"),
            (
                parse(&with("platform", serde_json::json!({"architecture": "arm64", "os": "plan9"})), ""),
                "on which Linux",
            ),
            (parse(&[listed("amd64", "a"), listed("amd64", "b")], ""), "two manifests for amd64"),
            (parse(&[listed("amd64", "a"), listed("arm64", "a")], ""), "twice"),
        ];
        for (found, wanted) in cases {
            let error = found.unwrap_err();
            assert!(error.contains(wanted), "{wanted} is not in: {error}");
        }
        assert!(parse(&many[1..], "").is_ok(), "16 are allowed");
    }

    #[test]
    fn the_bytes_of_an_index_do_not_depend_on_who_came_first() {
        let entries = ["amd64", "arm64"].map(|architecture| {
            serde_json::from_value::<Descriptor>(listed(architecture, architecture)).unwrap()
        });
        let [amd64, arm64] = entries;
        let bytes = Platforms::of([arm64.clone(), amd64.clone()]).to_bytes();
        assert_eq!(bytes, Platforms::of([amd64, arm64]).to_bytes());
        assert!(Platforms::parse(&bytes, &Descriptor::of(media::INDEX, &bytes)).is_ok());
    }
}

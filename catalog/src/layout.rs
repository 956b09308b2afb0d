//! Reading an OCI image layout: a directory of blobs named by their digest, and an index of what they are
//! (image-spec 1.1, image-layout.md).
//!
//! Nothing in a layout is believed for its name: a tag or an annotation finds a candidate, a digest decides.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use spec::artifact::{limits, media};
use spec::{Digest, ExtensionName, Version, VersionRange};

use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Index;
use crate::error::CatalogError;
use crate::reference::{Selector, Tag};

/// The file that makes a directory a layout, and its only known content (image-layout.md, "oci-layout file").
pub(crate) const MARK_FILE: &str = "oci-layout";
pub(crate) const MARK: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const LAYOUT_VERSION: &str = "1.0.0";
/// The file that lists the manifests of a layout.
pub(crate) const INDEX_FILE: &str = "index.json";

/// A layout as it was when it was opened: what is added later is not seen.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
    index: Index,
}

/// An extension that the index of a layout offers. Name and version are hints until the signed config says the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The manifest.
    pub descriptor: Descriptor,
    /// What the index says it is called.
    pub name: ExtensionName,
    /// What the index says its version is.
    pub version: Version,
}

impl Layout {
    /// Opens the layout in `dir` and reads its index.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Layout, CatalogError> {
        let dir = dir.into();
        check_mark(&dir)?;
        let index = dir.join(INDEX_FILE);
        Layout::with_index(dir, &index)
    }

    /// Opens a layout whose index is a file of its own, and whose blobs are below `dir` beside those of others.
    pub fn with_index(dir: impl Into<PathBuf>, index: &Path) -> Result<Layout, CatalogError> {
        let what = index.display().to_string();
        match blobs::read_named(index, limits::MANIFEST)? {
            Some(bytes) => Ok(Layout { dir: dir.into(), index: Index::parse_unpointed(&bytes, &what)? }),
            None => Err(CatalogError::malformed(what, "it is missing")),
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The tags of the artifacts, sorted; lists of referrers have tags too, which are left out.
    pub fn tags(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = self.artifacts().filter_map(Descriptor::tag).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// The one manifest or index that is meant; without tag and digest, the only one there is.
    pub(crate) fn named(&self, select: &Selector) -> Result<Descriptor, CatalogError> {
        let dir = || self.dir.clone();
        let means = |listed: &&Descriptor| match (&select.digest, &select.tag) {
            (Some(digest), _) => listed.digest == *digest,
            (None, Some(tag)) => listed.tag() == Some(tag.as_str()),
            (None, None) => true,
        };
        let mut found: Vec<&Descriptor> = self.artifacts().filter(means).collect();
        found.dedup_by_key(|listed| listed.digest);
        if select.digest.is_none() {
            leave_indexes(&mut found);
        }
        match (found.as_slice(), &select.digest, &select.tag) {
            ([one], ..) => Ok((*one).clone()),
            ([], Some(digest), _) => Err(CatalogError::NotListed { dir: dir(), digest: *digest }),
            ([], None, Some(tag)) => Err(CatalogError::TagMissing {
                dir: dir(),
                tag: tag.to_string(),
                known: self.tags().into_iter().map(str::to_owned).collect(),
            }),
            ([], None, None) => Err(CatalogError::Empty { dir: dir() }),
            (many, ..) => Err(CatalogError::Ambiguous {
                dir: dir(),
                asked: select.tag.as_ref().map_or("the directory alone".into(), |tag| format!("tag {tag}")),
                found: many.iter().map(|listed| listed.digest).collect(),
            }),
        }
    }

    /// Reads a blob of at most `limit` bytes; its size and digest are those of the descriptor.
    pub fn blob(&self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>, CatalogError> {
        blobs::read(&self.dir, blob, limit)
    }

    /// Opens a blob of any size. It is a regular file, and its bytes are not checked: whoever reads them hashes them.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, CatalogError> {
        blobs::open(&self.dir, digest)
    }

    /// Reads all of a blob to see that its size and digest are those of the descriptor.
    pub fn check_blob(&self, blob: &Descriptor) -> Result<(), CatalogError> {
        blobs::check_file(&self.dir, blob)
    }

    /// The extensions that the index offers, in its order. What has no readable name and version is passed over.
    pub fn extensions(&self) -> Vec<Entry> {
        self.artifacts().filter_map(Entry::of).collect()
    }

    /// The extensions of that name in that range: highest version first, and of one version those with a tag first.
    pub fn candidates(&self, name: &ExtensionName, range: &VersionRange) -> Vec<Entry> {
        let mut found = self.extensions();
        found.retain(|entry| entry.name == *name && range.contains(&entry.version));
        found.sort_by(|a, b| {
            let rank = |entry: &Entry| (entry.descriptor.tag().is_none(), entry.descriptor.digest);
            b.version.cmp(&a.version).then_with(|| rank(a).cmp(&rank(b)))
        });
        found.dedup_by_key(|entry| entry.descriptor.digest);
        found
    }

    /// What is listed for its own sake: neither a list of referrers nor a signature.
    fn artifacts(&self) -> impl Iterator<Item = &Descriptor> {
        self.index.manifests.iter().filter(|listed| {
            !listed.tag().is_some_and(Tag::is_of_signatures)
                && listed.artifact_type.as_deref() != Some(media::BUNDLE)
        })
    }
}

/// Of an index and the manifests that it lists, only the index is meant, unless one is named by its digest. Which these
/// are, the names and versions tell: here it is only about what a person may have meant.
fn leave_indexes(found: &mut Vec<&Descriptor>) {
    let key = |listed: &Descriptor| {
        [media::NAME_KEY, media::VERSION_KEY].map(|key| listed.annotations.get(key).cloned())
    };
    let indexes: Vec<_> =
        found.iter().filter(|listed| listed.media_type == media::INDEX).map(|listed| key(listed)).collect();
    found.retain(|listed| {
        listed.media_type == media::INDEX || listed.tag().is_some() || !indexes.contains(&key(listed))
    });
}

impl Entry {
    pub(crate) fn of(listed: &Descriptor) -> Option<Entry> {
        let hint = |key: &str| listed.annotations.get(key);
        match listed.artifact_type.as_deref() {
            None | Some(media::ARTIFACT) if listed.media_type == media::MANIFEST => Some(Entry {
                descriptor: listed.clone(),
                name: hint(media::NAME_KEY)?.parse().ok()?,
                version: hint(media::VERSION_KEY)?.parse().ok()?,
            }),
            _ => None,
        }
    }
}

fn check_mark(dir: &Path) -> Result<(), CatalogError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Mark {
        image_layout_version: String,
    }

    let path = dir.join(MARK_FILE);
    let Some(bytes) = blobs::read_named(&path, limits::CONFIG)? else {
        return Err(CatalogError::NotALayout { dir: dir.to_owned() });
    };
    let what = path.display().to_string();
    let mark: Mark =
        serde_json::from_slice(&bytes).map_err(|source| CatalogError::Json { what: what.clone(), source })?;
    match mark.image_layout_version == LAYOUT_VERSION {
        true => Ok(()),
        false => {
            let found: String = mark.image_layout_version.chars().take(40).collect();
            Err(CatalogError::malformed(what, format!("layout version {found}, expected {LAYOUT_VERSION}")))
        }
    }
}

//! What a generation is made of: `set.json`.
//!
//! It is a list of what the node verified and for which base, so that a boot knows before it activates anything whether a
//! generation fits and is whole. It is believed in nothing else: who may run is decided by signatures, at each boot.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use spec::{Digest, ExtensionName, Version};

use crate::base::BaseIdentity;
use crate::layout::{Generation, SET_FILE};

/// The layout of [`Set`] that this version writes and reads.
pub const SCHEMA: u32 = 1;

/// Most bytes of a `set.json`, of extensions in it, and of blobs: an extension has a manifest, some blobs, signatures.
pub const BYTES_MAX: u64 = 4 << 20;
const MEMBERS_MAX: usize = 1024;
const BLOBS_MAX: usize = 16 * 1024;
/// Most files that come with a generation, and bytes of each: a machine config, an index, documents of trust.
const FILES_MAX: usize = 256;
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 20;

/// A set of extensions as somebody wants to have it staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSet {
    /// The base that it was verified for.
    pub base: BaseIdentity,
    /// The extensions.
    pub members: Vec<Member>,
    /// All blobs that they need.
    pub blobs: Vec<Blob>,
    /// The files that come with it.
    pub files: Vec<(FilePath, Vec<u8>)>,
}

/// `set.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Set {
    /// Layout of this document: [`SCHEMA`].
    pub schema_version: u32,
    /// The generation that it is of.
    pub generation: Generation,
    /// The base that it was verified for.
    pub base: BaseIdentity,
    /// The extensions, in the order in which they were given.
    pub members: Vec<Member>,
    /// All blobs that they need, each once.
    pub blobs: Vec<Blob>,
    /// The files beside this one.
    pub files: Vec<SetFile>,
}

/// An extension of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What it is called.
    pub name: ExtensionName,
    /// Its version.
    pub version: Version,
    /// Its manifest, which is one of the blobs.
    pub manifest: Digest,
}

/// A blob of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// A file beside `set.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetFile {
    /// Where.
    pub path: FilePath,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl NewSet {
    /// The document for these as that generation, if they are sound.
    pub(crate) fn to_set(&self, generation: Generation) -> Result<Set, SetError> {
        let NewSet { base, members, blobs, files } = self;
        let mut blobs = blobs.clone();
        blobs.sort_by_key(|blob| blob.digest);
        blobs.dedup();
        let file = |(path, bytes): &(FilePath, Vec<u8>)| SetFile {
            path: path.clone(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        };
        let set = Set {
            schema_version: SCHEMA,
            generation,
            base: base.clone(),
            members: members.clone(),
            blobs,
            files: files.iter().map(file).collect(),
        };
        set.check()?;
        Ok(set)
    }
}

impl Set {
    /// Reads the document of `generation`.
    pub fn parse(json: &[u8], generation: Generation) -> Result<Set, SetError> {
        /// The one field that every version of the document has.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Versioned {
            schema_version: u32,
        }
        let found = serde_json::from_slice::<Versioned>(json).map_err(SetError::Broken)?.schema_version;
        if found != SCHEMA {
            return Err(SetError::Schema(found));
        }
        let set: Set = serde_json::from_slice(json).map_err(SetError::Broken)?;
        set.check()?;
        match set.generation == generation {
            true => Ok(set),
            false => Err(SetError::OtherGeneration(set.generation)),
        }
    }

    /// The document as bytes.
    pub fn to_json(&self) -> Result<Vec<u8>, SetError> {
        let mut json = serde_json::to_vec_pretty(self).map_err(SetError::Broken)?;
        json.push(b'\n');
        match json.len() as u64 > BYTES_MAX {
            true => Err(SetError::TooMany("bytes")),
            false => Ok(json),
        }
    }

    fn check(&self) -> Result<(), SetError> {
        let Set { schema_version: _, generation, base: _, members, blobs, files } = self;
        for (found, most, what) in [
            (members.len(), MEMBERS_MAX, "extensions"),
            (blobs.len(), BLOBS_MAX, "blobs"),
            (files.len(), FILES_MAX, "files"),
        ] {
            if found > most {
                return Err(SetError::TooMany(what));
            }
        }
        if generation.is_base() {
            return Err(SetError::OtherGeneration(*generation));
        }
        let digests: BTreeSet<&Digest> = blobs.iter().map(|blob| &blob.digest).collect();
        if digests.len() != blobs.len() {
            return Err(SetError::Twice("a blob".into()));
        }
        let mut names = BTreeSet::new();
        for Member { name, version: _, manifest } in members {
            if !names.insert(name) {
                return Err(SetError::Twice(format!("extension {name}")));
            }
            if !digests.contains(manifest) {
                return Err(SetError::NoManifest(name.clone()));
            }
        }
        let mut paths = BTreeSet::new();
        for SetFile { path, digest: _, size } in files {
            if *size > FILE_BYTES_MAX {
                return Err(SetError::TooMany("bytes of a file"));
            }
            if !paths.insert(path) || files.iter().any(|other| other.path.is_below(path)) {
                return Err(SetError::Twice(format!("file {}", path.0)));
            }
        }
        Ok(())
    }
}

/// The path of a file that comes with a generation: up to four names of letters, digits, `.`, `_`, `-`, none of which
/// starts with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// Most bytes of a name: what file systems take (NAME_MAX, linux/limits.h).
const NAME_MAX: usize = 255;
/// Most names of a path.
pub(crate) const DEPTH_MAX: usize = 4;

impl FilePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directories that it is in, from the top.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }

    fn is_below(&self, other: &FilePath) -> bool {
        self.dirs().any(|dir| dir == other.0)
    }
}

/// The text is not the path of a file of a generation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a path for a file of a generation: expected up to {DEPTH_MAX} names of letters, digits, . _ -"
)]
pub struct FilePathError(String);

impl FromStr for FilePath {
    type Err = FilePathError;

    fn from_str(text: &str) -> Result<FilePath, FilePathError> {
        let is_name = |name: &str| {
            (1..=NAME_MAX).contains(&name.len())
                && !name.starts_with('.')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let sound = text.split('/').all(is_name)
            && text.split('/').count() <= DEPTH_MAX
            && text.split('/').next() != Some(SET_FILE);
        match sound {
            true => Ok(FilePath(text.to_owned())),
            false => Err(FilePathError(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for FilePath {
    type Error = FilePathError;

    fn try_from(text: String) -> Result<FilePath, FilePathError> {
        text.parse()
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> String {
        path.0
    }
}

/// A document is not one of a generation.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// It is not the JSON that it should be.
    #[error("it is not a set")]
    Broken(#[source] serde_json::Error),
    /// It is of another version of Tenon.
    #[error("it has schemaVersion {0}; this program reads {SCHEMA}")]
    Schema(u32),
    /// It is in the directory of another generation.
    #[error("it is of generation {0}")]
    OtherGeneration(Generation),
    /// It is larger than any sound one.
    #[error("it has too many {0}")]
    TooMany(&'static str),
    /// Something is there twice.
    #[error("it has {0} twice")]
    Twice(String),
    /// An extension is listed without its manifest.
    #[error("the manifest of {0} is not among its blobs")]
    NoManifest(ExtensionName),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Set {
        let base = BaseIdentity {
            name: "debian".parse().unwrap(),
            version: "12.0.0".parse().unwrap(),
            kernel: "6.1.0".parse().unwrap(),
            build_id: None,
            facts: Digest::of(b"facts"),
        };
        let manifest = Digest::of(b"manifest");
        let member =
            Member { name: "wireguard".parse().unwrap(), version: "1.0.0".parse().unwrap(), manifest };
        let blob = Blob { digest: manifest, size: 8 };
        let files = ["machine.yaml", "trust/policy.yaml"].map(|path| (path.parse().unwrap(), path.into()));
        let new = NewSet { base, members: vec![member], blobs: vec![blob, blob], files: files.into() };
        new.to_set(Generation::new(3)).unwrap()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let set = set();
        assert_eq!(set.blobs.len(), 1, "each blob is there once");
        assert_eq!(Set::parse(&set.to_json().unwrap(), set.generation).unwrap(), set);
    }

    #[test]
    fn what_is_no_set_is_refused_in_words() {
        let refused = |change: fn(&mut Set)| {
            let mut set = set();
            change(&mut set);
            Set::parse(&serde_json::to_vec(&set).unwrap(), Generation::new(3)).unwrap_err().to_string()
        };
        assert_eq!(refused(|set| set.schema_version = 2), "it has schemaVersion 2; this program reads 1");
        assert_eq!(refused(|set| set.generation = Generation::new(4)), "it is of generation 4");
        assert_eq!(refused(|set| set.generation = Generation::BASE), "it is of generation 0");
        assert_eq!(refused(|set| set.blobs.push(set.blobs[0])), "it has a blob twice");
        assert_eq!(
            refused(|set| set.members.push(set.members[0].clone())),
            "it has extension wireguard twice"
        );
        assert_eq!(refused(|set| set.blobs.clear()), "the manifest of wireguard is not among its blobs");
        assert_eq!(refused(|set| set.files[0].path = FilePath("trust".into())), "it has file trust twice");
        assert_eq!(refused(|set| set.files[0].size = u64::MAX), "it has too many bytes of a file");
        assert_eq!(refused(|set| set.files[0].path = FilePath("../x".into())), "it is not a set");
    }

    #[test]
    fn paths_lead_nowhere_else() {
        for wrong in
            ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "set.json", "a/b/c/d/e", "a b", "set.json/a"]
        {
            assert!(wrong.parse::<FilePath>().is_err(), "{wrong}");
        }
        let path: FilePath = "trust/keys/root.pub".parse().unwrap();
        assert_eq!(path.dirs().collect::<Vec<_>>(), ["trust", "trust/keys"]);
    }
}

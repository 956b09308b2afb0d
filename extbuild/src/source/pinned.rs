//! Files that a manifest pins by digest.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spec::manifest::Pinned;
use spec::template::Variables;
use spec::{Digest, Hasher, TreePath};
use squash::Content;

use super::{Entry, EntryKind, SearchPath, SourceError};

/// A copy of a file that has the pinned digest. It has no name, so nobody changes it after the check.
#[derive(Debug)]
pub(super) struct PinnedFile {
    /// Where it was found, for errors.
    pub path: PathBuf,
    /// The copy; its cursor is at the start.
    pub file: File,
    /// Its size in bytes.
    pub len: u64,
}

impl PinnedFile {
    pub(super) fn into_entry(self) -> Entry {
        let content = Content::Span { file: Arc::new(self.file), offset: 0, len: self.len };
        Entry { path: TreePath::root(), kind: EntryKind::File { mode: 0o644, content } }
    }
}

/// Finds the file and copies it while its digest is taken.
pub(super) fn open(
    pinned: &Pinned,
    variables: &Variables,
    search: &SearchPath,
) -> Result<PinnedFile, SourceError> {
    let path = search.find(&pinned.file, variables, Path::is_file)?;
    let copied = File::open(&path).and_then(|mut original| copy_and_hash(&mut original));
    let (file, len, found) = copied.map_err(SourceError::read(&path))?;
    if found != pinned.digest {
        return Err(SourceError::WrongDigest {
            place: pinned.file.place().to_owned(),
            path,
            wanted: pinned.digest,
            found,
        });
    }
    Ok(PinnedFile { path, file, len })
}

fn copy_and_hash(from: &mut File) -> io::Result<(File, u64, Digest)> {
    let mut copy = tempfile::tempfile()?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut len = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        copy.write_all(&buffer[..count])?;
        len += count as u64;
    }
    copy.rewind()?;
    Ok((copy, len, hasher.finish()))
}

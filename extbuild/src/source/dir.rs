//! Directories of the author's own files.

use std::fs::FileType;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use spec::TreePath;
use squash::Content;
use walkdir::WalkDir;

use super::{Entry, EntryKind, SourceError};

/// Write permission for group and others, which in a checkout is the author's umask and nothing that was meant.
const UMASK_BITS: u32 = 0o022;

/// Lists everything below `dir`, links as links.
pub(super) fn list(dir: &Path) -> Result<Vec<Entry>, SourceError> {
    let walk = WalkDir::new(dir).min_depth(1).follow_root_links(true).sort_by_file_name();
    walk.into_iter()
        .map(|found| {
            let found = found.map_err(|error| {
                let path = error.path().unwrap_or(dir).to_owned();
                SourceError::Read { path, source: error.into() }
            })?;
            entry(dir, &found)
        })
        .collect()
}

fn entry(dir: &Path, found: &walkdir::DirEntry) -> Result<Entry, SourceError> {
    let read = || SourceError::read(found.path());
    let unusable = |problem: String| SourceError::Archive { path: dir.to_owned(), problem };
    let relative = found.path().strip_prefix(dir).ok().and_then(Path::to_str);
    let relative = relative.ok_or_else(|| unusable(format!("{} is not UTF-8", found.path().display())))?;
    let path = TreePath::root().join(relative).map_err(|error| unusable(error.to_string()))?;
    let kind = match found.file_type() {
        kind if kind.is_dir() => EntryKind::Directory,
        kind if kind.is_symlink() => {
            let target = std::fs::read_link(found.path()).map_err(read())?;
            let target = target.into_os_string().into_string();
            EntryKind::Symlink {
                target: target.map_err(|_| unusable(format!("the link {path} is not UTF-8")))?,
            }
        }
        kind if kind.is_file() => {
            let meta = found.metadata().map_err(|error| read()(error.into()))?;
            let content = Content::Path { path: found.path().to_owned(), len: meta.len() };
            EntryKind::File { mode: meta.mode() & 0o7777 & !UMASK_BITS, content }
        }
        kind => EntryKind::Special(special(kind)),
    };
    Ok(Entry { path, kind })
}

fn special(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_fifo() => "a fifo",
        kind if kind.is_socket() => "a socket",
        _ => "a device node",
    }
}

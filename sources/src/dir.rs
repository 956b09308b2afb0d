//! Directories of the author's own files.

use std::collections::HashMap;
use std::fs::{FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spec::TreePath;
use squash::Content;
use walkdir::{DirEntry, WalkDir};

use crate::attributes::Attributes;
use crate::entry::{Entry, EntryKind, link_target};
use crate::error::SourceError;
use crate::listing::check_size;

/// Write permission for group and others, which in a checkout is the author's umask and nothing that was meant.
const UMASK_BITS: u32 = 0o022;

/// Lists everything below `dir`, links as links.
///
/// Files are opened again by name when they are packed: the directory is the author's own, and whoever can change it
/// can change what it is to hold.
pub fn list_dir(dir: &Path) -> Result<Vec<Entry>, SourceError> {
    let unusable = |problem: String| SourceError::Directory { path: dir.to_owned(), problem };
    let mut looker = Looker::at(dir);
    let mut entries: Vec<Entry> = Vec::new();
    let (mut names, mut special) = (0, None);
    // By name, and a directory right before what it holds: that is the order of paths.
    for found in WalkDir::new(dir).min_depth(1).follow_root_links(true).sort_by_file_name() {
        let found = found.map_err(|error| {
            let path = error.path().unwrap_or(dir).to_owned();
            SourceError::Read { path, source: error.into() }
        })?;
        let path = tree_path(dir, &found).map_err(unusable)?;
        if let Some((above, what)) = special.as_ref().filter(|(above, _)| path.is_within(above)) {
            return Err(unusable(format!("it has {path}, but {above} is {what}")));
        }
        let kind = looker.look_at(&path, &found).map_err(SourceError::read(found.path()))?;
        let kind = kind.map_err(|problem| unusable(format!("{path}: {problem}")))?;
        names += path.as_str().len();
        match &kind {
            EntryKind::Symlink { target } => names += target.len(),
            // It may be a directory, which then holds nothing that could be listed.
            EntryKind::Special(what) => special = Some((path.clone(), what.clone())),
            EntryKind::Directory | EntryKind::File { .. } | EntryKind::HardLink { .. } => {}
        }
        entries.push(Entry { path, kind });
        check_size(entries.len(), names).map_err(unusable)?;
    }
    Ok(entries)
}

fn tree_path(dir: &Path, found: &DirEntry) -> Result<TreePath, String> {
    let relative = found.path().strip_prefix(dir).ok().and_then(Path::to_str);
    let relative = relative.ok_or_else(|| format!("{} is not UTF-8", found.path().display()))?;
    TreePath::root().join(relative).map_err(|error| error.to_string())
}

/// Looks at files, in the order of their paths.
struct Looker {
    dir: Arc<PathBuf>,
    /// The first names of files with several names, by device and inode.
    first_names: HashMap<(u64, u64), TreePath>,
    attributes: Attributes,
}

impl Looker {
    fn at(dir: &Path) -> Looker {
        Looker { dir: Arc::new(dir.to_owned()), first_names: HashMap::new(), attributes: Attributes::new() }
    }

    /// The outer error is the disk's, the inner one is about what was found.
    fn look_at(&mut self, path: &TreePath, found: &DirEntry) -> io::Result<Result<EntryKind, String>> {
        if let Some(attribute) = self.attributes.of_path(found.path())? {
            return Ok(Ok(EntryKind::Special(attribute.owner())));
        }
        let kind = found.file_type();
        if kind.is_dir() {
            return Ok(Ok(EntryKind::Directory));
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(found.path())?.into_os_string().into_vec();
            return Ok(link_target(target).map(|target| EntryKind::Symlink { target }));
        }
        if !kind.is_file() {
            return Ok(Ok(EntryKind::Special(special(kind).to_owned())));
        }
        Ok(Ok(self.file(path, &found.metadata()?)))
    }

    fn file(&mut self, path: &TreePath, meta: &Metadata) -> EntryKind {
        if meta.nlink() > 1 {
            let first = self.first_names.entry((meta.dev(), meta.ino())).or_insert_with(|| path.clone());
            if first != path {
                return EntryKind::HardLink { target: first.clone() };
            }
        }
        let content = Content::Path { dir: Arc::clone(&self.dir), path: path.clone(), len: meta.len() };
        EntryKind::File { mode: meta.mode() & 0o7777 & !UMASK_BITS, content }
    }
}

fn special(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_fifo() => "a fifo",
        kind if kind.is_socket() => "a socket",
        _ => "a device node",
    }
}

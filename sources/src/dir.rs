//! Directories of the author's own files.

use std::collections::HashMap;
use std::fs::{FileType, Metadata};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use spec::TreePath;
use squash::Content;
use walkdir::{DirEntry, WalkDir};

use crate::attributes::Attributes;
use crate::entry::Entry;
use crate::error::SourceError;
use crate::listing::{Listing, Node};

/// Write permission for group and others, which in a checkout is the author's umask and nothing that was meant.
const UMASK_BITS: u32 = 0o022;

/// Lists everything below `dir`, links as links.
///
/// Files are opened again by name when they are packed: the directory is the author's own, and whoever can change it
/// can change what it is to hold.
pub fn list_dir(dir: &Path) -> Result<Vec<Entry>, SourceError> {
    let unusable = |problem: String| SourceError::Directory { path: dir.to_owned(), problem };
    let mut walk =
        Walk { listing: Listing::default(), linked: HashMap::new(), attributes: Attributes::new() };
    for found in WalkDir::new(dir).min_depth(1).follow_root_links(true) {
        let found = found.map_err(|error| {
            let path = error.path().unwrap_or(dir).to_owned();
            SourceError::Read { path, source: error.into() }
        })?;
        let path = tree_path(dir, &found).map_err(unusable)?;
        let name = found.path().to_owned();
        let node = walk.look_at(found).map_err(SourceError::read(&name))?;
        let node = node.map_err(|problem| unusable(format!("{path}: {problem}")))?;
        walk.listing.insert(path, node).map_err(unusable)?;
    }
    walk.listing.into_entries().map_err(unusable)
}

fn tree_path(dir: &Path, found: &DirEntry) -> Result<TreePath, String> {
    let relative = found.path().strip_prefix(dir).ok().and_then(Path::to_str);
    let relative = relative.ok_or_else(|| format!("{} is not UTF-8", found.path().display()))?;
    TreePath::root().join(relative).map_err(|error| error.to_string())
}

struct Walk {
    listing: Listing,
    /// Files with several names by device and inode.
    linked: HashMap<(u64, u64), Node>,
    attributes: Attributes,
}

impl Walk {
    /// The outer error is the disk's, the inner one is about what was found.
    fn look_at(&mut self, found: DirEntry) -> std::io::Result<Result<Node, String>> {
        if let Some(attribute) = self.attributes.of_path(found.path())? {
            return Ok(Ok(Node::Special(attribute.owner())));
        }
        let kind = found.file_type();
        if kind.is_dir() {
            return Ok(Ok(Node::Directory));
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(found.path())?;
            return Ok(Node::symlink(target.into_os_string().into_vec()));
        }
        if !kind.is_file() {
            return Ok(Ok(Node::Special(special(kind).to_owned())));
        }
        let meta = found.metadata()?;
        Ok(Ok(self.file(found, &meta)))
    }

    fn file(&mut self, found: DirEntry, meta: &Metadata) -> Node {
        let new = || {
            let content = Content::Path { path: found.into_path(), len: meta.len() };
            Node::file(meta.mode() & !UMASK_BITS, content)
        };
        match meta.nlink() {
            0 | 1 => new(),
            _ => self.linked.entry((meta.dev(), meta.ino())).or_insert_with(new).clone(),
        }
    }
}

fn special(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_fifo() => "a fifo",
        kind if kind.is_socket() => "a socket",
        _ => "a device node",
    }
}

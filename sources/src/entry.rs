//! One thing in a source.

use spec::TreePath;
use squash::Content;

/// One thing in a source.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it is inside the source.
    pub path: TreePath,
    /// What it is.
    pub kind: EntryKind,
}

/// What a source can hold.
#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file with the permission bits that the source gives it, setuid and its like included.
    File {
        /// `st_mode & 0o7777`.
        mode: u32,
        /// Its bytes.
        content: Content,
    },
    /// Another name of a file. The name that comes first in the list is the [`EntryKind::File`], and all others are
    /// links to it, whatever the source says was there first.
    HardLink {
        /// The path of the file.
        target: TreePath,
    },
    /// A symbolic link.
    Symlink {
        /// The text of the link: 1 to 4095 bytes without NUL.
        target: String,
    },
    /// Something that an image cannot hold, in words that go behind "is": a device, or what has extended attributes.
    Special(String),
}

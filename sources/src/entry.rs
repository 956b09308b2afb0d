//! One thing in a source.

use spec::TreePath;
use spec::path::PATH_MAX;
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
        /// The text of the link: 1 to [`PATH_MAX`] bytes without NUL.
        target: String,
    },
    /// Something that an image cannot hold, in words that go behind "is": a device, or what has extended attributes.
    Special(String),
}

/// The target of a symbolic link as text.
pub(crate) fn link_target(bytes: Vec<u8>) -> Result<String, String> {
    let target = String::from_utf8(bytes).map_err(|_| "the target of a link is not UTF-8")?;
    match target.len() {
        1..=PATH_MAX if !target.contains('\0') => Ok(target),
        _ => Err("the target of a link is empty, longer than 4095 bytes or has a NUL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_links_are_those_of_linux() {
        for bad in [&b""[..], b"a\0b", b"\xff", &[b'a'; 4096]] {
            assert!(link_target(bad.to_vec()).is_err());
        }
        assert_eq!(link_target(vec![b'a'; 4095]).unwrap().len(), 4095);
    }
}

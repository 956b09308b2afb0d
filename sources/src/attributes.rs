//! Extended attributes. Images here have none, so whoever has some would lose them: a program its capabilities, a file
//! its access list. That is said and not done.

use std::io;
use std::path::Path;

use rustix::io::Errno;

/// The SELinux label, which every file of some hosts has (Fedora and its kin). It is about the policy of the machine
/// where the file lies; where an image is used, that machine's own policy labels it. So it is no loss.
const LABEL: &[u8] = b"security.selinux";

/// Longest name of an attribute, and longest list of them, in bytes (Linux `XATTR_NAME_MAX` and `XATTR_LIST_MAX`,
/// include/uapi/linux/limits.h).
const NAME_MAX: usize = 255;
const LIST_MAX: usize = 65536;

/// An attribute that would be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute(String);

impl Attribute {
    fn new(name: &[u8]) -> Option<Attribute> {
        let shown = String::from_utf8_lossy(&name[..name.len().min(NAME_MAX)]).escape_debug().to_string();
        (name != LABEL).then_some(Attribute(shown))
    }

    /// The attribute that a pax record holds: star(5), "SCHILY.*"; tar(5) of libarchive, "LIBARCHIVE.xattr"; GNU tar,
    /// src/xheader.c, where `RHT.security.selinux` is the label once more.
    pub(crate) fn of_record(key: &[u8]) -> Option<Attribute> {
        let name =
            [&b"SCHILY.xattr."[..], b"LIBARCHIVE.xattr."].iter().find_map(|prefix| key.strip_prefix(*prefix));
        match name {
            Some(name) => Attribute::new(name),
            None if key.starts_with(b"SCHILY.acl.") => Attribute::new(b"system.posix_acl"),
            None => None,
        }
    }

    /// What has it is, in words that go behind "is".
    pub(crate) fn owner(&self) -> String {
        format!("something with the extended attribute {}", self.0)
    }
}

/// Looks for attributes in a directory tree, link by link.
#[derive(Debug)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    pub(crate) fn new() -> Attributes {
        Attributes(vec![0; LIST_MAX])
    }

    /// An attribute that the thing at `path` would lose. A link is not followed.
    pub(crate) fn of_path(&mut self, path: &Path) -> io::Result<Option<Attribute>> {
        match rustix::fs::llistxattr(path, &mut self.0[..]) {
            // Names, each with a NUL behind it (listxattr(2)).
            Ok(len) => Ok(self.0[..len]
                .split(|byte| *byte == 0)
                .filter(|name| !name.is_empty())
                .find_map(Attribute::new)),
            Err(Errno::NOTSUP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_attribute_is_seen_but_the_label() {
        let name = |key: &[u8]| Attribute::of_record(key).map(|attribute| attribute.0);
        assert_eq!(name(b"SCHILY.xattr.security.capability").as_deref(), Some("security.capability"));
        assert_eq!(name(b"LIBARCHIVE.xattr.user.a").as_deref(), Some("user.a"));
        assert_eq!(name(b"SCHILY.acl.access").as_deref(), Some("system.posix_acl"));
        assert_eq!(name(b"SCHILY.xattr.user.\xff\n").as_deref(), Some("user.\u{fffd}\\n"));
        for label in [&b"SCHILY.xattr.security.selinux"[..], b"RHT.security.selinux", b"mtime"] {
            assert_eq!(name(label), None, "{}", label.escape_ascii());
        }
    }
}

//! What is at a path of an image.

use std::borrow::Cow;
use std::fmt;

use spec::TreePath;

use super::Image;
use super::inode::{Body, Inode};

/// One name in an image, and the inode that it leads to.
#[derive(Clone, Copy)]
pub struct Entry<'i> {
    pub(super) image: &'i Image<'i>,
    pub(super) node: usize,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'i> {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points. What is not UTF-8 is replaced by U+FFFD, and is a finding.
        target: Cow<'i, str>,
    },
    /// What no extension may have.
    Special(Special),
}

/// Files that are no files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A block device.
    BlockDevice(Device),
    /// A character device.
    CharacterDevice(Device),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// The number of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl Device {
    /// From the form on disk: 12 bits of major between 8 and 12 bits of minor (Linux include/linux/kdev_t.h,
    /// `new_decode_dev`).
    pub(super) fn decode(number: u32) -> Device {
        Device { major: (number >> 8) & 0xfff, minor: (number & 0xff) | ((number >> 12) & 0xf_ff00) }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Special::BlockDevice(device) => write!(f, "block device ({device})"),
            Special::CharacterDevice(device) => write!(f, "character device ({device})"),
            Special::Fifo => f.write_str("fifo"),
            Special::Socket => f.write_str("socket"),
        }
    }
}

impl<'i> Entry<'i> {
    /// Its path; nothing if a name in it is one that no path can have, which is a finding.
    pub fn path(self) -> Option<TreePath> {
        self.image.nodes.path(self.node)
    }

    /// Its path as findings show it, for any name.
    pub fn shown(self) -> String {
        self.image.nodes.shown(self.node)
    }

    /// What it is.
    pub fn kind(self) -> Kind<'i> {
        let table = &self.image.tables.inodes.bytes;
        match &self.inode().body {
            Body::Directory(_) => Kind::Directory,
            Body::File(file) => Kind::File { size: file.size },
            Body::Symlink(target) => {
                Kind::Symlink { target: String::from_utf8_lossy(&table[target.clone()]) }
            }
            Body::Special(special) => Kind::Special(*special),
        }
    }

    /// Its permissions, with setuid, setgid and sticky.
    pub fn mode(self) -> u16 {
        self.inode().mode & 0o7777
    }

    /// Its user; nothing if the image does not say, which is a finding.
    pub fn uid(self) -> Option<u32> {
        self.image.tables.ids.get(usize::from(self.inode().uid)).copied()
    }

    /// Its group; nothing if the image does not say, which is a finding.
    pub fn gid(self) -> Option<u32> {
        self.image.tables.ids.get(usize::from(self.inode().gid)).copied()
    }

    /// When it was changed last, in seconds since 1970-01-01 UTC.
    pub fn mtime(self) -> u32 {
        self.inode().mtime
    }

    /// The number of its inode. Names of one file have the same.
    pub fn inode_number(self) -> u32 {
        self.inode().number
    }

    /// Its link count, as its inode claims it.
    pub fn links(self) -> u32 {
        self.inode().links
    }

    pub(super) fn inode(self) -> &'i Inode {
        &self.image.inodes[self.image.nodes.inode(self.node)]
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({:?}, {:04o}, {:?})", self.shown(), self.mode(), self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_have_20_bits_of_minor() {
        assert_eq!(Device::decode(0x0000_0501).to_string(), "5:1");
        assert_eq!(Device::decode(0xabc7_8912).to_string(), format!("{}:{}", 0x789, 0xa_bc12));
    }
}

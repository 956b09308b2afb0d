//! Inodes, taken apart.

use std::ops::Range;

use super::entry::{Device, Special};
use crate::format::{self, InodeBase, LISTING_DOTS, MetadataRef, NO_FRAGMENT, NO_XATTR, inode};

/// An inode. Nothing in it is checked but that its fields are there.
#[derive(Debug)]
pub(super) struct Inode {
    /// Where it is.
    pub(super) reference: MetadataRef,
    /// Its type without [`inode::EXTENDED`].
    pub(super) kind: u16,
    pub(super) mode: u16,
    /// Places in the ID table.
    pub(super) uid: u16,
    pub(super) gid: u16,
    pub(super) mtime: u32,
    pub(super) number: u32,
    pub(super) links: u32,
    /// Place in the attribute table, or [`NO_XATTR`].
    pub(super) xattr: u32,
    pub(super) body: Body,
}

/// What inodes of one type have. Ranges are of the decompressed inode table, and within it.
#[derive(Debug)]
pub(super) enum Body {
    Directory(Directory),
    File(File),
    /// The target.
    Symlink(Range<usize>),
    Special(Special),
}

#[derive(Debug)]
pub(super) struct Directory {
    pub(super) listing: MetadataRef,
    /// Bytes of the listing.
    pub(super) len: u32,
    pub(super) parent: u32,
    /// [`format::DirectoryIndex`]es with their names.
    pub(super) index: Range<usize>,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) start: u64,
    pub(super) size: u64,
    /// Place in the fragment table, or [`NO_FRAGMENT`].
    pub(super) fragment: u32,
    pub(super) offset: u32,
    /// The stored size of each block, as u32.
    pub(super) blocks: Range<usize>,
}

impl File {
    /// The stored size of each block, with [`format::DATA_RAW`].
    pub(super) fn stored_sizes<'t>(&self, table: &'t [u8]) -> impl Iterator<Item = u32> + 't {
        table[self.blocks.clone()].as_chunks().0.iter().map(|size| u32::from_le_bytes(*size))
    }
}

/// There is no inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InodeFault {
    /// It has no end.
    Cut,
    /// No such type.
    Type(u16),
}

impl Inode {
    /// Reads the inode that begins at `at`; also says where it ends.
    pub(super) fn read(
        table: &[u8],
        at: usize,
        reference: MetadataRef,
        block_size: u32,
    ) -> Result<(Inode, usize), InodeFault> {
        let mut fields = Fields { table, at };
        let InodeBase { kind: disk_kind, mode, uid, gid, mtime, number } = fields.take(InodeBase::take)?;
        let (kind, extended) = match disk_kind {
            inode::DIRECTORY..=inode::SOCKET => (disk_kind, false),
            _ => (disk_kind.wrapping_sub(inode::EXTENDED), true),
        };
        let (links, xattr, body) = match (kind, extended) {
            (inode::DIRECTORY, false) => fields.directory()?,
            (inode::DIRECTORY, true) => fields.extended_directory()?,
            (inode::FILE, false) => fields.file(block_size)?,
            (inode::FILE, true) => fields.extended_file(block_size)?,
            (inode::SYMLINK, _) => fields.symlink(extended)?,
            (inode::BLOCK_DEVICE | inode::CHARACTER_DEVICE, _) => fields.device(kind, extended)?,
            (inode::FIFO, _) => fields.channel(Special::Fifo, extended)?,
            (inode::SOCKET, _) => fields.channel(Special::Socket, extended)?,
            _ => return Err(InodeFault::Type(disk_kind)),
        };
        let inode = Inode { reference, kind, mode, uid, gid, mtime, number, links, xattr, body };
        Ok((inode, fields.at))
    }
}

/// What follows the base: link count, attributes, and the rest.
type Rest = (u32, u32, Body);

/// A place in the table that moves over what was taken.
struct Fields<'a> {
    table: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn take<T>(&mut self, take: impl FnOnce(&mut &[u8]) -> Option<T>) -> Result<T, InodeFault> {
        let mut rest = self.table.get(self.at..).ok_or(InodeFault::Cut)?;
        let value = take(&mut rest).ok_or(InodeFault::Cut)?;
        self.at = self.table.len() - rest.len();
        Ok(value)
    }

    fn skip(&mut self, bytes: u64) -> Result<Range<usize>, InodeFault> {
        let end = usize::try_from(bytes).ok().and_then(|bytes| self.at.checked_add(bytes));
        let end = end.filter(|end| *end <= self.table.len()).ok_or(InodeFault::Cut)?;
        let start = std::mem::replace(&mut self.at, end);
        Ok(start..end)
    }

    /// The attributes at the end of the extended forms that have nothing else.
    fn xattr(&mut self, extended: bool) -> Result<u32, InodeFault> {
        match extended {
            true => self.take(|bytes| bytes.split_off(..4)?.try_into().ok().map(u32::from_le_bytes)),
            false => Ok(NO_XATTR),
        }
    }

    fn directory(&mut self) -> Result<Rest, InodeFault> {
        let format::Directory { start, links, size, offset, parent } = self.take(format::Directory::take)?;
        let listing = MetadataRef { block: start, offset };
        let len = u32::from(size).saturating_sub(LISTING_DOTS);
        let directory = Directory { listing, len, parent, index: self.at..self.at };
        Ok((links, NO_XATTR, Body::Directory(directory)))
    }

    fn extended_directory(&mut self) -> Result<Rest, InodeFault> {
        let format::ExtendedDirectory { links, size, start, parent, index_count, offset, xattr } =
            self.take(format::ExtendedDirectory::take)?;
        let listing = MetadataRef { block: start, offset };
        let begin = self.at;
        for _ in 0..index_count {
            let entry = self.take(format::DirectoryIndex::take)?;
            self.skip(u64::from(entry.name_size) + 1)?;
        }
        let len = size.saturating_sub(LISTING_DOTS);
        let directory = Directory { listing, len, parent, index: begin..self.at };
        Ok((links, xattr, Body::Directory(directory)))
    }

    fn file(&mut self, block_size: u32) -> Result<Rest, InodeFault> {
        let format::File { start, fragment, offset, size } = self.take(format::File::take)?;
        let (start, size) = (start.into(), size.into());
        let blocks = self.blocks(size, fragment, block_size)?;
        Ok((1, NO_XATTR, Body::File(File { start, size, fragment, offset, blocks })))
    }

    fn extended_file(&mut self, block_size: u32) -> Result<Rest, InodeFault> {
        let format::ExtendedFile { start, size, sparse: _, links, fragment, offset, xattr } =
            self.take(format::ExtendedFile::take)?;
        let blocks = self.blocks(size, fragment, block_size)?;
        Ok((links, xattr, Body::File(File { start, size, fragment, offset, blocks })))
    }

    /// What is left after the last whole block is in the fragment, or else in a block of its own.
    fn blocks(&mut self, size: u64, fragment: u32, block_size: u32) -> Result<Range<usize>, InodeFault> {
        let count = match fragment {
            NO_FRAGMENT => size.div_ceil(block_size.into()),
            _ => size / u64::from(block_size),
        };
        self.skip(count.checked_mul(4).ok_or(InodeFault::Cut)?)
    }

    fn symlink(&mut self, extended: bool) -> Result<Rest, InodeFault> {
        let format::Symlink { links, size } = self.take(format::Symlink::take)?;
        let target = self.skip(size.into())?;
        Ok((links, self.xattr(extended)?, Body::Symlink(target)))
    }

    fn device(&mut self, kind: u16, extended: bool) -> Result<Rest, InodeFault> {
        let format::Device { links, number } = self.take(format::Device::take)?;
        let device = Device::decode(number);
        let special = match kind {
            inode::BLOCK_DEVICE => Special::BlockDevice(device),
            _ => Special::CharacterDevice(device),
        };
        Ok((links, self.xattr(extended)?, Body::Special(special)))
    }

    fn channel(&mut self, special: Special, extended: bool) -> Result<Rest, InodeFault> {
        let format::Channel { links } = self.take(format::Channel::take)?;
        Ok((links, self.xattr(extended)?, Body::Special(special)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: u16, rest: &[u8]) -> Result<(Inode, usize), InodeFault> {
        let base = InodeBase { kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, number: 1 };
        Inode::read(&[&base.to_bytes(), rest].concat(), 0, MetadataRef::default(), 4096)
    }

    #[test]
    fn only_the_fourteen_types_are_inodes() {
        let zeros = [0; 64];
        for kind in 1..=14 {
            assert_eq!(read(kind, &zeros).unwrap().0.kind, (kind - 1) % 7 + 1);
        }
        for kind in [0, 15, 0x101, u16::MAX] {
            assert_eq!(read(kind, &zeros).unwrap_err(), InodeFault::Type(kind));
        }
    }

    #[test]
    fn an_inode_that_ends_early_is_cut() {
        let target = [&2_u32.to_le_bytes()[..], &6_u32.to_le_bytes(), b"target"].concat();
        for len in 0..target.len() {
            assert_eq!(read(inode::SYMLINK, &target[..len]).unwrap_err(), InodeFault::Cut);
        }
        assert_eq!(read(inode::SYMLINK, &target).unwrap().1, 30);
        assert_eq!(read(inode::SYMLINK + 7, &target).unwrap_err(), InodeFault::Cut);
    }

    /// The list of blocks of a file as long as can be said is longer than any table.
    #[test]
    fn c9_a_size_is_believed_as_far_as_there_are_blocks_for_it() {
        let file = |size, fragment| {
            let fields =
                format::ExtendedFile { start: 96, size, sparse: 0, links: 1, fragment, offset: 0, xattr: 0 };
            read(inode::FILE + 7, &[fields.to_bytes(), vec![0; 8]].concat())
        };
        assert!(file(8192, NO_FRAGMENT).is_ok());
        assert!(file(3 * 4096 - 1, 0).is_ok());
        for (size, fragment) in [(8193, NO_FRAGMENT), (3 * 4096, 0), (u64::MAX, NO_FRAGMENT), (u64::MAX, 0)] {
            assert_eq!(file(size, fragment).unwrap_err(), InodeFault::Cut);
        }
    }
}

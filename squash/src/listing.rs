//! The entries of one directory: headers, each with a run of entries that can share it, and the index into them.

use crate::PackError;
use crate::format::{DIRECTORY_RUN_MAX, DirectoryEntry, DirectoryHeader, LISTING_DOTS, MetadataRef};
use crate::metadata::MetadataWriter;

/// Something in a directory, whose inode is written already.
#[derive(Debug, Clone)]
pub(crate) struct Child<'a> {
    /// 1 to 255 bytes, as [`spec::TreePath`] has them.
    pub(crate) name: &'a str,
    /// One of [`crate::format::inode`], without extended ones.
    pub(crate) kind: u16,
    pub(crate) number: u32,
    pub(crate) inode: MetadataRef,
}

/// Where the entries of a directory lie in the directory table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) start: MetadataRef,
    /// Bytes, at most [`LISTING_MAX`].
    pub(crate) size: u32,
    pub(crate) index: Vec<IndexEntry>,
}

/// A header in a later metadata block than the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Distance of the header from the start of the listing, in bytes.
    pub(crate) distance: u32,
    /// The metadata block in which it begins.
    pub(crate) block: u32,
    /// The first name after it.
    pub(crate) name: String,
}

/// The longest listing that an inode can say.
const LISTING_MAX: u32 = u32::MAX - LISTING_DOTS;

/// Appends the entries of a directory, which are in bytewise order of their names.
pub(crate) fn write(table: &mut MetadataWriter, children: &[Child<'_>]) -> Result<Listing, PackError> {
    let start = table.position()?;
    let mut listing = Listing { start, size: 0, index: Vec::new() };
    let mut indexed_block = start.block;
    let mut rest = children;
    while let Some(first) = rest.first() {
        let at = table.position()?;
        if at.block != indexed_block {
            let name = first.name.to_owned();
            listing.index.push(IndexEntry { distance: listing.size, block: at.block, name });
            indexed_block = at.block;
        }
        let (run, later) = rest.split_at(run_length(rest, table.room()));
        let bytes = encode_run(first, run);
        listing.size = grow(listing.size, bytes.len())?;
        table.append(&bytes)?;
        rest = later;
    }
    Ok(listing)
}

/// How many of the children fit behind one header: their inodes begin in one block, their numbers are near that of the
/// first, there are at most [`DIRECTORY_RUN_MAX`], and they end with the metadata block, so that every block can be found
/// by the index.
fn run_length(children: &[Child<'_>], room: usize) -> usize {
    let mut size = DirectoryHeader::SIZE;
    let fits = |child: &&Child<'_>| {
        size += DirectoryEntry::SIZE + child.name.len();
        let is_near = number_delta(&children[0], child).is_some();
        child.inode.block == children[0].inode.block && is_near && size <= room
    };
    // One always follows its header, even across the end of a block.
    children.iter().take(DIRECTORY_RUN_MAX).take_while(fits).count().max(1)
}

/// Names are stored with their length less one, and so is the number of entries.
fn encode_run(first: &Child<'_>, run: &[Child<'_>]) -> Vec<u8> {
    let count = (run.len() - 1) as u32;
    let header = DirectoryHeader { count, inode_block: first.inode.block, number: first.number };
    let mut bytes = header.to_bytes();
    for child in run {
        let entry = DirectoryEntry {
            inode_offset: child.inode.offset,
            // A run has only numbers near that of its first.
            number_delta: number_delta(first, child).unwrap_or_default(),
            kind: child.kind,
            name_size: (child.name.len() - 1) as u16,
        };
        bytes.extend(entry.to_bytes());
        bytes.extend(child.name.as_bytes());
    }
    bytes
}

/// Hard links have the numbers of files anywhere in the tree.
fn number_delta(first: &Child<'_>, child: &Child<'_>) -> Option<i16> {
    i16::try_from(i64::from(child.number) - i64::from(first.number)).ok()
}

fn grow(size: u32, by: usize) -> Result<u32, PackError> {
    u32::try_from(by)
        .ok()
        .and_then(|by| size.checked_add(by))
        .filter(|size| *size <= LISTING_MAX)
        .ok_or(PackError::TooLarge("list of a directory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::format::inode;

    fn children(names: &[String]) -> Vec<Child<'_>> {
        let child = |(number, name)| Child { name, kind: inode::FILE, number, inode: MetadataRef::default() };
        (1..).zip(names.iter().map(String::as_str)).map(child).collect()
    }

    #[test]
    fn a_run_ends_at_256_entries_another_inode_block_a_far_number_or_a_full_block() {
        let names: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
        let mut children = children(&names);
        assert_eq!(run_length(&children, 8192), 256);
        assert_eq!(run_length(&children, 12 + 11 * 5), 5);
        assert_eq!(run_length(&children, 1), 1);
        children[7].inode.block = 100;
        assert_eq!(run_length(&children, 8192), 7);
        children[5].number = 1 << 15;
        assert_eq!(run_length(&children, 8192), 7);
        children[5].number += 1;
        assert_eq!(run_length(&children, 8192), 5);
    }

    #[test]
    fn every_block_after_the_first_is_indexed_by_its_first_header() {
        let names: Vec<String> = (0..2000).map(|n| format!("{n:0>30}")).collect();
        let mut table = MetadataWriter::new("table", &Options::default()).unwrap();
        table.append(&[0; 5000]).unwrap();
        let listing = write(&mut table, &children(&names)).unwrap();
        assert_eq!(listing.start, MetadataRef { block: 0, offset: 5000 });
        assert!(listing.size > 2000 * 38);
        assert_eq!(listing.index.len(), (5000 + listing.size as usize) / 8192);
        assert!(listing.index.is_sorted_by(|a, b| a.name < b.name && a.block < b.block));
    }

    #[test]
    fn an_empty_directory_has_no_entries() {
        let mut table = MetadataWriter::new("table", &Options::default()).unwrap();
        let listing = write(&mut table, &[]).unwrap();
        assert_eq!((listing.size, listing.index), (0, vec![]));
    }
}

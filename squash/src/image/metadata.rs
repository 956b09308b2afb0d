//! Metadata: a table as its blocks are, decompressed into one piece of memory.

use std::fmt;
use std::ops::Range;

use super::limits::Budget;
use super::{Source, Unreadable};
use crate::decompress::Decompressor;
use crate::format::{METADATA_RAW, METADATA_SIZE, MetadataRef};

/// The tables of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// What is known about each file and directory.
    Inodes,
    /// The names in each directory.
    Directories,
    /// The blocks that hold the ends of files.
    Fragments,
    /// From numbers to inodes, for NFS.
    Export,
    /// Users and groups.
    Ids,
    /// Which extended attributes each set of them has.
    AttributeIds,
    /// The names and values of extended attributes.
    Attributes,
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TableKind::Inodes => "inode table",
            TableKind::Directories => "directory table",
            TableKind::Fragments => "fragment table",
            TableKind::Export => "export table",
            TableKind::Ids => "ID table",
            TableKind::AttributeIds => "table of attribute sets",
            TableKind::Attributes => "attribute table",
        })
    }
}

/// A table, or the part of it before its first broken block.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) bytes: Vec<u8>,
    blocks: Vec<Block>,
    len: usize,
}

/// Where a metadata block begins: in the image, counted from the start of the table, and in [`Table::bytes`].
#[derive(Debug, Clone, Copy)]
struct Block {
    stored: u64,
    at: usize,
}

/// A metadata block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokenBlock {
    /// Where it begins in the image.
    pub(super) at: u64,
}

impl Table {
    /// Reads the metadata blocks that fill `region`, which lies within the image.
    ///
    /// All that the table claims about itself is the length of each block, which is 8 KiB at most before and after
    /// decompression. Reading ends at the first block that is broken.
    pub(super) fn read(
        source: &dyn Source,
        region: Range<u64>,
        decompressor: &mut Decompressor,
        budget: &mut Budget,
    ) -> Result<(Table, Option<BrokenBlock>), Unreadable> {
        let mut table = Table::default();
        let mut place = [0; METADATA_SIZE];
        let mut at = region.start;
        while at < region.end {
            let mut stored = [0; 2 + METADATA_SIZE];
            let there = (region.end - at).min(stored.len() as u64) as usize;
            let stored = &mut stored[..there];
            source.read_exact_at(stored, at).map_err(Unreadable::Read)?;
            let Some((used, bytes)) = block(stored, decompressor, &mut place) else {
                return Ok((table, Some(BrokenBlock { at })));
            };
            budget.take((bytes.len() + size_of::<Block>()) as u64)?;
            table.blocks.push(Block { stored: at - region.start, at: table.bytes.len() });
            table.bytes.extend_from_slice(bytes);
            table.len = table.bytes.len();
            at += used as u64;
        }
        Ok((table, None))
    }

    /// Gives the bytes away; references still lead where they led.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Where in [`Table::bytes`] a reference leads; nothing unless it is into one of the blocks.
    pub(super) fn position(&self, to: MetadataRef) -> Option<usize> {
        let index = self.blocks.binary_search_by_key(&u64::from(to.block), |block| block.stored).ok()?;
        let at = self.blocks[index].at.checked_add(to.offset.into())?;
        let end = self.blocks.get(index + 1).map_or(self.len, |next| next.at);
        (at < end).then_some(at)
    }

    /// Where each block begins, counted from the start of the table.
    pub(super) fn block_starts(&self) -> impl Iterator<Item = u64> {
        self.blocks.iter().map(|block| block.stored)
    }
}

/// The first block of `stored`, and how many bytes of it that takes. The length before each block is of 1 to 8192
/// bytes (Linux fs/squashfs/block.c, `squashfs_read_data`); a block of nothing is none.
fn block<'a>(
    stored: &'a [u8],
    decompressor: &mut Decompressor,
    place: &'a mut [u8; METADATA_SIZE],
) -> Option<(usize, &'a [u8])> {
    let (header, rest) = stored.split_first_chunk()?;
    let header = u16::from_le_bytes(*header);
    let stored = rest.get(..usize::from(header & !METADATA_RAW))?;
    let bytes = if header & METADATA_RAW != 0 {
        stored
    } else {
        let len = decompressor.decompress(stored, place).ok()?;
        &place[..len]
    };
    (!bytes.is_empty()).then_some((2 + stored.len(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Limits;
    use crate::options::Method;

    fn read(bytes: &[u8], limit: u32) -> Result<(Table, Option<BrokenBlock>), Unreadable> {
        let mut budget = Budget::new(&Limits { metadata: limit, ..Limits::default() });
        let mut zstd = Decompressor::new(Method::Zstd).unwrap();
        Table::read(&bytes, 0..bytes.len() as u64, &mut zstd, &mut budget)
    }

    fn raw(bytes: &[u8]) -> Vec<u8> {
        [&(METADATA_RAW | bytes.len() as u16).to_le_bytes(), bytes].concat()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let stored = zstd::bulk::compress(bytes, 1).unwrap();
        [&(stored.len() as u16).to_le_bytes(), &stored[..]].concat()
    }

    #[test]
    fn references_lead_into_blocks_and_nowhere_else() {
        let (first, second) = (packed(&[1; 8192]), raw(&[2; 100]));
        let (table, broken) = read(&[&first[..], &second].concat(), 1 << 20).unwrap();
        assert_eq!((table.bytes.len(), broken), (8292, None));
        let next = first.len() as u32;
        let position = |block, offset| table.position(MetadataRef { block, offset });
        assert_eq!(position(0, 0), Some(0));
        assert_eq!(position(0, 8191), Some(8191));
        assert_eq!(position(next, 99), Some(8291));
        for (block, offset) in [(0, 8192), (1, 0), (next, 100), (next - 1, 0), (u32::MAX, u16::MAX)] {
            assert_eq!(position(block, offset), None, "{block} {offset}");
        }
    }

    #[test]
    fn a_broken_block_ends_the_table() {
        let good = raw(&[1; 10]);
        for bad in [&[0, 0, 9][..], &[0, 0x80], &[0x01, 0x60, 0], &[5, 0x80, 1], &[7], &[1, 0, 0xff]] {
            let (table, broken) = read(&[&good, bad].concat(), 1 << 20).unwrap();
            assert_eq!((table.bytes.len(), broken), (10, Some(BrokenBlock { at: 12 })), "{bad:?}");
        }
    }

    /// C9: a block that would make more than 8 KiB is broken, and what the blocks make together has a limit.
    #[test]
    fn c9_metadata_does_not_grow_beyond_its_limits() {
        assert_eq!(read(&packed(&[0; 8193]), 1 << 20).unwrap().1, Some(BrokenBlock { at: 0 }));
        let many = packed(&[0; 8192]).repeat(100);
        assert!(matches!(read(&many, 100 * 8192), Err(Unreadable::Limit { .. })));
        assert!(read(&many, 101 * 8192).is_ok());
    }
}

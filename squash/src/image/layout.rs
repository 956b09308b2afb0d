//! The superblock, and where the tables are: each ends where the next begins.

use std::ops::Range;

use super::limits::Budget;
use super::metadata::TableKind;
use super::{Limits, Source, Unreadable};
use crate::format::{
    BLOCK_LOGS, FragmentBlock, MAGIC, METADATA_RAW, METADATA_SIZE, MetadataRef, NO_TABLE, Superblock,
    VERSION, XattrId, XattrTable, flags,
};
use crate::options::Method;

/// The parts of an image, in the order in which they are in it. They touch and do not overlap.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) superblock: Superblock,
    pub(super) method: Method,
    pub(super) root: MetadataRef,
    /// Blocks and fragment blocks.
    pub(super) data: Range<u64>,
    pub(super) inodes: Range<u64>,
    pub(super) directories: Range<u64>,
    pub(super) fragments: Option<Indexed>,
    pub(super) export: Option<Indexed>,
    pub(super) ids: Indexed,
    pub(super) attributes: Option<Attributes>,
}

/// A table whose metadata blocks are listed in an index behind them.
#[derive(Debug)]
pub(super) struct Indexed {
    /// The metadata blocks.
    pub(super) region: Range<u64>,
    /// Where each of them begins, as the index has it.
    pub(super) blocks: Vec<u64>,
    /// How many bytes they hold together.
    pub(super) len: u64,
}

/// Extended attributes: names and values, and which of them make a set.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) values: Range<u64>,
    pub(super) ids: Indexed,
}

/// Where a table cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutFault {
    /// There is something between this table and the next, or they overlap.
    #[error("it ends at byte {end}, and what follows begins at {next}")]
    Gap {
        /// Where it ends.
        end: u64,
        /// Where the next begins.
        next: u64,
    },
    /// It would begin after what follows it, or before the data.
    #[error("it begins at byte {0}, which is not where it can be")]
    Order(u64),
    /// Every image has one.
    #[error("it is missing")]
    Missing,
    /// The positions in its index are not those of its blocks.
    #[error("its index does not lead to its blocks")]
    Index,
    /// One of its blocks is broken.
    #[error("the metadata block at byte {0} cannot be decompressed to at most 8192 bytes")]
    Block(u64),
    /// There are more or fewer entries than the superblock says.
    #[error("it has {found} bytes instead of {wanted}")]
    Length {
        /// What is there.
        found: u64,
        /// What the superblock says.
        wanted: u64,
    },
}

impl Layout {
    /// Reads the superblock, and the index of each table that has one. As the kernel does, it begins at the end of
    /// the image (fs/squashfs/super.c, `squashfs_fill_super`): a table ends where the one before it in this order
    /// begins.
    pub(super) fn read(
        source: &dyn Source,
        limits: &Limits,
        budget: &mut Budget,
    ) -> Result<Layout, Unreadable> {
        let (superblock, method) = superblock(source, limits)?;
        let data_start = data_start(source, &superblock)?;
        let mut tables = Tables { source, budget, data_start, end: superblock.bytes_used };

        let attributes = match superblock.xattr_table {
            NO_TABLE => None,
            start => Some(tables.attributes(start)?),
        };
        let ids = match superblock.ids {
            0 => return Err(TableKind::Ids.fault(LayoutFault::Missing)),
            ids => tables.indexed(TableKind::Ids, superblock.id_table, u64::from(ids) * 4)?,
        };
        let export = match superblock.export_table {
            NO_TABLE => None,
            start => Some(tables.indexed(TableKind::Export, start, u64::from(superblock.inodes) * 8)?),
        };
        let fragments = match superblock.fragments {
            0 => None,
            count => {
                let len = u64::from(count) * FragmentBlock::SIZE as u64;
                Some(tables.indexed(TableKind::Fragments, superblock.fragment_table, len)?)
            }
        };
        let directories = tables.plain(TableKind::Directories, superblock.directory_table)?;
        let inodes = tables.plain(TableKind::Inodes, superblock.inode_table)?;
        let root = MetadataRef::unpack(superblock.root).ok_or(Unreadable::Root)?;
        let data = data_start..inodes.start;
        Ok(Layout { superblock, method, root, data, inodes, directories, fragments, export, ids, attributes })
    }
}

impl TableKind {
    pub(super) fn fault(self, fault: LayoutFault) -> Unreadable {
        Unreadable::Table { table: self, fault }
    }
}

/// The superblock, if this is a squashfs that can be read here.
fn superblock(source: &dyn Source, limits: &Limits) -> Result<(Superblock, Method), Unreadable> {
    let size = source.size().map_err(Unreadable::Read)?;
    let mut bytes = [0; Superblock::SIZE];
    if size < bytes.len() as u64 {
        return Err(Unreadable::NotSquashfs);
    }
    source.read_exact_at(&mut bytes, 0).map_err(Unreadable::Read)?;
    let superblock = Superblock::take(&mut &bytes[..]).filter(|superblock| superblock.magic == MAGIC);
    let superblock = superblock.ok_or(Unreadable::NotSquashfs)?;
    let Superblock { major, minor, block_size, block_log, bytes_used, inodes, compression, .. } = superblock;
    if (major, minor) != VERSION {
        return Err(Unreadable::Version { major, minor });
    }
    if !BLOCK_LOGS.contains(&block_log) || block_size != 1 << block_log {
        return Err(Unreadable::BlockSize { block_size, block_log });
    }
    if bytes_used > size {
        return Err(Unreadable::Short { size, bytes_used });
    }
    if inodes > limits.inodes {
        return Err(Unreadable::Limit { what: "inodes", limit: limits.inodes.into() });
    }
    let method = Method::of_id(compression).ok_or(Unreadable::Compression(compression))?;
    Ok((superblock, method))
}

/// Where the data begins: after the superblock and the options of the compressor, which are a metadata block that is
/// never compressed (fs/squashfs/decompressor.c, `squashfs_decompressor_setup`). What they say is of use to nobody
/// here.
fn data_start(source: &dyn Source, superblock: &Superblock) -> Result<u64, Unreadable> {
    let start = Superblock::SIZE as u64;
    if superblock.flags & flags::COMPRESSOR_OPTIONS == 0 {
        return Ok(start);
    }
    let mut header = [0; 2];
    if superblock.bytes_used < start + header.len() as u64 {
        return Err(TableKind::Inodes.fault(LayoutFault::Missing));
    }
    source.read_exact_at(&mut header, start).map_err(Unreadable::Read)?;
    let len = u16::from_le_bytes(header) & !METADATA_RAW;
    Ok(start + 2 + u64::from(len))
}

/// Goes through the tables from the last to the first.
struct Tables<'a> {
    source: &'a dyn Source,
    budget: &'a mut Budget,
    data_start: u64,
    /// Where the table before the last one seen must end.
    end: u64,
}

impl Tables<'_> {
    /// A table without an index.
    fn plain(&mut self, kind: TableKind, start: u64) -> Result<Range<u64>, Unreadable> {
        if start < self.data_start || start > self.end {
            return Err(kind.fault(LayoutFault::Order(start)));
        }
        Ok(start..std::mem::replace(&mut self.end, start))
    }

    /// A table of `len` bytes whose index is at `start`.
    fn indexed(&mut self, kind: TableKind, start: u64, len: u64) -> Result<Indexed, Unreadable> {
        let blocks = len.div_ceil(METADATA_SIZE as u64);
        // Lengths are 32-bit counts of small entries, so this cannot overflow.
        let index = blocks * 8;
        match start.checked_add(index) {
            Some(end) if end == self.end => {}
            end => return Err(kind.fault(LayoutFault::Gap { end: end.unwrap_or(u64::MAX), next: self.end })),
        }
        let blocks = self.positions(start, index)?;
        let first = blocks.first().copied().unwrap_or(start);
        if first < self.data_start || first > start {
            return Err(kind.fault(LayoutFault::Order(first)));
        }
        self.end = first;
        Ok(Indexed { region: first..start, blocks, len })
    }

    fn attributes(&mut self, start: u64) -> Result<Attributes, Unreadable> {
        let kind = TableKind::Attributes;
        let mut header = [0; XattrTable::SIZE];
        let index = start.checked_add(header.len() as u64).filter(|index| *index <= self.end);
        let index = index.ok_or(kind.fault(LayoutFault::Order(start)))?;
        self.source.read_exact_at(&mut header, start).map_err(Unreadable::Read)?;
        let XattrTable { start: values, ids, unused: _ } =
            XattrTable::take(&mut &header[..]).ok_or(kind.fault(LayoutFault::Missing))?;
        // The header is between the blocks and their index.
        let mut ids = self.indexed(TableKind::AttributeIds, index, u64::from(ids) * XattrId::SIZE as u64)?;
        ids.region.end = start;
        if self.end > start {
            return Err(kind.fault(LayoutFault::Order(self.end)));
        }
        Ok(Attributes { values: self.plain(kind, values)?, ids })
    }

    /// An index. All of it is in the image, because `start` and `bytes` were compared with where it ends.
    fn positions(&mut self, start: u64, bytes: u64) -> Result<Vec<u64>, Unreadable> {
        self.budget.take(bytes)?;
        let mut index = vec![0; bytes as usize];
        self.source.read_exact_at(&mut index, start).map_err(Unreadable::Read)?;
        Ok(index.as_chunks().0.iter().map(|position| u64::from_le_bytes(*position)).collect())
    }
}

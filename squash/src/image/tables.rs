//! The contents of all tables.

use std::ops::Range;

use spec::defence::{self, Threat};

use super::attributes::AttributeNames;
use super::finding::{Findings, Place, Rule};
use super::layout::{Indexed, Layout, LayoutFault};
use super::limits::Budget;
use super::metadata::{Table, TableKind};
use super::{Source, Unreadable};
use crate::decompress::Decompressor;
use crate::format::{DATA_RAW, FragmentBlock, XattrId};

/// The tables of an image, decompressed.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) inodes: Table,
    pub(super) directories: Table,
    pub(super) fragments: Vec<FragmentBlock>,
    /// [`crate::format::MetadataRef::packed`] for each inode number from 1 on.
    pub(super) export: Option<Vec<u64>>,
    pub(super) ids: Vec<u32>,
    pub(super) attributes: Option<AttributeNames>,
}

impl Tables {
    /// Reads them all. A block of the inode or directory table that cannot be read is a finding, and what comes before
    /// it can still be used; the tables with an index are whole or the image is unreadable.
    pub(super) fn read(
        source: &dyn Source,
        layout: &Layout,
        budget: &mut Budget,
        findings: &mut Findings,
    ) -> Result<Tables, Unreadable> {
        let decompressor = Decompressor::new(layout.method).map_err(Unreadable::Read)?;
        let mut reader = TableReader { source, decompressor, budget };
        let fragments = match &layout.fragments {
            Some(table) => {
                reader.records(TableKind::Fragments, table, FragmentBlock::SIZE, FragmentBlock::take)?
            }
            None => Vec::new(),
        };
        check_fragments(&fragments, layout, findings);
        let export = match &layout.export {
            Some(table) => Some(reader.records(TableKind::Export, table, 8, |bytes| {
                bytes.split_off(..8)?.try_into().ok().map(u64::from_le_bytes)
            })?),
            None => None,
        };
        let ids = reader.records(TableKind::Ids, &layout.ids, 4, |bytes| {
            bytes.split_off(..4)?.try_into().ok().map(u32::from_le_bytes)
        })?;
        let attributes = match &layout.attributes {
            Some(attributes) => {
                let table = TableKind::Attributes;
                if defence::stands(Threat::C1) {
                    findings.add(Rule::AttributeTable, || Place::Table(table));
                }
                let sets =
                    reader.records(TableKind::AttributeIds, &attributes.ids, XattrId::SIZE, XattrId::take)?;
                let values = reader.table(table, attributes.values.clone(), findings)?;
                Some(AttributeNames::new(sets, values))
            }
            None => None,
        };
        let inodes = reader.table(TableKind::Inodes, layout.inodes.clone(), findings)?;
        let directories = reader.table(TableKind::Directories, layout.directories.clone(), findings)?;
        Ok(Tables { inodes, directories, fragments, export, ids, attributes })
    }
}

/// A fragment block is within the data, and no larger than a block.
fn check_fragments(fragments: &[FragmentBlock], layout: &Layout, findings: &mut Findings) {
    for (number, fragment) in (0..).zip(fragments) {
        let stored = fragment.size & !DATA_RAW;
        let fits = fragment.start >= layout.data.start
            && fragment.start.checked_add(stored.into()).is_some_and(|end| end <= layout.data.end)
            && (1..=layout.superblock.block_size).contains(&stored);
        if !fits {
            findings.add(Rule::FragmentBlock(number), || Place::Table(TableKind::Fragments));
        }
    }
}

struct TableReader<'a> {
    source: &'a dyn Source,
    decompressor: Decompressor,
    budget: &'a mut Budget,
}

impl TableReader<'_> {
    /// A table of which only the part before a broken block counts.
    fn table(
        &mut self,
        kind: TableKind,
        region: Range<u64>,
        findings: &mut Findings,
    ) -> Result<Table, Unreadable> {
        let (table, broken) = Table::read(self.source, region, &mut self.decompressor, self.budget)?;
        if let Some(broken) = broken {
            findings.add(Rule::MetadataBlock(broken.at), || Place::Table(kind));
        }
        Ok(table)
    }

    /// A table of equal records, whose blocks are where its index says.
    fn records<T>(
        &mut self,
        kind: TableKind,
        table: &Indexed,
        size: usize,
        take: impl Fn(&mut &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Unreadable> {
        let (blocks, broken) =
            Table::read(self.source, table.region.clone(), &mut self.decompressor, self.budget)?;
        if let Some(broken) = broken {
            return Err(kind.fault(LayoutFault::Block(broken.at)));
        }
        let starts = blocks.block_starts().map(|start| table.region.start + start);
        if !starts.eq(table.blocks.iter().copied()) {
            return Err(kind.fault(LayoutFault::Index));
        }
        let found = blocks.bytes.len() as u64;
        if found != table.len {
            return Err(kind.fault(LayoutFault::Length { found, wanted: table.len }));
        }
        Ok(blocks.bytes.chunks_exact(size).filter_map(|mut record| take(&mut record)).collect())
    }
}

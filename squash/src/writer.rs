//! A tree becomes an image.

use std::fs::File;

use spec::Digest;
use spec::artifact::ContentFacts;

use crate::data::{self, Data};
use crate::format::{self, IDS, IMAGE_ALIGNMENT, SUPERBLOCK_SIZE, Superblock};
use crate::inodes::{self, Inodes};
use crate::metadata::LookupTable;
use crate::numbering;
use crate::output::Output;
use crate::{Options, PackError, Tree};

/// An image that has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Digest of the whole file, padding included.
    pub digest: Digest,
    /// Its size in bytes, a multiple of 4096.
    pub size: u64,
    /// What is in it.
    pub facts: ContentFacts,
}

/// Writes the tree as a squashfs image over whatever `out` has, which must be open for reading and writing.
///
/// The same tree and options give the same bytes wherever and whenever this runs. `progress` is told how many bytes of
/// content are dealt with; it ends at [`ContentFacts::bytes`]. Files that have a length in common are read twice, so
/// nobody may change them meanwhile; that they did not change is checked. `out` is not synced.
pub fn pack(
    tree: &Tree,
    options: &Options,
    out: &mut File,
    progress: &mut dyn FnMut(u64),
) -> Result<Packed, PackError> {
    let nodes = numbering::number(tree)?;
    let mut output = Output::new(out)?;
    output.append(&[0; SUPERBLOCK_SIZE])?; // written last, when everything has its place
    output.append(&format::compressor_options(options.level.get()))?;
    let data = data::write(&nodes, options, &mut output, progress)?;
    let inodes = inodes::write(&nodes, &data, options)?;
    let superblock = append_tables(&mut output, options, &data, &inodes)?;
    output.pad(IMAGE_ALIGNMENT)?;
    let size = output.position();
    let digest = output.finish(&superblock.to_bytes())?;
    Ok(Packed { digest, size, facts: tree.facts() })
}

/// Appends all metadata in the order in which the kernel expects it (fs/squashfs/super.c, `squashfs_fill_super`: each
/// table must end where the next begins, and the ID table is the last).
fn append_tables(
    output: &mut Output<'_>,
    options: &Options,
    data: &Data,
    inodes: &Inodes,
) -> Result<Superblock, PackError> {
    let inode_table = output.position();
    output.append(&inodes.inode_table)?;
    let directory_table = output.position();
    output.append(&inodes.directory_table)?;

    let fragments = data.fragments.iter().map(|block| block.to_bytes());
    let fragment_table = append_lookup_table(output, options, fragments)?;
    let inode_refs = inodes.by_number.iter().map(|inode| inode.packed().to_le_bytes());
    let export_table = append_lookup_table(output, options, inode_refs)?;
    let id_table = append_lookup_table(output, options, IDS.map(u32::to_le_bytes))?;

    let count = |len| u32::try_from(len).map_err(|_| PackError::TooLarge("number of inodes or fragments"));
    Ok(Superblock {
        inodes: count(inodes.by_number.len())?,
        mtime: options.mtime,
        block_size: options.block_size,
        fragments: count(data.fragments.len())?,
        root: inodes.root,
        bytes_used: output.position(),
        id_table,
        inode_table,
        directory_table,
        fragment_table,
        export_table,
    })
}

/// Appends a lookup table; returns what the superblock says of it.
fn append_lookup_table(
    output: &mut Output<'_>,
    options: &Options,
    entries: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Result<u64, PackError> {
    let table = LookupTable::new(entries, output.position(), options.level)?;
    output.append(&table.bytes)?;
    Ok(table.start)
}

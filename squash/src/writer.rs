//! A tree becomes an image.

use std::fs::File;
use std::num::NonZero;

use spec::artifact::ContentFacts;
use spec::verity::VerityFacts;
use spec::{Digest, Hasher};

use crate::attributes::AttributeSets;
use crate::cache::Cache;
use crate::data::{self, Data};
use crate::format::{self, IMAGE_ALIGNMENT, METADATA_RAW, Superblock, flags};
use crate::inodes::{self, IDS, Inodes};
use crate::metadata::LookupTable;
use crate::output::{Finished, Output};
use crate::{Node, Options, PackError, Tree, compress, numbering, verity};

/// What there is to work with. It decides how long packing takes, and nothing about the image.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// How many threads compress.
    pub threads: NonZero<usize>,
    /// Blocks that were compressed before.
    pub cache: Option<&'a Cache>,
}

impl Means<'_> {
    /// A thread for each processor that this process may use, and no cache.
    pub fn of_this_machine() -> Self {
        Means { threads: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN), cache: None }
    }
}

/// An image that has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Digest of the whole file, padding and verity area included.
    pub digest: Digest,
    /// Its size in bytes, a multiple of 4096.
    pub size: u64,
    /// What is in it.
    pub facts: ContentFacts,
    /// What the kernel must know to check it, if it was asked for.
    pub verity: Option<VerityFacts>,
}

/// Writes the tree as a squashfs image over whatever `out` has, which must be open for reading and writing.
///
/// The same tree and options give the same bytes wherever and whenever this runs, and whatever the means. `progress` is
/// told how many bytes of content are dealt with; it ends at [`ContentFacts::bytes`]. Nobody may change the files
/// meanwhile: their lengths are held against the tree's, and what is read twice against itself. `out` is not synced.
pub fn pack(
    tree: &Tree,
    options: &Options,
    means: Means<'_>,
    out: &mut File,
    progress: &mut dyn FnMut(u64),
) -> Result<Packed, PackError> {
    let packed = write(tree, options, means, out, progress);
    if let Some(cache) = means.cache {
        cache.trim();
    }
    packed
}

fn write(
    tree: &Tree,
    options: &Options,
    means: Means<'_>,
    out: &mut File,
    progress: &mut dyn FnMut(u64),
) -> Result<Packed, PackError> {
    let nodes = numbering::number(tree)?;
    let attributes = AttributeSets::new(tree, &nodes)?;
    let salt = options.verity.then(|| verity::salt(seed(tree, options)));
    let mut output = Output::new(out, salt)?;
    output.append(&[0; Superblock::SIZE])?; // written last, when everything has its place
    output.append(&compressor_options(options))?;
    let data = data::write(&nodes, options, means, &mut output, progress)?;
    let inodes = inodes::write(&nodes, &data, &attributes, options)?;
    let superblock = append_tables(&mut output, options, &data, &inodes, &attributes)?;
    output.pad(IMAGE_ALIGNMENT)?;
    let Finished { digest, size, verity } = output.finish(&superblock.to_bytes())?;
    let facts = tree.facts();
    progress(facts.bytes);
    Ok(Packed { digest, size, facts, verity })
}

/// What is known of an image before its first byte: everything but the content of files. It decides the salt of the
/// verity tree, which nothing has to wait for.
fn seed(tree: &Tree, options: &Options) -> Digest {
    let mut hasher = Hasher::new();
    let mut add = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    let Options { mtime, compression, block_size, verity: _ } = options;
    add(format!("{mtime} {} {} {block_size}", compression.method(), compression.level()).as_bytes());
    for (path, node) in tree.iter() {
        add(path.as_str().as_bytes());
        match node {
            Node::Directory { mode } => add(format!("directory {mode}").as_bytes()),
            Node::File { mode, content } => add(format!("file {mode} {}", content.len()).as_bytes()),
            Node::Symlink { target } => add(format!("symlink {target}").as_bytes()),
            Node::HardLink { target } => add(format!("hard link {target}").as_bytes()),
        }
        for (name, value) in tree.attributes(path).into_iter().flatten() {
            add(name.as_bytes());
            add(value);
        }
    }
    hasher.finish()
}

/// An uncompressed metadata block right after the superblock.
fn compressor_options(options: &Options) -> Vec<u8> {
    let bytes = compress::options(options.compression, options.block_size);
    [(METADATA_RAW | bytes.len() as u16).to_le_bytes().to_vec(), bytes].concat()
}

/// Appends all metadata in the order in which the kernel expects it (fs/squashfs/super.c, `squashfs_fill_super`: each
/// table must end where the next begins, and that of the attributes is the last).
fn append_tables(
    output: &mut Output<'_>,
    options: &Options,
    data: &Data,
    inodes: &Inodes,
    attributes: &AttributeSets<'_>,
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
    let xattr_table = attributes.append(output, options)?;

    let count = |len| u32::try_from(len).map_err(|_| PackError::TooLarge("number of inodes or fragments"));
    let no_xattrs = if attributes.is_empty() { flags::NO_XATTRS } else { 0 };
    Ok(Superblock {
        magic: format::MAGIC,
        inodes: count(inodes.by_number.len())?,
        mtime: options.mtime,
        block_size: options.block_size.get(),
        fragments: count(data.fragments.len())?,
        compression: options.compression.method().id(),
        block_log: options.block_size.log2(),
        flags: flags::DUPLICATES | flags::EXPORT | flags::COMPRESSOR_OPTIONS | no_xattrs,
        ids: IDS.len() as u16,
        major: format::VERSION.0,
        minor: format::VERSION.1,
        root: inodes.root.packed(),
        bytes_used: output.position(),
        id_table,
        xattr_table,
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
    let table = LookupTable::new(entries, output.position(), options)?;
    output.append(&table.bytes)?;
    Ok(table.start)
}

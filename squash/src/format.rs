//! squashfs 4.0 on disk: constants and layouts, each named after its place in Linux fs/squashfs/squashfs_fs.h.
//!
//! Everything is little-endian and packed. A layout here is total: it turns checked values into bytes and cannot fail.

use crate::{BlockSize, Mode};

/// `SQUASHFS_MAGIC` (include/uapi/linux/magic.h): "hsqs" on disk.
const MAGIC: u32 = 0x7371_7368;
/// `SQUASHFS_MAJOR` and `SQUASHFS_MINOR`.
const VERSION: (u16, u16) = (4, 0);
/// `ZSTD_COMPRESSION`.
const ZSTD: u16 = 6;
/// `SQUASHFS_DUPLICATE`, `SQUASHFS_EXPORT` and `SQUASHFS_COMP_OPT`, which are bit numbers, and bit 9, which only
/// squashfs-tools knows (`SQUASHFS_NO_XATTR`): equal files are stored once, there is an export table, compressor
/// options follow the superblock, and there are no extended attributes.
const FLAGS: u16 = 1 << 6 | 1 << 7 | 1 << 9 | 1 << 10;

/// `sizeof(struct squashfs_super_block)`.
pub(crate) const SUPERBLOCK_SIZE: usize = 96;
/// `SQUASHFS_METADATA_SIZE`: metadata is compressed in units of this many bytes.
pub(crate) const METADATA_SIZE: usize = 8192;
/// `SQUASHFS_COMPRESSED_BIT`: in the length before a metadata block, it is stored as it is.
pub(crate) const METADATA_RAW: u16 = 1 << 15;
/// `SQUASHFS_COMPRESSED_BIT_BLOCK`: in the length of a data block or fragment, it is stored as it is.
pub(crate) const DATA_RAW: u32 = 1 << 24;
/// `SQUASHFS_DIR_COUNT`: most entries after one directory header.
pub(crate) const DIRECTORY_RUN_MAX: usize = 256;
/// Images end at a multiple of this, as mksquashfs has it: block devices have whole sectors and pages.
pub(crate) const IMAGE_ALIGNMENT: u64 = 4096;

/// `SQUASHFS_INVALID_FRAG`, `SQUASHFS_INVALID_XATTR` and `SQUASHFS_INVALID_BLK`: there is none.
const NO_FRAGMENT: u32 = u32::MAX;
const NO_XATTR: u32 = u32::MAX;
const NO_TABLE: u64 = u64::MAX;

/// The owner of everything: entry 0 of the ID table, which has no other.
const OWNER_INDEX: u16 = 0;
/// The ID table: root, for owner and group.
pub(crate) const IDS: [u32; 1] = [0];

/// The size of a listing in a directory's inode counts the `.` and `..` that it does not hold
/// (fs/squashfs/dir.c, `squashfs_readdir`).
const LISTING_DOTS: u32 = 3;
/// The longest listing that an inode can say.
pub(crate) const LISTING_MAX: u32 = u32::MAX - LISTING_DOTS;

/// A place in a metadata table: start of a compressed block, counted from the start of the table, and the offset in
/// it after decompression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MetadataRef {
    pub(crate) block: u32,
    pub(crate) offset: u16,
}

impl MetadataRef {
    /// `SQUASHFS_MKINODE`.
    pub(crate) fn packed(self) -> u64 {
        u64::from(self.block) << 16 | u64::from(self.offset)
    }
}

/// `struct squashfs_super_block`. Positions count from the start of the image.
#[derive(Debug)]
pub(crate) struct Superblock {
    pub(crate) inodes: u32,
    pub(crate) mtime: u32,
    pub(crate) block_size: BlockSize,
    pub(crate) fragments: u32,
    pub(crate) root: MetadataRef,
    pub(crate) bytes_used: u64,
    pub(crate) id_table: u64,
    pub(crate) inode_table: u64,
    pub(crate) directory_table: u64,
    pub(crate) fragment_table: u64,
    pub(crate) export_table: u64,
}

impl Superblock {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (major, minor) = VERSION;
        Fields::default()
            .u32(MAGIC)
            .u32(self.inodes)
            .u32(self.mtime)
            .u32(self.block_size.get())
            .u32(self.fragments)
            .u16(ZSTD)
            .u16(self.block_size.log2())
            .u16(FLAGS)
            .u16(IDS.len() as u16)
            .u16(major)
            .u16(minor)
            .u64(self.root.packed())
            .u64(self.bytes_used)
            .u64(self.id_table)
            .u64(NO_TABLE) // extended attributes
            .u64(self.inode_table)
            .u64(self.directory_table)
            .u64(self.fragment_table)
            .u64(self.export_table)
            .0
    }
}

/// The compressor options right after the superblock: an uncompressed metadata block with the zstd level
/// (squashfs-tools, zstd_wrapper.h, `struct zstd_comp_opts`). Readers take the level for 15 where it is missing.
pub(crate) fn compressor_options(level: i32) -> Vec<u8> {
    let level = level.to_le_bytes();
    Fields::default().u16(METADATA_RAW | level.len() as u16).bytes(&level).0
}

/// `struct squashfs_fragment_entry`: a block that holds the content of several small files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FragmentBlock {
    pub(crate) start: u64,
    /// Stored size, with [`DATA_RAW`].
    pub(crate) size: u32,
}

impl FragmentBlock {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        Fields::default().u64(self.start).u32(self.size).u32(0).0
    }
}

/// What every inode begins with: `struct squashfs_base_inode` without its type and owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InodeBase {
    pub(crate) mode: Mode,
    pub(crate) mtime: u32,
    pub(crate) number: u32,
}

impl InodeBase {
    fn fields(self, inode_type: u16) -> Fields {
        Fields::default()
            .u16(inode_type)
            .u16(self.mode.bits())
            .u16(OWNER_INDEX)
            .u16(OWNER_INDEX)
            .u32(self.mtime)
            .u32(self.number)
    }
}

/// Where in which fragment block a small file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FragmentRef {
    pub(crate) index: u32,
    pub(crate) offset: u32,
}

/// A regular file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileInode {
    /// Position of the first data block in the image; 0 without one.
    pub(crate) start: u64,
    /// Length of the content.
    pub(crate) size: u64,
    /// How much of the content is in blocks of zeros, which are not stored.
    pub(crate) sparse: u64,
    pub(crate) fragment: Option<FragmentRef>,
    /// Stored size of each block, with [`DATA_RAW`]; 0 is a block of zeros.
    pub(crate) blocks: Vec<u32>,
}

impl FileInode {
    /// `struct squashfs_reg_inode`, or `squashfs_lreg_inode` where a field is too narrow or missing in it.
    pub(crate) fn to_bytes(&self, base: InodeBase) -> Vec<u8> {
        let (fragment, offset) = self.fragment.map_or((NO_FRAGMENT, 0), |at| (at.index, at.offset));
        let narrow = (u32::try_from(self.start), u32::try_from(self.size), self.sparse);
        let fields = match narrow {
            (Ok(start), Ok(size), 0) => {
                base.fields(inode::FILE).u32(start).u32(fragment).u32(offset).u32(size)
            }
            _ => base
                .fields(inode::FILE_EXTENDED)
                .u64(self.start)
                .u64(self.size)
                .u64(self.sparse.min(self.size.saturating_sub(1))) // a file of zeros still has one byte: mksquashfs
                .u32(1) // links
                .u32(fragment)
                .u32(offset)
                .u32(NO_XATTR),
        };
        self.blocks.iter().fold(fields, |fields, size| fields.u32(*size)).0
    }
}

/// A symbolic link.
#[derive(Debug)]
pub(crate) struct SymlinkInode<'a> {
    pub(crate) target: &'a str,
}

impl SymlinkInode<'_> {
    /// `struct squashfs_symlink_inode`.
    pub(crate) fn to_bytes(&self, base: InodeBase) -> Vec<u8> {
        base.fields(inode::SYMLINK)
            .u32(1) // links
            .u32(self.target.len() as u32)
            .bytes(self.target.as_bytes())
            .0
    }
}

/// A directory.
#[derive(Debug)]
pub(crate) struct DirectoryInode {
    pub(crate) listing: Listing,
    /// Two and the number of directories in it.
    pub(crate) links: u32,
    /// Inode number of the directory that holds it.
    pub(crate) parent: u32,
}

impl DirectoryInode {
    /// `struct squashfs_dir_inode`, or `squashfs_ldir_inode` where the listing is long.
    pub(crate) fn to_bytes(&self, base: InodeBase) -> Vec<u8> {
        let Listing { start, size, index } = &self.listing;
        let size = size.saturating_add(LISTING_DOTS);
        if let (Ok(size), []) = (u16::try_from(size), index.as_slice()) {
            return base
                .fields(inode::DIRECTORY)
                .u32(start.block)
                .u32(self.links)
                .u16(size)
                .u16(start.offset)
                .u32(self.parent)
                .0;
        }
        let count = u16::try_from(index.len()).unwrap_or(u16::MAX);
        let fields = base
            .fields(inode::DIRECTORY_EXTENDED)
            .u32(self.links)
            .u32(size)
            .u32(start.block)
            .u32(self.parent)
            .u16(count)
            .u16(start.offset)
            .u32(NO_XATTR);
        // An index entry only saves time, so those that cannot be counted may be missing.
        index.iter().take(count.into()).fold(fields, |fields, entry| entry.append(fields)).0
    }
}

/// Where the entries of a directory lie in the directory table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) start: MetadataRef,
    /// Bytes, at most [`LISTING_MAX`].
    pub(crate) size: u32,
    pub(crate) index: Vec<IndexEntry>,
}

/// `struct squashfs_dir_index`: a header in a later metadata block, so that a search need not begin at the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Distance of the header from the start of the listing, in bytes.
    pub(crate) distance: u32,
    /// The metadata block in which it begins.
    pub(crate) block: u32,
    /// The first name after it.
    pub(crate) name: String,
}

impl IndexEntry {
    fn append(&self, fields: Fields) -> Fields {
        fields
            .u32(self.distance)
            .u32(self.block)
            .u32(name_size(&self.name).into())
            .bytes(self.name.as_bytes())
    }
}

/// `struct squashfs_dir_header`: what the entries after it have in common.
#[derive(Debug)]
pub(crate) struct DirectoryHeader {
    /// Number of entries, 1 to [`DIRECTORY_RUN_MAX`].
    pub(crate) count: u32,
    /// The block of the inode table in which all their inodes begin.
    pub(crate) inode_block: u32,
    /// The number that theirs are counted from.
    pub(crate) first_number: u32,
}

impl DirectoryHeader {
    /// `sizeof(struct squashfs_dir_header)`.
    pub(crate) const SIZE: usize = 12;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        Fields::default().u32(self.count.saturating_sub(1)).u32(self.inode_block).u32(self.first_number).0
    }
}

/// `struct squashfs_dir_entry`.
#[derive(Debug)]
pub(crate) struct DirectoryEntry<'a> {
    /// Offset of the inode in its metadata block.
    pub(crate) inode_offset: u16,
    /// Its number less that of the header. The field is signed; this writer only counts up, and not far.
    pub(crate) number_delta: u8,
    pub(crate) kind: EntryKind,
    pub(crate) name: &'a str,
}

impl DirectoryEntry<'_> {
    /// Bytes of the entry of a name: `sizeof(struct squashfs_dir_entry)` and the name.
    pub(crate) fn size_for(name: &str) -> usize {
        8 + name.len()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        Fields::default()
            .u16(self.inode_offset)
            .u16(self.number_delta.into())
            .u16(self.kind as u16)
            .u16(name_size(self.name))
            .bytes(self.name.as_bytes())
            .0
    }
}

/// What an entry of a directory is. Extended inodes have the type of the plain ones here (`SQUASHFS_MAX_DIR_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Directory = inode::DIRECTORY as isize,
    File = inode::FILE as isize,
    Symlink = inode::SYMLINK as isize,
}

/// `SQUASHFS_*_TYPE`.
mod inode {
    pub(super) const DIRECTORY: u16 = 1;
    pub(super) const FILE: u16 = 2;
    pub(super) const SYMLINK: u16 = 3;
    pub(super) const DIRECTORY_EXTENDED: u16 = 8;
    pub(super) const FILE_EXTENDED: u16 = 9;
}

/// Names are stored with their length less one; a [`spec::TreePath`] has components of 1 to 255 bytes.
fn name_size(name: &str) -> u16 {
    (name.len() as u16).saturating_sub(1)
}

/// Fields one after the other.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn u16(self, value: u16) -> Fields {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(self, value: u32) -> Fields {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(self, value: u64) -> Fields {
        self.bytes(&value.to_le_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Fields {
        self.0.extend_from_slice(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: InodeBase = InodeBase { mode: Mode::FILE, mtime: 7, number: 9 };

    fn inode_type(bytes: &[u8]) -> u16 {
        u16::from_le_bytes([bytes[0], bytes[1]])
    }

    #[test]
    fn sizes_are_those_of_the_kernel_structures() {
        let superblock = Superblock {
            inodes: 1,
            mtime: 0,
            block_size: BlockSize::default(),
            fragments: 0,
            root: MetadataRef { block: 0x01_0203, offset: 0x0405 },
            bytes_used: 0,
            id_table: 0,
            inode_table: 0,
            directory_table: 0,
            fragment_table: 0,
            export_table: 0,
        };
        let bytes = superblock.to_bytes();
        assert_eq!(bytes.len(), SUPERBLOCK_SIZE);
        assert_eq!(&bytes[..4], b"hsqs");
        assert_eq!(bytes[32..40], 0x01_0203_0405u64.to_le_bytes());
        assert_eq!(FragmentBlock { start: 0, size: 0 }.to_bytes().len(), 16);
        let header = DirectoryHeader { count: 1, inode_block: 0, first_number: 1 };
        assert_eq!(header.to_bytes().len(), DirectoryHeader::SIZE);
    }

    #[test]
    fn a_file_inode_is_extended_only_where_it_must_be() {
        let small = FileInode { size: u32::MAX.into(), start: u32::MAX.into(), ..FileInode::default() };
        assert_eq!((inode_type(&small.to_bytes(BASE)), small.to_bytes(BASE).len()), (2, 32));
        let four_gib = 1 << 32;
        for wide in [
            FileInode { size: four_gib, ..small.clone() },
            FileInode { start: four_gib, ..small.clone() },
            FileInode { sparse: 1, ..small },
        ] {
            assert_eq!((inode_type(&wide.to_bytes(BASE)), wide.to_bytes(BASE).len()), (9, 56));
        }
    }

    #[test]
    fn a_directory_inode_is_extended_only_where_it_must_be() {
        let directory = |size, index| DirectoryInode {
            listing: Listing { start: MetadataRef::default(), size, index },
            links: 2,
            parent: 1,
        };
        let entry = IndexEntry { distance: 1, block: 2, name: "abc".to_owned() };
        let short = directory(65532, vec![]).to_bytes(BASE);
        assert_eq!((inode_type(&short), short.len()), (1, 32));
        let long = directory(65533, vec![]).to_bytes(BASE);
        assert_eq!((inode_type(&long), long.len()), (8, 40));
        let indexed = directory(9, vec![entry]).to_bytes(BASE);
        assert_eq!((inode_type(&indexed), indexed.len()), (8, 40 + 12 + 3));
    }
}

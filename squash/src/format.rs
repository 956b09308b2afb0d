//! squashfs 4.0 on disk: every constant and every structure, named after its place in Linux fs/squashfs/squashfs_fs.h.
//!
//! Everything is little-endian and packed. Writer and reader use the same tables, so that what one puts into a field
//! is what the other takes out of it. Positions in the image are 64 bits wide and count from its start, unless a field
//! says otherwise.

/// `SQUASHFS_MAGIC` (include/uapi/linux/magic.h): "hsqs" on disk.
pub(crate) const MAGIC: u32 = 0x7371_7368;
/// `SQUASHFS_MAJOR` and `SQUASHFS_MINOR`.
pub(crate) const VERSION: (u16, u16) = (4, 0);

/// `SQUASHFS_METADATA_SIZE`: metadata is compressed in units of this many bytes.
pub(crate) const METADATA_SIZE: usize = 8192;
/// `SQUASHFS_COMPRESSED_BIT`: in the length before a metadata block, it is stored as it is.
pub(crate) const METADATA_RAW: u16 = 1 << 15;
/// `SQUASHFS_COMPRESSED_BIT_BLOCK`: in the length of a data block or fragment, it is stored as it is.
pub(crate) const DATA_RAW: u32 = 1 << 24;
/// `SQUASHFS_DIR_COUNT`: most entries after one directory header.
pub(crate) const DIRECTORY_RUN_MAX: usize = 256;
/// `SQUASHFS_NAME_LEN`: longest name in bytes.
pub(crate) const NAME_MAX: usize = 256;
/// Smallest and largest block, as logarithms to base 2: 4 KiB is mksquashfs's bound and every kernel's page
/// (fs/squashfs/super.c refuses less than a page), 1 MiB is `SQUASHFS_FILE_MAX_LOG`.
pub(crate) const BLOCK_LOGS: std::ops::RangeInclusive<u16> = 12..=20;
/// Images end at a multiple of this, as mksquashfs has it: block devices have whole sectors and pages.
pub(crate) const IMAGE_ALIGNMENT: u64 = 4096;

/// `SQUASHFS_INVALID_FRAG`: the file has no fragment.
pub(crate) const NO_FRAGMENT: u32 = u32::MAX;
/// `SQUASHFS_INVALID_XATTR`: the inode has no extended attributes.
pub(crate) const NO_XATTR: u32 = u32::MAX;
/// `SQUASHFS_INVALID_BLK`: the image has no such table.
pub(crate) const NO_TABLE: u64 = u64::MAX;

/// The size of a listing in a directory's inode counts the `.` and `..` that it does not hold
/// (fs/squashfs/dir.c, `squashfs_readdir`).
pub(crate) const LISTING_DOTS: u32 = 3;

/// `SQUASHFS_*` bits of [`Superblock::flags`].
pub(crate) mod flags {
    /// `SQUASHFS_DUPLICATE`: equal files are stored once.
    pub(crate) const DUPLICATES: u16 = 1 << 6;
    /// `SQUASHFS_EXPORT`: there is a table from inode numbers to inodes.
    pub(crate) const EXPORT: u16 = 1 << 7;
    /// `SQUASHFS_NO_XATTR` of squashfs-tools; the kernel looks at the table itself.
    pub(crate) const NO_XATTRS: u16 = 1 << 9;
    /// `SQUASHFS_COMP_OPT`: compressor options follow the superblock.
    pub(crate) const COMPRESSOR_OPTIONS: u16 = 1 << 10;
    /// The twelve that squashfs-tools knows, from `SQUASHFS_NOI` to `SQUASHFS_NOID`.
    pub(crate) const KNOWN: u16 = (1 << 12) - 1;
}

/// `*_COMPRESSION`: values of [`Superblock::compression`]. 2 (LZMA) and 3 (LZO) are neither written nor read here.
pub(crate) mod compression {
    pub(crate) const GZIP: u16 = 1;
    pub(crate) const XZ: u16 = 4;
    pub(crate) const LZ4: u16 = 5;
    pub(crate) const ZSTD: u16 = 6;
}

/// `SQUASHFS_*_TYPE`: values of [`InodeBase::kind`]. The plain ones are also values of [`DirectoryEntry::kind`].
pub(crate) mod inode {
    pub(crate) const DIRECTORY: u16 = 1;
    pub(crate) const FILE: u16 = 2;
    pub(crate) const SYMLINK: u16 = 3;
    pub(crate) const BLOCK_DEVICE: u16 = 4;
    pub(crate) const CHARACTER_DEVICE: u16 = 5;
    pub(crate) const FIFO: u16 = 6;
    pub(crate) const SOCKET: u16 = 7;
    /// The extended form of a type is the plain one and this.
    pub(crate) const EXTENDED: u16 = 7;
}

/// `SQUASHFS_XATTR_*`: values of [`XattrEntry::kind`], each a prefix that the stored name lacks.
pub(crate) mod xattr {
    pub(crate) const PREFIXES: [(u16, &str); 3] = [(0, "user."), (1, "trusted."), (2, "security.")];
    /// `SQUASHFS_XATTR_VALUE_OOL`: the value is a reference to an earlier one.
    pub(crate) const OUT_OF_LINE: u16 = 1 << 8;
}

/// A structure whose fields follow one another without gaps, in little-endian order.
macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type,)* }

        impl $name {
            /// Bytes on disk.
            pub(crate) const SIZE: usize = 0 $(+ size_of::<$type>())*;

            #[allow(dead_code, reason = "devices and the like are read and never written")]
            pub(crate) fn to_bytes(self) -> Vec<u8> {
                let mut bytes = Vec::with_capacity(Self::SIZE);
                $(bytes.extend_from_slice(&self.$field.to_le_bytes());)*
                bytes
            }

            /// Takes the structure off the front of `bytes`; nothing if they are too few.
            pub(crate) fn take(bytes: &mut &[u8]) -> Option<Self> {
                let (mut own, rest) = bytes.split_at_checked(Self::SIZE)?;
                *bytes = rest;
                Some($name { $($field: <$type>::from_le_bytes(take_field(&mut own)?),)* })
            }
        }
    )*};
}

fn take_field<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*field)
}

layouts! {
    /// `struct squashfs_super_block`.
    Superblock {
        magic: u32,
        inodes: u32,
        /// Seconds since 1970-01-01 UTC; unsigned, so until 2106.
        mtime: u32,
        block_size: u32,
        fragments: u32,
        compression: u16,
        /// Logarithm of `block_size` to base 2.
        block_log: u16,
        flags: u16,
        /// Entries of the ID table.
        ids: u16,
        major: u16,
        minor: u16,
        /// A [`MetadataRef`] into the inode table.
        root: u64,
        /// The end of the last table; what follows is padding.
        bytes_used: u64,
        id_table: u64,
        xattr_table: u64,
        inode_table: u64,
        directory_table: u64,
        fragment_table: u64,
        /// `lookup_table_start`.
        export_table: u64,
    }

    /// `struct squashfs_fragment_entry`: a block that holds the content of several small files.
    FragmentBlock {
        start: u64,
        /// Stored size, with [`DATA_RAW`].
        size: u32,
        unused: u32,
    }

    /// `struct squashfs_base_inode`: what every inode begins with.
    InodeBase {
        /// One of [`inode`].
        kind: u16,
        /// Permission bits; the type is not repeated.
        mode: u16,
        /// Place in the ID table, whose entries are 32 bits wide.
        uid: u16,
        gid: u16,
        /// Seconds since 1970-01-01 UTC, unsigned.
        mtime: u32,
        /// From 1 to [`Superblock::inodes`], each once.
        number: u32,
    }

    /// `struct squashfs_reg_inode` after its base; then the stored size of each block.
    File {
        start: u32,
        fragment: u32,
        offset: u32,
        size: u32,
    }

    /// `struct squashfs_lreg_inode` after its base; then the stored size of each block.
    ExtendedFile {
        start: u64,
        size: u64,
        /// How much of the content is in blocks of zeros, which are not stored.
        sparse: u64,
        links: u32,
        fragment: u32,
        offset: u32,
        xattr: u32,
    }

    /// `struct squashfs_dir_inode` after its base.
    Directory {
        /// Start of a metadata block, counted from the start of the directory table.
        start: u32,
        /// 2 and the number of directories in it.
        links: u32,
        /// Bytes of the listing and [`LISTING_DOTS`].
        size: u16,
        /// Offset of the listing in its metadata block.
        offset: u16,
        /// Inode number of the directory that holds it.
        parent: u32,
    }

    /// `struct squashfs_ldir_inode` after its base; then `index_count` times [`DirectoryIndex`] and a name.
    ExtendedDirectory {
        links: u32,
        size: u32,
        start: u32,
        parent: u32,
        index_count: u16,
        offset: u16,
        xattr: u32,
    }

    /// `struct squashfs_symlink_inode` after its base; then the target, and for the extended form a u32, its xattrs.
    Symlink {
        links: u32,
        size: u32,
    }

    /// `struct squashfs_dev_inode` after its base; then, for the extended form, its xattrs.
    Device {
        links: u32,
        /// Major and minor number as `new_encode_dev` (Linux include/linux/kdev_t.h) has them.
        number: u32,
    }

    /// `struct squashfs_ipc_inode`, of fifos and sockets, after its base; then, for the extended form, its xattrs.
    Channel {
        links: u32,
    }

    /// `struct squashfs_dir_index`: a header in a later metadata block, so that a search need not begin at the first.
    DirectoryIndex {
        /// Distance of the header from the start of the listing, in bytes.
        distance: u32,
        /// The metadata block in which it begins, counted from the start of the directory table.
        block: u32,
        /// Bytes of the name that follows, less one: the first name after the header.
        name_size: u32,
    }

    /// `struct squashfs_dir_header`: what the entries after it have in common.
    DirectoryHeader {
        /// Number of entries less one, so at most [`DIRECTORY_RUN_MAX`] of them.
        count: u32,
        /// The block of the inode table in which all their inodes begin.
        inode_block: u32,
        /// The number that theirs are counted from.
        number: u32,
    }

    /// `struct squashfs_dir_entry`; then the name.
    DirectoryEntry {
        /// Offset of the inode in its metadata block.
        inode_offset: u16,
        /// Its number less that of the header.
        number_delta: i16,
        /// One of [`inode`]; extended inodes have the type of the plain ones here (`SQUASHFS_MAX_DIR_TYPE`).
        kind: u16,
        /// Bytes of the name less one.
        name_size: u16,
    }

    /// `struct squashfs_xattr_id_table`: what [`Superblock::xattr_table`] leads to; then the positions of the metadata
    /// blocks with the [`XattrId`]s.
    XattrTable {
        /// Start of the names and values.
        start: u64,
        ids: u32,
        unused: u32,
    }

    /// `struct squashfs_xattr_id`: the attributes of one inode, or of several that have the same.
    XattrId {
        /// A [`MetadataRef`] into the names and values.
        at: u64,
        count: u32,
        /// Bytes of the names with their prefixes and of the values, each with its structure.
        size: u32,
    }

    /// `struct squashfs_xattr_entry`; then the name without its prefix, and an [`XattrValue`].
    XattrEntry {
        /// One of [`xattr::PREFIXES`].
        kind: u16,
        name_size: u16,
    }

    /// `struct squashfs_xattr_val`; then the value.
    XattrValue {
        size: u32,
    }
}

/// A place in a metadata table: start of a compressed block, counted from the start of the table, and the offset in
/// it after decompression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MetadataRef {
    pub(crate) block: u32,
    pub(crate) offset: u16,
}

impl MetadataRef {
    /// `SQUASHFS_MKINODE`.
    pub(crate) fn packed(self) -> u64 {
        u64::from(self.block) << 16 | u64::from(self.offset)
    }

    /// `SQUASHFS_INODE_BLK` and `SQUASHFS_INODE_OFFSET`; nothing if more than these 48 bits are set.
    pub(crate) fn unpack(packed: u64) -> Option<MetadataRef> {
        let block = u32::try_from(packed >> 16).ok()?;
        Some(MetadataRef { block, offset: packed as u16 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_kernel_structures() {
        let sizes = [
            Superblock::SIZE,
            FragmentBlock::SIZE,
            InodeBase::SIZE,
            DirectoryHeader::SIZE,
            DirectoryEntry::SIZE,
        ];
        assert_eq!(sizes, [96, 16, 16, 12, 8]);
        let inodes =
            [File::SIZE, ExtendedFile::SIZE, Directory::SIZE, ExtendedDirectory::SIZE, Symlink::SIZE];
        assert_eq!(inodes.map(|size| size + InodeBase::SIZE), [32, 56, 32, 40, 24]);
        assert_eq!([XattrTable::SIZE, XattrId::SIZE, XattrEntry::SIZE, XattrValue::SIZE], [16, 16, 4, 4]);
    }

    #[test]
    fn fields_are_little_endian_and_come_back_in_order() {
        let entry = DirectoryEntry { inode_offset: 0x0102, number_delta: -2, kind: 3, name_size: 0xabcd };
        let bytes = entry.to_bytes();
        assert_eq!(bytes, [2, 1, 0xfe, 0xff, 3, 0, 0xcd, 0xab]);
        let mut rest = &[bytes.as_slice(), b"name"].concat()[..];
        assert_eq!((DirectoryEntry::take(&mut rest), rest), (Some(entry), b"name".as_slice()));
        assert_eq!((DirectoryEntry::take(&mut rest), rest), (None, b"name".as_slice()));
    }

    #[test]
    fn references_have_48_bits() {
        let at = MetadataRef { block: 0x01_0203, offset: 0x0405 };
        assert_eq!(at.packed(), 0x01_0203_0405);
        assert_eq!(MetadataRef::unpack(at.packed()), Some(at));
        assert_eq!(MetadataRef::unpack(1 << 48), None);
    }
}

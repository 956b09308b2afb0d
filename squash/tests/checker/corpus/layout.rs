//! Tables that are not where they can be.

use super::{INODES, base, with_attributes};
use crate::craft::superblock;

corpus! {
    layout_no_magic: base().put("superblock", superblock::MAGIC, b"sqsh") => ["it is not a squashfs image"];
    layout_version: base().put16("superblock", superblock::MAJOR, 3) => [
        "it is squashfs 3.0; only 4.0 can be read",
    ];
    layout_compression: base().put16("superblock", superblock::COMPRESSION, 3) => [
        "it is compressed by method 3; only gzip (1), xz (4), lz4 (5) and zstd (6) can be read",
    ];
    layout_block_size: base().put32("superblock", superblock::BLOCK_SIZE, 8192) => [
        "its superblock has blocks of 8192 bytes with a logarithm of 12",
    ];
    layout_block_log: base().put16("superblock", superblock::BLOCK_LOG, 31) => [
        "its superblock has blocks of 4096 bytes with a logarithm of 31",
    ];
    layout_flags: base().put16("superblock", superblock::FLAGS, 1 << 12 | 1 << 7) => [
        "the image: has flags that squashfs does not have: 0x1000",
    ];
    layout_image_cut_short: base().put64("superblock", superblock::BYTES_USED, 1 << 20) => [
        "it has 16384 bytes, and its superblock says that 1048576 are in use",
    ];
    layout_image_of_no_length: base().put64("superblock", superblock::BYTES_USED, 0) => [
        "its ID table cannot be read: it ends at byte 13175, and what follows begins at 0",
    ];
    layout_no_ids: base().put16("superblock", superblock::IDS, 0) => [
        "its ID table cannot be read: it is missing",
    ];
    layout_more_inodes: base().put32("superblock", superblock::INODES, INODES + 1) => [
        "its export table cannot be read: it has 72 bytes instead of 80",
    ];
    layout_more_ids: base().put16("superblock", superblock::IDS, 3) => [
        "its ID table cannot be read: it has 8 bytes instead of 12",
    ];
    layout_ids_elsewhere: base().put64("superblock", superblock::ID_TABLE, 96) => [
        "its ID table cannot be read: it ends at byte 104, and what follows begins at 13175",
    ];
    layout_id_index_elsewhere: base().put64("ids index", 0, 96) => [
        "its export table cannot be read: it ends at byte 13157, and what follows begins at 96",
    ];
    layout_export_missing: base().put64("superblock", superblock::EXPORT_TABLE, u64::MAX) => [
        "its fragment table cannot be read: it ends at byte 13075, and what follows begins at 13157",
    ];
    layout_export_overlaps: base().put64("export index", 0, 0) => [
        "its export table cannot be read: it begins at byte 0, which is not where it can be",
    ];
    layout_fragments_missing: base().put64("superblock", superblock::FRAGMENT_TABLE, u64::MAX) => [
        "its fragment table cannot be read: it ends at byte 18446744073709551615, and what follows begins at 13075",
    ];
    layout_fragments_by_the_billion: base().put32("superblock", superblock::FRAGMENTS, u32::MAX) => [
        "its fragment table cannot be read: it ends at byte 67121931, and what follows begins at 13075",
    ];
    layout_directories_after_what_follows: base().put64("superblock", superblock::DIRECTORY_TABLE, 1 << 40) => [
        "its directory table cannot be read: it begins at byte 1099511627776, which is not where it can be",
    ];
    layout_directories_in_the_inodes: {
        let base = base();
        let inodes = base.get64(superblock::INODE_TABLE);
        base.put64("superblock", superblock::DIRECTORY_TABLE, inodes)
    } => ["its root is not a directory"];
    layout_inodes_in_the_superblock: base().put64("superblock", superblock::INODE_TABLE, 0) => [
        "its inode table cannot be read: it begins at byte 0, which is not where it can be",
    ];
    layout_inodes_after_the_directories: {
        let base = base();
        let ids = base.get64(superblock::ID_TABLE);
        base.put64("superblock", superblock::INODE_TABLE, ids)
    } => ["its inode table cannot be read: it begins at byte 13167, which is not where it can be"];
    layout_attributes_beyond_the_end: base().put64("superblock", superblock::XATTR_TABLE, 1 << 63) => [
        "its attribute table cannot be read: it begins at byte 9223372036854775808, which is not where it can be",
    ];
    layout_attributes_of_nobody: with_attributes().put32("attribute header", 8, 0) => [
        "its table of attribute sets cannot be read: it ends at byte 13247, and what follows begins at 13255",
    ];
    layout_attribute_values_elsewhere: with_attributes().put64("attribute header", 0, 1 << 50) => [
        "its attribute table cannot be read: it begins at byte 1125899906842624, which is not where it can be",
    ];
    layout_broken_ids: base().put16("superblock", base().mark("ids") - 2, 0x8000) => [
        "its ID table cannot be read: the metadata block at byte 13157 cannot be decompressed to at most 8192 bytes",
    ];
}

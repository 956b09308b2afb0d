//! C9: content that is not there, or too much of it.

use super::base;
use crate::craft::{BLOCK, Craft, What, field, superblock};

corpus! {
    c9_decompression_bomb: bomb() => [
        "the image: has 8589934599 bytes in its files, more than the 4294967296 allowed",
    ];
    c9_size_without_blocks: base().put64("inode /aa/bb", field::FILE_SIZE, 1 << 40) => [
        "/aa/bb: has an inode that is cut short",
    ];
    c9_size_of_nearly_2_to_the_64: base().put64("inode /ee/ff/gg", field::FILE_SIZE, u64::MAX) => [
        "/ee/ff/gg: has an inode that is cut short",
    ];
    c9_block_larger_than_a_block: base().put32("inode /aa/bb", field::FILE_BLOCKS, BLOCK as u32 + 1) => [
        "/aa/bb: has an impossible stored size for block 0 (0x1001)",
    ];
    c9_block_with_unknown_bits: base().put32("inode /aa/bb", field::FILE_BLOCKS, 1 << 25) => [
        "/aa/bb: has an impossible stored size for block 0 (0x2000000)",
        "/aa/bb: has blocks outside of the data of the image",
    ];
    c9_raw_block_of_another_size: base().put32("inode /aa/bb", field::FILE_BLOCKS, 1 << 24 | 5) => [
        "/aa/bb: has an impossible stored size for block 0 (0x1000005)",
    ];
    c9_blocks_before_the_data: base().put64("inode /aa/bb", field::FILE_START, 0) => [
        "/aa/bb: has blocks outside of the data of the image",
    ];
    c9_blocks_in_the_tables: {
        let base = base();
        let tables = base.get64(superblock::INODE_TABLE);
        base.put64("inode /aa/bb", field::FILE_START, tables)
    } => ["/aa/bb: has blocks outside of the data of the image"];
    c9_blocks_beyond_everything: base().put64("inode /aa/bb", field::FILE_START, u64::MAX) => [
        "/aa/bb: has blocks outside of the data of the image",
    ];
    c9_fragment_that_is_not_there: base().put32("inode /aa/bb", field::FILE_FRAGMENT, 1) => [
        "/aa/bb: has its end in fragment block 1, which is not in the image",
    ];
    c9_end_outside_of_its_fragment: base().put32("inode /aa/bb", field::FILE_OFFSET, 4000) => [
        "/aa/bb: has its end outside of its fragment block",
    ];
    c9_fragment_for_nothing: base().put32("inode /ee/ff/gg", field::FILE_FRAGMENT, 0) => [
        "/ee/ff/gg: has its end outside of its fragment block",
    ];
    c9_fragment_block_outside_of_the_data: base().put64("fragments", 0, 5) => [
        "the fragment table: has an impossible place or size for fragment block 0",
    ];
    c9_fragment_block_larger_than_a_block: base().put32("fragments", 8, BLOCK as u32 + 1) => [
        "the fragment table: has an impossible place or size for fragment block 0",
    ];
    c9_metadata_block_of_nothing: {
        let base = base();
        let at = base.mark("directories") - 2;
        base.put16("superblock", at, 0)
    } => [
        "the directory table: has a metadata block at byte 12919 that cannot be decompressed to at most 8192 bytes",
        "/: has a listing outside of the directory table",
    ];
}

/// 8 GiB of zeros in 12 KiB, of which 8 are metadata that is not compressed.
pub(crate) fn bomb() -> Craft {
    let blocks = 8192;
    let nodes = [("/small", What::File(b"content".to_vec())), ("/zeros", What::Holes(blocks))];
    Craft::new(&nodes)
        .put32("superblock", superblock::BLOCK_SIZE, 1 << 20)
        .put16("superblock", superblock::BLOCK_LOG, 20)
        .put64("inode /zeros", field::FILE_SIZE, (blocks as u64) << 20)
}

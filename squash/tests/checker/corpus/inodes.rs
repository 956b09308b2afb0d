//! C8: inodes that the kernel would mistake, after CVE-2024-26982.

use super::{INODES, base};
use crate::craft::{BLOCK, Craft, field, superblock};

corpus! {
    c8_inode_number_zero: base().put32("inode /ee", field::NUMBER, 0) => [
        "/ee: has inode number 0, which is not within 1 to 9",
        "/ee: is listed with inode number 6 and has 0",
        "/ee/ff: names inode 6 as its parent, which is 0",
    ];
    c8_inode_number_beyond_the_count: base().put32("inode /ee", field::NUMBER, INODES + 1) => [
        "/ee: has inode number 10, which is not within 1 to 9",
        "/ee: is listed with inode number 6 and has 10",
        "/ee/ff: names inode 6 as its parent, which is 10",
    ];
    c8_inode_number_of_another: base().put32("inode /ee", field::NUMBER, 2) => [
        "/ee: has the inode number 2 of another inode",
        "/ee: is listed with inode number 6 and has 2",
        "/ee/ff: names inode 6 as its parent, which is 2",
        "the export table: leads elsewhere than the directories for inode 2, and for 0 more",
    ];
    c8_number_in_the_listing: base().put16("entry /ee", field::ENTRY_DELTA, 77) => [
        "/ee: is listed with inode number 78 and has 6",
    ];
    c8_type_in_the_listing: base().put16("entry /ll", field::ENTRY_KIND, 2) => [
        "/ll: is listed with type 2 and has 3",
    ];
    c8_type_that_is_none: base().put16("inode /ll", field::KIND, 15) => [
        "/ll: has an inode of type 15, which squashfs does not have",
    ];
    c8_root_that_is_a_file: {
        let base = base();
        let at = base.offset("/aa/bb");
        base.put64("superblock", superblock::ROOT, at.into())
    } => ["its root is not a directory"];
    c8_root_that_is_nowhere: base().put64("superblock", superblock::ROOT, 1 << 48) => [
        "its root is not a directory",
    ];
    c8_reference_beyond_the_table: base().put16("entry /ll", field::ENTRY_OFFSET, 8000) => [
        "/ll: refers to an inode where there is none",
    ];
    c8_inode_within_another: {
        let base = base();
        let at = base.offset("/aa/bb") + 4;
        base.put16("entry /ll", field::ENTRY_OFFSET, at)
    } => ["/ll: refers to an inode that is within, or runs into, another one"];
    c8_inode_that_takes_the_place_of_another: base().put16("inode /dd", field::DIRECTORY_INDEX_COUNT, 1) => [
        "/dd: has an index that does not fit its listing",
        "/ee: refers to an inode that is within, or runs into, another one",
    ];
    c8_inode_that_runs_into_another: {
        let base = base().put64("inode /aa/bb", field::FILE_SIZE, 20 * BLOCK as u64);
        let (bb, ll) = (base.offset("/aa/bb"), base.offset("/ll"));
        base.put16("entry /aa/bb", field::ENTRY_OFFSET, ll).put16("entry /ll", field::ENTRY_OFFSET, bb)
    } => [
        "/aa/bb: is listed with inode number 3 and has 9",
        "/aa/bb: is listed with type 2 and has 3",
        "/ll: refers to an inode that is within, or runs into, another one",
    ];
    c8_inode_that_is_cut_short: base().put32("inode /ll", field::LINK_SIZE, 6) => [
        "/ll: has an inode that is cut short",
    ];
    c8_inode_that_nothing_refers_to: hidden_inode() => [
        "the image: has 8 inodes that can be reached; its superblock says 9",
        "the inode table: has 29 bytes from position 394 that nothing refers to",
        "the directory table: has 10 bytes from position 42 that nothing refers to",
    ];
    c8_listing_that_nothing_refers_to: base().put32("inode /ee/ff", field::DIRECTORY_SIZE, 3) => [
        "the image: has 8 inodes that can be reached; its superblock says 9",
        "the inode table: has 60 bytes from position 334 that nothing refers to",
        "the directory table: has 22 bytes from position 106 that nothing refers to",
    ];
    c8_export_table_that_leads_elsewhere: base().put64("export", 8, 0) => [
        "the export table: leads elsewhere than the directories for inode 2, and for 0 more",
    ];
}

/// The last name is cut off the root, so that its inode is nobody's.
fn hidden_inode() -> Craft {
    let base = base();
    let entries = base.mark("entry /ll") - base.mark("header /");
    base.put32("header /", field::HEADER_COUNT, 2).put32("inode /", field::DIRECTORY_SIZE, entries as u32 + 3)
}

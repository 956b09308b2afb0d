//! C8: directories that are no tree.

use super::{base, base_nodes};
use crate::craft::{Craft, What, field};

corpus! {
    c8_directory_in_itself: hard_link("/ee/ff", "/ee") => [
        "/ee/ff: is a directory that holds itself",
        "the image: has 7 inodes that can be reached; its superblock says 9",
        "the inode table: has 100 bytes from position 294 that nothing refers to",
        "the directory table: has 22 bytes from position 106 that nothing refers to",
    ];
    c8_root_in_itself: hard_link("/ee/ff", "/") => [
        "/ee/ff: is a directory that holds itself",
        "the image: has 7 inodes that can be reached; its superblock says 9",
        "the inode table: has 100 bytes from position 294 that nothing refers to",
        "the directory table: has 22 bytes from position 106 that nothing refers to",
    ];
    c8_directory_with_two_names: hard_link("/ee/ff", "/dd") => [
        "/ee/ff: is a directory that is already elsewhere in the image",
        "the image: has 7 inodes that can be reached; its superblock says 9",
        "the inode table: has 100 bytes from position 294 that nothing refers to",
        "the directory table: has 22 bytes from position 106 that nothing refers to",
    ];
    c8_parent: base().put32("inode /ee/ff", field::DIRECTORY_PARENT, 1) => [
        "/ee/ff: names inode 1 as its parent, which is 6",
    ];
    c8_links_of_a_file: base().put32("inode /aa/bb", field::FILE_LINKS, 2) => [
        "/aa/bb: has a link count of 2 where 1 is right",
    ];
    c8_links_of_a_directory: base().put32("inode /ee", field::DIRECTORY_LINKS, 2) => [
        "/ee: has a link count of 2 where 3 is right",
    ];
    c8_listing_outside_of_the_table: base().put16("inode /aa", field::DIRECTORY_OFFSET, 8000) => [
        "/aa: has a listing outside of the directory table",
    ];
    c8_listing_in_no_block: base().put32("inode /aa", field::DIRECTORY_START, 1) => [
        "/aa: has a listing outside of the directory table",
    ];
    c8_listing_longer_than_the_table: base().put32("inode /ee/ff", field::DIRECTORY_SIZE, 8192) => [
        "/ee/ff: has a listing outside of the directory table",
    ];
    c8_listing_of_another_directory: {
        let base = base();
        let root = base.mark("header /") - base.mark("directories");
        base.put32("inode /dd", field::DIRECTORY_SIZE, 20).put16("inode /dd", field::DIRECTORY_OFFSET, root as u16)
    } => ["/dd: has a listing that overlaps with that of another directory"];
    c8_listing_that_is_broken: base().put32("header /aa/", field::HEADER_COUNT, 256) => [
        "/aa: has a listing that is broken at byte 0",
    ];
    c8_index_with_another_name: base().put("inode /aa", field::DIRECTORY_INDEX + 12, b"xx") => [
        "/aa: has an index that does not fit its listing",
    ];
    c8_index_to_another_block: base().put32("inode /aa", field::DIRECTORY_INDEX + 4, 1) => [
        "/aa: has an index that does not fit its listing",
    ];
    c8_index_of_an_empty_directory: {
        let nodes = [("/aa", What::IndexedDirectory), ("/aa/bb", What::File(b"content".to_vec()))];
        Craft::new(&nodes).put32("inode /aa", field::DIRECTORY_SIZE, 3)
    } => [
        "/aa: has an index that does not fit its listing",
        "the image: has 2 inodes that can be reached; its superblock says 3",
        "the inode table: has 56 bytes from position 94 that nothing refers to",
        "the directory table: has 22 bytes from position 22 that nothing refers to",
    ];
    c8_index_to_another_listing: base().put32("inode /aa", field::DIRECTORY_INDEX, 60) => [
        "/aa: has an index that does not fit its listing",
    ];
}

/// Makes one entry lead to the inode of another path, in all that entries say.
fn hard_link(entry: &str, to: &str) -> Craft {
    let base = base();
    let number = |path: &str| match path {
        "/" => 1,
        _ => 2 + base_nodes().iter().position(|(other, _)| *other == path).unwrap() as u16,
    };
    let parent = number(entry.rsplit_once('/').unwrap().0);
    let delta = number(to).wrapping_sub(parent);
    let (at, entry) = (base.offset(to), format!("entry {entry}"));
    base.put16(&entry, field::ENTRY_OFFSET, at).put16(&entry, field::ENTRY_DELTA, delta)
}

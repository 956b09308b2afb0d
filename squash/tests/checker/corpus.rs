//! Images that deceive, one for each way to do so, and what is found in them.
//!
//! C1, C4 and so on are the threats of the same names in the threat model.

use spec::verity::Salt;
use squash::image::{Image, Limits, Rule};
use squash::verity::HashTree;

use crate::craft::{BLOCK, Craft, What, field, superblock};
use crate::seen::{assert_same, by_checker, by_kernel};
use crate::{findings, findings_within};

/// Every part of squashfs that is not a finding.
fn base() -> Craft {
    Craft::new(&base_nodes())
}

fn base_nodes() -> Vec<(&'static str, What)> {
    vec![
        ("/aa", What::IndexedDirectory),
        ("/aa/bb", What::File(vec![b'b'; 2 * BLOCK + 100])),
        ("/aa/cc", What::File(b"cccccccccc".to_vec())),
        ("/dd", What::Directory),
        ("/ee", What::Directory),
        ("/ee/ff", What::Directory),
        ("/ee/ff/gg", What::File(vec![b'g'; BLOCK])),
        ("/ll", What::Link(b"aa/bb".to_vec())),
    ]
}

/// An image without fault.
pub(crate) fn good() -> Vec<u8> {
    base().done()
}

/// The base and one thing more.
fn with(path: &'static str, what: What) -> Craft {
    let mut nodes = base_nodes();
    nodes.push((path, what));
    Craft::new(&nodes)
}

/// The base with attributes.
fn with_attributes() -> Craft {
    Craft::with_attributes(&base_nodes(), &[(1, "overlay.opaque", "y"), (0, "note", "x")])
}

/// The number of nodes in the base, its root included.
const INODES: u32 = 9;

/// Makes a test of each image, and a list of all.
macro_rules! corpus {
    ($($(#[$doc:meta])* $name:ident: $image:expr => [$($finding:expr),* $(,)?];)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let expected: &[&str] = &[$($finding),*];
                assert_eq!(findings(&$image.done()), expected);
            }
        )*

        /// All images of this file by name.
        pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
            vec![$((stringify!($name), $image.done())),*]
        }
    };
}

corpus! {
    nothing_is_found_in_an_image_without_fault: base() => [];

    // Hiding and replacing files of the system.

    c1_whiteout: with("/zz", What::CharacterDevice(0)) => [
        "/zz: is a whiteout, which would hide a file of the system",
    ];
    c1_device_by_a_mode_with_a_type: base().put16("inode /aa/bb", field::MODE, 0o020_644) => [
        "/aa/bb: has a mode with a file type in it (0o20644)",
    ];
    c1_opaque_directory: with_attributes().put32("inode /aa", field::DIRECTORY_XATTR, 0) => [
        "the attribute table: is there, so the image has extended attributes",
        "/aa: has extended attributes: trusted.overlay.opaque, user.note",
    ];
    c1_attributes_of_a_file: with_attributes().put32("inode /aa/bb", field::FILE_XATTR, 0) => [
        "the attribute table: is there, so the image has extended attributes",
        "/aa/bb: has extended attributes: trusted.overlay.opaque, user.note",
    ];
    c1_attributes_that_are_nobodys: with_attributes() => [
        "the attribute table: is there, so the image has extended attributes",
    ];
    c1_attributes_that_are_not_there: base().put32("inode /aa/bb", field::FILE_XATTR, 0) => [
        "/aa/bb: has attribute set 0, which is not in the image",
    ];
    c1_attributes_beyond_the_table: with_attributes().put32("inode /aa/bb", field::FILE_XATTR, 1) => [
        "the attribute table: is there, so the image has extended attributes",
        "/aa/bb: has attribute set 1, which is not in the image",
    ];
    c1_more_attributes_than_are_told: with_attributes().put32("attribute sets", 8, u32::MAX)
        .put32("inode /aa", field::DIRECTORY_XATTR, 0) => [
        "the attribute table: is there, so the image has extended attributes",
        "/aa: has extended attributes: trusted.overlay.opaque, user.note, and 4294967293 more",
    ];

    // Rights.

    c4_setuid: base().put16("inode /aa/bb", field::MODE, 0o4755) => [
        "/aa/bb: has the setuid bit (mode 4755)",
    ];
    c4_setgid: base().put16("inode /aa/bb", field::MODE, 0o2755) => [
        "/aa/bb: has the setgid bit (mode 2755)",
    ];
    c4_setgid_directory: base().put16("inode /aa", field::MODE, 0o2755) => [
        "/aa: has the setgid bit (mode 2755)",
    ];
    c4_sticky: base().put16("inode /dd", field::MODE, 0o1755) => ["/dd: has the sticky bit (mode 1755)"];
    c4_setuid_link: base().put16("inode /ll", field::MODE, 0o4777) => ["/ll: has the setuid bit (mode 4777)"];
    c4_world_writable: base().put16("inode /aa/bb", field::MODE, 0o646) => [
        "/aa/bb: is writable by everybody (mode 0646)",
    ];
    c4_group_writable: base().put16("inode /dd", field::MODE, 0o775) => [
        "/dd: is writable by its group (mode 0775)",
    ];
    c4_user: base().put16("inode /aa/bb", field::UID, 1) => [
        "/aa/bb: belongs to user 1000 and group 0, not to root",
    ];
    c4_group: base().put16("inode /aa/bb", field::GID, 1) => [
        "/aa/bb: belongs to user 0 and group 1000, not to root",
    ];
    c4_owner_beyond_the_table: base().put16("inode /aa/bb", field::UID, 2) => [
        "/aa/bb: has owner number 2 of the ID table, which is shorter",
    ];
    c4_root_is_checked_too: base().put16("inode /", field::MODE, 0o777) => [
        "/: is writable by its group (mode 0777)",
        "/: is writable by everybody (mode 0777)",
    ];

    // What is no file.

    c5_block_device: with("/zz", What::BlockDevice(0x0801)) => ["/zz: is a block device (8:1)"];
    c5_character_device: with("/zz", What::CharacterDevice(0x0103)) => ["/zz: is a character device (1:3)"];
    c5_fifo: with("/zz", What::Fifo) => ["/zz: is a fifo"];
    c5_socket: with("/zz", What::Socket) => ["/zz: is a socket"];

    // Names and targets that lead elsewhere, after CVE-2021-40153 and CVE-2021-41072 of squashfs-tools.

    c6_name_of_the_parent: base().put("entry /aa", field::ENTRY_NAME, b"..") => [
        "/..: is an entry named . or ..",
    ];
    c6_name_of_the_directory_itself: with("/z", What::Fifo).put("entry /z", field::ENTRY_NAME, b".") => [
        "/.: comes after ll in its directory, so the kernel may not find it",
        "/.: is an entry named . or ..",
        "/.: is a fifo",
    ];
    c6_name_with_a_slash: base().put("entry /ee", field::ENTRY_NAME, b"e/") => [
        "/e/: has a slash in its name",
    ];
    c6_name_with_nul: base().put("entry /aa", field::ENTRY_NAME, b"a\0") => [
        "/a\\u{0}: has a NUL in its name",
    ];
    c6_name_that_is_not_utf8: base().put("entry /ll", field::ENTRY_NAME, b"l\xff") => [
        "/l\\xff: has a name that is not UTF-8",
    ];
    c6_name_with_a_control_character: base().put("entry /ll", field::ENTRY_NAME, b"l\x1b") => [
        "/l\\u{1b}: has a control character in its name",
    ];
    c6_name_of_256_bytes: name_of(256) => [&format!("/{}: has a name of 256 bytes, more than 255", "n".repeat(256))];
    c6_name_that_the_kernel_does_not_read: name_of(257) => ["/: has a listing that is broken at byte 0"];
    c6_link_and_directory_of_the_same_name: base().put("entry /ll", field::ENTRY_NAME, b"ee") => [
        "/ee: is in its directory more than once",
    ];
    c6_names_in_another_order: base().put("entry /dd", field::ENTRY_NAME, b"zz") => [
        "/ee: comes after zz in its directory, so the kernel may not find it",
    ];
    c6_path_of_more_than_4095_bytes: path_of(16) =>
        [&format!("{}: has a path of more than 4095 bytes", format!("/{}", "d".repeat(255)).repeat(16))];
    c6_path_of_few_enough_bytes: path_of(15) => [];
    c6_empty_target: with("/zz", What::Link(Vec::new())) => ["/zz: has an empty target"];
    c6_target_with_nul: base().put("inode /ll", field::LINK_TARGET + 1, &[0]) => [
        "/ll: has a NUL in its target",
    ];
    c6_target_that_is_not_utf8: base().put("inode /ll", field::LINK_TARGET, &[0xff]) => [
        "/ll: has a target that is not UTF-8",
    ];
    c6_target_of_more_than_4095_bytes: with("/zz", What::Link(vec![b't'; 4096])) => [
        "/zz: has a target of 4096 bytes, more than 4095",
    ];

    // Inodes that the kernel would mistake, after CVE-2024-26982.

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

    // Directories that are no tree.

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

    // Content that is not there, or too much of it.

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

    // Tables that are not where they can be.

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

    // What follows the image.

    trailing_padding: {
        let base = base();
        let end = base.get64(superblock::BYTES_USED) as usize;
        base.put("superblock", end, &[1])
    } => ["the image: has data in the padding after byte 13175"];
    trailing_zeros: base().append(&[0; 10_000]) => [];
    trailing_zeros_without_end: base().append(&vec![0; (1 << 20) + 1]) => [
        "the image: has data of unknown purpose after byte 16384",
    ];
    trailing_byte: base().append(&[1]) => ["the image: has data of unknown purpose after byte 16384"];
    trailing_hash_tree: with_verity() => [];
    trailing_hash_tree_cut_short: cut(with_verity(), 4096) => [
        "the image: has a dm-verity area after byte 16384 that does not fit: it has 4096 bytes and must have 8192",
    ];
    trailing_data_after_the_hash_tree: with_verity().append(&[0; 4096]) => [
        "the image: has a dm-verity area after byte 16384 that does not fit: it has 12288 bytes and must have 8192",
    ];
    trailing_hash_tree_of_another_image: with_verity().put64("verity", 72, 3) => [
        "the image: has a dm-verity area after byte 16384 that does not fit: it is for 3 blocks of data and there are 4",
    ];
    trailing_hash_tree_of_another_kind: with_verity().put("verity", 32, b"sha512") => [
        "the image: has a dm-verity area after byte 16384 that does not fit: the hash algorithm of the verity superblock is not the expected one",
    ];
    trailing_archive: base().append(&[b'x'; 10_000]) => [
        "the image: has data of unknown purpose after byte 16384",
    ];
}

/// 8 GiB of zeros in 12 KiB, of which 8 are metadata that is not compressed.
fn bomb() -> Craft {
    let blocks = 8192;
    let nodes = [("/small", What::File(b"content".to_vec())), ("/zeros", What::Holes(blocks))];
    Craft::new(&nodes)
        .put32("superblock", superblock::BLOCK_SIZE, 1 << 20)
        .put16("superblock", superblock::BLOCK_LOG, 20)
        .put64("inode /zeros", field::FILE_SIZE, (blocks as u64) << 20)
}

/// A root with one entry, whose name has this many bytes.
fn name_of(len: usize) -> Craft {
    let nodes = [(&*format!("/{}", "n".repeat(len)), What::File(b"content".to_vec()))];
    Craft::new(&nodes)
}

/// Directories in each other, with names of 255 bytes.
pub(crate) fn path_of(depth: usize) -> Craft {
    let name = format!("/{}", "d".repeat(255));
    let paths: Vec<String> = (1..=depth).map(|depth| name.repeat(depth)).collect();
    let mut nodes: Vec<_> = paths.iter().map(|path| (path.as_str(), What::Directory)).collect();
    nodes.push(("/zz", What::File(b"content".to_vec())));
    Craft::new(&nodes)
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

/// The last name is cut off the root, so that its inode is nobody's.
fn hidden_inode() -> Craft {
    let base = base();
    let entries = base.mark("entry /ll") - base.mark("header /");
    base.put32("header /", field::HEADER_COUNT, 2).put32("inode /", field::DIRECTORY_SIZE, entries as u32 + 3)
}

/// The base and its hash tree.
fn with_verity() -> Craft {
    let base = base();
    let mut area = Vec::new();
    HashTree::of(base.bytes.as_slice(), Salt::new([7; 32])).unwrap().write(&mut area).unwrap();
    let at = base.bytes.len();
    base.append(&area).marked("verity", at)
}

/// Without its last bytes.
fn cut(mut craft: Craft, bytes: usize) -> Craft {
    craft.bytes.truncate(craft.bytes.len() - bytes);
    craft
}

/// mksquashfs makes 4 KiB of this.
#[test]
fn c9_a_bomb_is_small_and_defused_at_once() {
    let bomb = bomb().done();
    assert_eq!(bomb.len(), 12288);
    let bytes = bomb.as_slice();
    let image = Image::open(&bytes, &Limits::default()).unwrap();
    assert_eq!(image.content(), (8 << 30) + 7);
    let found = image.check_data().unwrap();
    assert!(matches!(found.iter().next().unwrap().rule, Rule::TooMuchContent { .. }));
    assert_eq!(found.total(), 1);
}

/// What is not a finding must be an image, or the others prove nothing.
#[test]
fn the_kernel_takes_what_is_without_fault() {
    for craft in [base(), with_verity(), path_of(15)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &craft.bytes).unwrap();
        let image = craft.bytes.as_slice();
        assert_same(&by_checker(&Image::open(&image, &Limits::default()).unwrap()), &by_kernel(file.path()));
    }
}

/// What only shows when the content is decompressed.
#[test]
fn content_that_is_not_as_long_as_its_file_is_found() {
    let image_of = |craft: Craft| {
        let bytes = craft.done();
        assert_eq!(findings(&bytes), [""; 0]);
        let source = bytes.as_slice();
        let image = Image::open(&source, &Limits::default()).unwrap();
        image.check_data().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(image_of(base()), [""; 0]);
    assert_eq!(
        image_of(base().put32("inode /aa/bb", field::FILE_BLOCKS, BLOCK as u32)),
        ["/aa/bb: block 0 cannot be decompressed to at most the size of a block"]
    );
    let short = zstd::bulk::compress(&[b'b'; BLOCK - 1], 1).unwrap();
    let craft = base();
    let start = craft.get64(craft.mark("inode /aa/bb") + field::FILE_START) as usize;
    // The second block begins earlier then, and has other bytes, which no squashfs notices.
    assert_eq!(
        image_of(craft.put("superblock", start, &short).put32(
            "inode /aa/bb",
            field::FILE_BLOCKS,
            short.len() as u32
        )),
        ["/aa/bb: block 0 has 4095 bytes instead of 4096"]
    );
    assert_eq!(
        image_of(base().put32("fragments", 8, 105 | 1 << 24)),
        ["/aa/cc: the end, in fragment block 0, has 105 bytes instead of 110"]
    );
}

#[test]
fn limits_of_the_caller_hold() {
    let image = base().done();
    let within = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        findings_within(&image, &limits)
    };
    let content = 2 * BLOCK as u64 + 110 + BLOCK as u64;
    assert!(within(|limits| limits.inodes = INODES).is_empty());
    assert_eq!(within(|limits| limits.inodes = INODES - 1), ["it has more than 8 inodes"]);
    assert!(within(|limits| limits.names = INODES).is_empty());
    assert_eq!(within(|limits| limits.names = INODES - 1), ["it has more than 8 names"]);
    assert!(within(|limits| limits.depth = 2).is_empty());
    assert_eq!(
        within(|limits| limits.depth = 1),
        ["/ee/ff: is a directory at depth 2, which is not read any more"]
    );
    assert_eq!(within(|limits| limits.metadata = 100), ["it has more than 100 bytes of metadata"]);
    assert!(findings_within(&image, &Limits { content, ..Limits::default() }).is_empty());
    assert_eq!(
        findings_within(&image, &Limits { content: content - 1, ..Limits::default() }),
        ["the image: has 12398 bytes in its files, more than the 12397 allowed"]
    );
}

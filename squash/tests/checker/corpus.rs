//! Images that deceive, one for each way to do so, and what is found in them.
//!
//! C1, C4 and so on are the threats of the same names in the threat model.

use squash::image::Limits;

use crate::craft::{BLOCK, Craft, What, field, superblock};
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

    c1_whiteout: with("/zz", What::CharacterDevice(0)) => ["?"];
    c1_device_by_a_mode_with_a_type: base().put16("inode /aa/bb", field::MODE, 0o020_644) => ["?"];
    c1_opaque_directory: with_attributes().put32("inode /aa", field::DIRECTORY_XATTR, 0) => ["?"];
    c1_attributes_of_a_file: with_attributes().put32("inode /aa/bb", field::FILE_XATTR, 0) => ["?"];
    c1_attributes_that_are_nobodys: with_attributes() => ["?"];
    c1_attributes_that_are_not_there: base().put32("inode /aa/bb", field::FILE_XATTR, 0) => ["?"];
    c1_attributes_beyond_the_table: with_attributes().put32("inode /aa/bb", field::FILE_XATTR, 1) => ["?"];
    c1_more_attributes_than_are_told: with_attributes().put32("attribute sets", 8, u32::MAX)
        .put32("inode /aa", field::DIRECTORY_XATTR, 0) => ["?"];

    // Rights.

    c4_setuid: base().put16("inode /aa/bb", field::MODE, 0o4755) => ["?"];
    c4_setgid: base().put16("inode /aa/bb", field::MODE, 0o2755) => ["?"];
    c4_setgid_directory: base().put16("inode /aa", field::MODE, 0o2755) => ["?"];
    c4_sticky: base().put16("inode /dd", field::MODE, 0o1755) => ["?"];
    c4_setuid_link: base().put16("inode /ll", field::MODE, 0o4777) => ["?"];
    c4_world_writable: base().put16("inode /aa/bb", field::MODE, 0o646) => ["?"];
    c4_group_writable: base().put16("inode /dd", field::MODE, 0o775) => ["?"];
    c4_user: base().put16("inode /aa/bb", field::UID, 1) => ["?"];
    c4_group: base().put16("inode /aa/bb", field::GID, 1) => ["?"];
    c4_owner_beyond_the_table: base().put16("inode /aa/bb", field::UID, 2) => ["?"];
    c4_root_is_checked_too: base().put16("inode /", field::MODE, 0o777) => ["?"];

    // What is no file.

    c5_block_device: with("/zz", What::BlockDevice(0x0801)) => ["?"];
    c5_character_device: with("/zz", What::CharacterDevice(0x0103)) => ["?"];
    c5_fifo: with("/zz", What::Fifo) => ["?"];
    c5_socket: with("/zz", What::Socket) => ["?"];

    // Names and targets that lead elsewhere, after CVE-2021-40153 and CVE-2021-41072 of squashfs-tools.

    c6_name_of_the_parent: base().put("entry /aa", field::ENTRY_NAME, b"..") => ["?"];
    c6_name_of_the_directory_itself: with("/z", What::Fifo).put("entry /z", field::ENTRY_NAME, b".") => ["?"];
    c6_name_with_a_slash: base().put("entry /ee", field::ENTRY_NAME, b"e/") => ["?"];
    c6_name_with_nul: base().put("entry /aa", field::ENTRY_NAME, b"a\0") => ["?"];
    c6_name_that_is_not_utf8: base().put("entry /ll", field::ENTRY_NAME, b"l\xff") => ["?"];
    c6_name_with_a_control_character: base().put("entry /ll", field::ENTRY_NAME, b"l\x1b") => ["?"];
    c6_name_of_256_bytes: with(NAME_256, What::Directory) => ["?"];
    c6_link_and_directory_of_the_same_name: base().put("entry /ll", field::ENTRY_NAME, b"ee") => ["?"];
    c6_names_in_another_order: base().put("entry /dd", field::ENTRY_NAME, b"zz") => ["?"];
    c6_path_of_more_than_4095_bytes: Craft::new(&long_path()) => ["?"];
    c6_empty_target: with("/zz", What::Link(Vec::new())) => ["?"];
    c6_target_with_nul: base().put("inode /ll", field::LINK_TARGET + 1, &[0]) => ["?"];
    c6_target_that_is_not_utf8: base().put("inode /ll", field::LINK_TARGET, &[0xff]) => ["?"];
    c6_target_of_more_than_4095_bytes: with("/zz", What::Link(vec![b't'; 4096])) => ["?"];

    // Inodes that the kernel would mistake, after CVE-2024-26982.

    c8_inode_number_zero: base().put32("inode /ee", field::NUMBER, 0) => ["?"];
    c8_inode_number_beyond_the_count: base().put32("inode /ee", field::NUMBER, INODES + 1) => ["?"];
    c8_inode_number_of_another: base().put32("inode /ee", field::NUMBER, 2) => ["?"];
    c8_number_in_the_listing: base().put16("entry /ee", field::ENTRY_DELTA, 77) => ["?"];
    c8_type_in_the_listing: base().put16("entry /ll", field::ENTRY_KIND, 2) => ["?"];
    c8_type_that_is_none: base().put16("inode /ll", field::KIND, 15) => ["?"];
    c8_root_that_is_a_file: {
        let base = base();
        let at = base.offset("/aa/bb");
        base.put64("superblock", superblock::ROOT, at.into())
    } => ["?"];
    c8_root_that_is_nowhere: base().put64("superblock", superblock::ROOT, 1 << 48) => ["?"];
    c8_reference_beyond_the_table: base().put16("entry /ll", field::ENTRY_OFFSET, 8000) => ["?"];
    c8_inode_within_another: {
        let base = base();
        let at = base.offset("/aa/bb") + 4;
        base.put16("entry /ll", field::ENTRY_OFFSET, at)
    } => ["?"];
    c8_inode_that_runs_into_another: base().put32("inode /dd", field::KIND, 8)
        .put16("inode /dd", 32, 1) => ["?"];
    c8_inode_that_is_cut_short: base().put32("inode /ll", field::LINK_SIZE, 6) => ["?"];
    c8_inode_that_nothing_refers_to: hidden_inode() => ["?"];
    c8_listing_that_nothing_refers_to: base().put32("inode /dd", field::KIND, 8)
        .put32("inode /ee/ff", field::DIRECTORY_SIZE, 3) => ["?"];
    c8_export_table_that_leads_elsewhere: base().put64("export", 8, 0) => ["?"];
    c8_count_of_inodes: base().put32("superblock", superblock::INODES, INODES + 1) => ["?"];

    // Directories that are no tree.

    c8_directory_in_itself: hard_link("/ee/ff", "/ee") => ["?"];
    c8_root_in_itself: hard_link("/ee/ff", "/") => ["?"];
    c8_directory_with_two_names: hard_link("/ee/ff", "/dd") => ["?"];
    c8_parent: base().put32("inode /ee/ff", field::DIRECTORY_PARENT, 1) => ["?"];
    c8_links_of_a_file: base().put32("inode /aa/bb", field::FILE_LINKS, 2) => ["?"];
    c8_links_of_a_directory: base().put32("inode /ee", field::DIRECTORY_LINKS, 2) => ["?"];
    c8_listing_outside_of_the_table: base().put16("inode /aa", field::DIRECTORY_OFFSET, 8000) => ["?"];
    c8_listing_in_no_block: base().put32("inode /aa", field::DIRECTORY_START, 1) => ["?"];
    c8_listing_longer_than_the_table: base().put32("inode /ee/ff", field::DIRECTORY_SIZE, 8192) => ["?"];
    c8_listing_of_another_directory: {
        let base = base();
        let root = base.mark("header /") - base.mark("directories");
        base.put32("inode /dd", field::DIRECTORY_SIZE, 20).put16("inode /dd", field::DIRECTORY_OFFSET, root as u16)
    } => ["?"];
    c8_listing_that_is_broken: base().put32("header /aa/", field::HEADER_COUNT, 256) => ["?"];
    c8_index_with_another_name: base().put("inode /aa", field::DIRECTORY_INDEX + 12, b"xx") => ["?"];
    c8_index_to_another_block: base().put32("inode /aa", field::DIRECTORY_INDEX + 4, 1) => ["?"];
    c8_index_to_another_listing: base().put32("inode /aa", field::DIRECTORY_INDEX, 60) => ["?"];

    // Content that is not there, or too much of it.

    c9_size_without_blocks: base().put64("inode /aa/bb", field::FILE_SIZE, 1 << 40) => ["?"];
    c9_size_of_nearly_2_to_the_64: base().put64("inode /ee/ff/gg", field::FILE_SIZE, u64::MAX) => ["?"];
    c9_block_larger_than_a_block: base().put32("inode /aa/bb", field::FILE_BLOCKS, BLOCK as u32 + 1) => ["?"];
    c9_block_with_unknown_bits: base().put32("inode /aa/bb", field::FILE_BLOCKS, 1 << 25) => ["?"];
    c9_raw_block_of_another_size: base().put32("inode /aa/bb", field::FILE_BLOCKS, 1 << 24 | 5) => ["?"];
    c9_blocks_before_the_data: base().put64("inode /aa/bb", field::FILE_START, 0) => ["?"];
    c9_blocks_in_the_tables: {
        let base = base();
        let tables = base.get64(superblock::INODE_TABLE);
        base.put64("inode /aa/bb", field::FILE_START, tables)
    } => ["?"];
    c9_blocks_beyond_everything: base().put64("inode /aa/bb", field::FILE_START, u64::MAX) => ["?"];
    c9_fragment_that_is_not_there: base().put32("inode /aa/bb", field::FILE_FRAGMENT, 1) => ["?"];
    c9_end_outside_of_its_fragment: base().put32("inode /aa/bb", field::FILE_OFFSET, 4000) => ["?"];
    c9_fragment_for_nothing: base().put32("inode /ee/ff/gg", field::FILE_FRAGMENT, 0) => ["?"];
    c9_fragment_block_outside_of_the_data: base().put64("fragments", 0, 5) => ["?"];
    c9_fragment_block_larger_than_a_block: base().put32("fragments", 8, BLOCK as u32 + 1) => ["?"];
    c9_metadata_block_of_nothing: {
        let base = base();
        let at = base.mark("directories") - 2;
        base.put16("superblock", at, 0)
    } => ["?"];

    // Tables that are not where they can be.

    layout_no_magic: base().put("superblock", superblock::MAGIC, b"sqsh") => ["?"];
    layout_version: base().put16("superblock", superblock::MAJOR, 3) => ["?"];
    layout_compression: base().put16("superblock", superblock::COMPRESSION, 3) => ["?"];
    layout_block_size: base().put32("superblock", superblock::BLOCK_SIZE, 8192) => ["?"];
    layout_block_log: base().put16("superblock", superblock::BLOCK_LOG, 31) => ["?"];
    layout_flags: base().put16("superblock", superblock::FLAGS, 1 << 12 | 1 << 7) => ["?"];
    layout_image_cut_short: base().put64("superblock", superblock::BYTES_USED, 1 << 20) => ["?"];
    layout_image_of_no_length: base().put64("superblock", superblock::BYTES_USED, 0) => ["?"];
    layout_no_ids: base().put16("superblock", superblock::IDS, 0) => ["?"];
    layout_more_ids: base().put16("superblock", superblock::IDS, 3) => ["?"];
    layout_ids_elsewhere: base().put64("superblock", superblock::ID_TABLE, 96) => ["?"];
    layout_id_index_elsewhere: base().put64("ids index", 0, 96) => ["?"];
    layout_export_missing: base().put64("superblock", superblock::EXPORT_TABLE, u64::MAX) => ["?"];
    layout_export_overlaps: base().put64("export index", 0, 0) => ["?"];
    layout_fragments_missing: base().put64("superblock", superblock::FRAGMENT_TABLE, u64::MAX) => ["?"];
    layout_fragments_by_the_billion: base().put32("superblock", superblock::FRAGMENTS, u32::MAX) => ["?"];
    layout_directories_after_what_follows: base().put64("superblock", superblock::DIRECTORY_TABLE, 1 << 40) => ["?"];
    layout_directories_in_the_inodes: {
        let base = base();
        let inodes = base.get64(superblock::INODE_TABLE);
        base.put64("superblock", superblock::DIRECTORY_TABLE, inodes)
    } => ["?"];
    layout_inodes_in_the_superblock: base().put64("superblock", superblock::INODE_TABLE, 0) => ["?"];
    layout_inodes_after_the_directories: {
        let base = base();
        let ids = base.get64(superblock::ID_TABLE);
        base.put64("superblock", superblock::INODE_TABLE, ids)
    } => ["?"];
    layout_attributes_beyond_the_end: base().put64("superblock", superblock::XATTR_TABLE, 1 << 63) => ["?"];
    layout_attributes_of_nobody: with_attributes().put32("attribute header", 8, 0) => ["?"];
    layout_attribute_values_elsewhere: with_attributes().put64("attribute header", 0, 1 << 50) => ["?"];
    layout_broken_ids: base().put16("superblock", base().mark("ids") - 2, 0x8000) => ["?"];

    // What follows the image.

    trailing_padding: {
        let base = base();
        let end = base.get64(superblock::BYTES_USED) as usize;
        base.put("superblock", end, &[1])
    } => ["?"];
    trailing_zeros: base().append(&[0; 10_000]) => [];
    trailing_zeros_without_end: base().append(&vec![0; (1 << 20) + 1]) => ["?"];
    trailing_byte: base().append(&[1]) => ["?"];
    trailing_archive: base().append(&[b'x'; 10_000]) => ["?"];
}

const NAME_256: &str = "/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\
    zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\
    zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

/// Directories in each other with names of 255 bytes, 17 of them.
fn long_path() -> Vec<(&'static str, What)> {
    let name = format!("/{}", "d".repeat(255));
    let mut nodes: Vec<(&'static str, What)> =
        (1..=17).map(|depth| (&*name.repeat(depth).leak(), What::Directory)).collect();
    nodes.push(("/zz", What::File(b"a fragment".to_vec())));
    nodes
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

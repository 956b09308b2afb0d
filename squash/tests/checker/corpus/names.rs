//! C6: names and targets that lead elsewhere, after CVE-2021-40153 and CVE-2021-41072 of squashfs-tools.

use super::{base, with};
use crate::craft::{Craft, What, field};

corpus! {
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

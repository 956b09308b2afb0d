//! C1: hiding and replacing files of the system.

use super::{base, with, with_attributes};
use crate::craft::{What, field};

corpus! {
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
}

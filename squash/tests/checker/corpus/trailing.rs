//! What follows the image.

use spec::verity::Salt;
use squash::verity::HashTree;

use super::base;
use crate::craft::{Craft, superblock};

corpus! {
    nothing_is_found_in_an_image_without_fault: base() => [];
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

/// The base and its hash tree.
pub(crate) fn with_verity() -> Craft {
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

//! What only shows when the content is decompressed.

use squash::image::{Image, Limits};

use crate::corpus::base;
use crate::craft::{BLOCK, Craft, field};
use crate::findings;

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

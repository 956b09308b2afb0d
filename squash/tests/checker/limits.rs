//! The limits that a caller gives, and what goes beyond them.

use squash::image::{Image, Limits, Rule};

use crate::corpus::content::bomb;
use crate::corpus::{INODES, base};
use crate::craft::BLOCK;
use crate::findings_within;

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

//! The checker and reader of squashfs images.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squash::Image;
use squash::image::Limits;

/// Small, so that the time goes into many images and not into a large one.
const LIMITS: Limits = Limits { inodes: 1000, metadata: 4 << 20, depth: 20, content: 4 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let Ok(image) = Image::open(&bytes, &LIMITS) else { return };
    let listing = image.listing();
    for entry in image.entries() {
        assert!(entry.path().is_none_or(|path| image.entry(&path).is_some()), "paths lead to entries");
        let _ = (entry.kind(), entry.shown(), entry.uid());
    }
    assert!(listing.iter().count() <= LIMITS.inodes as usize, "more names than inodes are a finding");
    for finding in image.findings().iter() {
        let _ = finding.to_string();
    }
    if image.content() <= LIMITS.content {
        let _ = image.check_data();
    }
});

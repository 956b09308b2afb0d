//! The checker and reader of squashfs images.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squash::Image;
use squash::image::Limits;

/// Small, so that the time goes into many images and not into a large one.
const LIMITS: Limits = Limits { inodes: 1000, names: 1000, metadata: 4 << 20, depth: 20, content: 4 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let Ok(image) = Image::open(&bytes, &LIMITS) else { return };
    for entry in image.entries() {
        let _ = (entry.kind(), entry.shown(), entry.uid());
    }
    // The root is no entry of a listing.
    let (names, listed) = (image.entries().count(), image.listing().iter().count() + 1);
    if image.findings().is_empty() {
        assert_eq!(names, listed, "every name of a sound image is a path, and each is there once");
        let leads =
            |entry: squash::image::Entry<'_>| entry.path().is_some_and(|path| image.entry(&path).is_some());
        assert!(image.entries().all(leads), "paths lead to entries");
    }
    for finding in image.findings().iter() {
        let _ = finding.to_string();
    }
    if image.content() <= LIMITS.content {
        let _ = image.check_data();
    }
});

//! Kernel images, packed and not.
#![no_main]

use kabi::{Exports, KernelImage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(image) = KernelImage::parse(bytes) else { return };
    let mut exports = Exports::default();
    assert!(exports.add_kernel(image.exports).is_ok(), "an image exports no more than a profile holds");
});

//! Tar archives, plain and compressed.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = fuzz::file_of(bytes) else { return };
    if let Ok(entries) = sources::list_tar(file, Path::new("fuzz.tar")) {
        fuzz::check_entries(&entries);
    }
});

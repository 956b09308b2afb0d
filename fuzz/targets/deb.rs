//! Debian packages.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = fuzz::file_of(bytes) else { return };
    if let Ok(entries) = sources::list_deb(file, Path::new("fuzz.deb")) {
        fuzz::check_entries(&entries);
    }
});

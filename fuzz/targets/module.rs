//! Kernel modules, plain and packed, with and without a signature.
#![no_main]

use kabi::compress::decompress_within;
use kabi::{Module, Record};
use libfuzzer_sys::fuzz_target;

/// Small, so that the time goes into many modules and not into one that unpacks to zeros.
const MAX_BYTES: usize = 4 << 20;

/// What the file may be called, and how the packed ones start (xz, RFC 8878, RFC 1952).
const PACKINGS: [(&str, &[u8]); 4] = [
    ("m.ko.xz", b"\xfd7zXZ\0"),
    ("m.ko.zst", &[0x28, 0xb5, 0x2f, 0xfd]),
    ("m.ko.gz", &[0x1f, 0x8b]),
    ("m.ko", b""),
];

fuzz_target!(|bytes: &[u8]| {
    let (file, _) =
        PACKINGS.into_iter().find(|(_, start)| bytes.starts_with(start)).expect("the last one fits all");
    let Ok(module) = decompress_within(MAX_BYTES, file, bytes.to_vec()) else { return };
    let _ = Module::info(&module);
    let path = format!("/usr/lib/modules/6/{file}").parse().expect("the path is one of a tree");
    let Ok(module) = Module::parse(&path, &module) else { return };
    let record = Record::new(vec![module]).expect("one module is there once");
    let read = Record::parse(&record.to_json());
    // Names are long in a small file if they lie on each other; a record has its limit.
    assert!(
        read.is_err() || read.is_ok_and(|read| read == record),
        "a module goes through its record unchanged"
    );
});

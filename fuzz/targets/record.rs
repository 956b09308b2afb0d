//! The record of the modules in an image, as JSON.
#![no_main]

use kabi::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = Record::parse(bytes) else { return };
    let written = record.to_json();
    let read = Record::parse(&written).expect("what is written can be read");
    assert_eq!(read, record, "a record is the same however it was written");
    assert_eq!(read.to_json(), written, "and it is written in one way");
});

//! A signature: the bundle around it, and the statement that it is of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signing::{Bundle, Statement};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(Bundle::parse(&bundle.to_json()).expect("what is written can be read"), bundle);
    }
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(Statement::parse(&statement.to_json()).expect("what is written can be read"), statement);
    }
});

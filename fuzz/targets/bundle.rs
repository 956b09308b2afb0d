//! A signature: the bundle around it, and the statement that it is of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signing::{Bundle, DocumentKind, Purpose, Statement};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(Bundle::parse(&bundle.to_json()).expect("what is written can be read"), bundle);
    }
    let documents = DocumentKind::ALL.map(Purpose::Document);
    let mut purposes = 0;
    for purpose in [Purpose::Extension].into_iter().chain(documents) {
        let Ok(statement) = Statement::parse(bytes, purpose) else { continue };
        let read = Statement::parse(&statement.to_json(purpose), purpose);
        assert_eq!(read.expect("what is written can be read"), statement);
        purposes += 1;
    }
    assert!(purposes <= 1, "a statement is for one purpose");
});

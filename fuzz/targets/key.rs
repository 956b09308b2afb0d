//! A key file of any form, up to the passphrase.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signing::KeyFile;

fuzz_target!(|bytes: &[u8]| {
    let Ok(key) = KeyFile::parse(bytes) else { return };
    let written = match &key {
        KeyFile::Private(key) => key.to_der().to_vec(),
        KeyFile::Encrypted(key) => key.to_der(),
        KeyFile::Public(key) => key.to_der(),
    };
    match (key, KeyFile::parse(&written).expect("what is written can be read")) {
        (KeyFile::Private(key), KeyFile::Private(read)) => assert_eq!(key.to_der(), read.to_der()),
        (KeyFile::Encrypted(key), KeyFile::Encrypted(read)) => assert_eq!(key, read),
        (KeyFile::Public(key), KeyFile::Public(read)) => assert_eq!(key, read),
        (key, read) => panic!("{key:?} has become {read:?}"),
    }
});

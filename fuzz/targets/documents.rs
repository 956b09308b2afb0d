//! The documents of an artifact: manifest, index and config.
#![no_main]

use catalog::Descriptor;
use catalog::artifact::{Parts, parse_config};
use catalog::document::{Index, Manifest};
use libfuzzer_sys::fuzz_target;
use spec::artifact::media;

fuzz_target!(|bytes: &[u8]| {
    let described = Descriptor::of(media::MANIFEST, bytes);
    let manifest = Manifest::parse(bytes, &described);
    let index = Index::parse_unpointed(bytes, "index");
    assert!(manifest.is_err() || index.is_err(), "one document is two things (CVE-2021-41190)");
    if let Ok(manifest) = manifest {
        let written = manifest.to_bytes();
        assert_eq!(Manifest::parse(&written, &described).expect("what is written can be read"), manifest);
        if let Ok(parts) = Parts::of(&manifest, &described) {
            let again = parts.to_manifest();
            assert_eq!(Parts::of(&again, &described).expect("parts make an extension"), parts);
        }
    }
    if let Ok(index) = index {
        let written = index.to_bytes();
        let read = Index::parse_unpointed(&written, "index").expect("what is written can be read");
        assert_eq!(read.to_bytes(), written);
    }
    let _ = parse_config(bytes, &described);
});

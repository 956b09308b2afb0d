//! A machine config and a patch of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::machine::{parse, patched, to_yaml};

fuzz_target!(|text: &str| {
    let (text, patch) = text.split_once("\n=====\n").unwrap_or((text, ""));
    let patches = [(patch.to_owned(), "patch.yaml".to_owned())];
    let found = [parse(text, "machine.yaml"), patched(text, "machine.yaml", &patches)];
    for config in found.into_iter().flatten() {
        let names: std::collections::BTreeSet<_> =
            config.extensions.iter().map(|wanted| &wanted.name).collect();
        assert_eq!(names.len(), config.extensions.len(), "an extension is wanted once");
        let written = to_yaml(&config);
        let read = parse(&written, "written").expect("what is written can be read");
        assert_eq!(to_yaml(&read), written);
    }
});

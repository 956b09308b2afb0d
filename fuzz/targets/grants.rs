//! Files that steer the machine: whatever is in them, it is named or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use squash::{Content, Mode, Node, Tree};

/// A file for each reader.
const PLACES: [&str; 9] = [
    "/usr/lib/udev/rules.d/a.rules",
    "/usr/lib/modprobe.d/a.conf",
    "/usr/lib/modules-load.d/a.conf",
    "/usr/lib/sysctl.d/a.conf",
    "/usr/lib/tmpfiles.d/a.conf",
    "/usr/lib/sysusers.d/a.conf",
    "/usr/lib/binfmt.d/a.conf",
    "/usr/lib/ld.so.conf.d/a.conf",
    "/usr/lib/systemd/system-preset/a.preset",
];

fuzz_target!(|bytes: &[u8]| {
    let mut tree = Tree::new();
    for place in PLACES {
        let content = Content::Bytes(bytes.to_vec());
        let node = Node::File { mode: Mode::FILE, content };
        tree.insert(place.parse().expect("it is a path"), node).expect("there is room");
    }
    let needs = grants::of_tree(&tree);
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for at in needs.needs.iter().filter_map(|need| need.at) {
        assert!(at.line <= lines && at.column >= 1, "places are in the text");
    }
    assert!(needs.missing(&needs.grants()).is_empty());
});

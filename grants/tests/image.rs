//! A tree needs the same before it is packed and after, and no text makes a reader fall over.
#![allow(clippy::unwrap_used)] // in the helpers too

use proptest::prelude::*;
use squash::image::Limits;
use squash::{Content, Image, Means, Mode, Node, Options, Tree};

fn file(text: &str, mode: Mode) -> Node {
    Node::File { mode, content: Content::Bytes(text.as_bytes().to_vec()) }
}

fn tree(nodes: Vec<(&str, Node)>) -> Tree {
    let mut tree = Tree::new();
    for (path, node) in nodes {
        tree.insert(path.parse().unwrap(), node).unwrap();
    }
    tree
}

fn grants_of(needs: &grants::Needs) -> Vec<String> {
    needs.grants().iter().map(ToString::to_string).collect()
}

#[test]
fn an_image_needs_what_its_tree_needs() {
    let link = |target: &str| Node::Symlink { target: target.to_owned() };
    let tree = tree(vec![
        ("/usr/bin/acme", file("#!/bin/sh\n", Mode::DIRECTORY)),
        ("/usr/lib/firmware/acme.bin", file("x", Mode::FILE)),
        ("/usr/lib/udev/rules.d/70-acme.rules", file("KERNEL==\"a\", RUN+=\"/usr/bin/acme\"\n", Mode::FILE)),
        ("/usr/lib/sysctl.d/acme.conf", file("kernel.sysrq = 0\n", Mode::FILE)),
        ("/usr/lib/systemd/system/acme.service", file("[Service]\n", Mode::FILE)),
        ("/usr/lib/systemd/system/multi-user.target.wants/acme.service", link("../acme.service")),
        ("/usr/lib/binfmt.d", link("../share/binfmt")),
        ("/usr/share/acme/readme", file("x", Mode::FILE)),
    ]);
    let before = grants::of_tree(&tree);
    let mut image = tempfile::tempfile().unwrap();
    squash::pack(&tree, &Options::default(), Means::of_this_machine(), &mut image, &mut |_| ()).unwrap();
    let opened = Image::open(&image, &Limits::of(&tree.facts())).unwrap();
    let after = grants::of_image(&opened);
    assert_eq!(
        grants_of(&before),
        [
            "firmware",
            "binaries",
            "udev-rules",
            "udev-run:/usr/bin/acme",
            "units:acme.service",
            "sysctl:kernel.sysrq"
        ]
    );
    assert_eq!((&before.needs, &before.opaque), (&after.needs, &after.opaque));
    let opaque: Vec<String> = after.opaque.iter().map(ToString::to_string).collect();
    assert_eq!(opaque, ["/usr/lib/binfmt.d is a link in place of a directory that steers the machine"]);

    let declared: Vec<spec::Grant> = after.grants();
    assert!(after.check(&declared).is_err(), "no grant helps a link");
    let missing: Vec<String> = after.missing(&declared[1..]).iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["/usr/lib/firmware/acme.bin needs the grant firmware"]);
}

/// A second name of a file is the file.
#[test]
fn a_hard_link_is_a_file() {
    let tree = tree(vec![
        ("/usr/share/acme/rules", file("kernel.sysrq=1", Mode::FILE)),
        ("/usr/lib/sysctl.d/acme.conf", Node::HardLink { target: "/usr/share/acme/rules".parse().unwrap() }),
    ]);
    assert_eq!(grants_of(&grants::of_tree(&tree)), ["sysctl:kernel.sysrq"]);
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_fall_over(text in "(?s).{0,200}", place in 0usize..9) {
        let places = [
            "/usr/lib/udev/rules.d/a.rules", "/usr/lib/modprobe.d/a.conf", "/usr/lib/modules-load.d/a.conf",
            "/usr/lib/sysctl.d/a.conf", "/usr/lib/tmpfiles.d/a.conf", "/usr/lib/sysusers.d/a.conf",
            "/usr/lib/binfmt.d/a.conf", "/usr/lib/ld.so.conf.d/a.conf", "/usr/lib/systemd/system-preset/a.preset",
        ];
        let needs = grants::of_tree(&tree(vec![(places[place], file(&text, Mode::FILE))]));
        for need in &needs.needs {
            prop_assert!(need.to_string().contains("needs the grant"));
        }
    }

    #[test]
    fn no_rule_of_udev_makes_its_reader_fall_over(text in "[A-Z{}=+:!\"',#e\\\\\\\\ \n$a-c]{0,80}") {
        grants::of_tree(&tree(vec![("/usr/lib/udev/rules.d/a.rules", file(&text, Mode::FILE))]));
    }
}

//! Artifacts that some other builder made: what no machine would take, nobody can sign by mistake.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use catalog::{NewExtension, Store};
use spec::artifact::{CONFIG_SCHEMA, ExtensionConfig};
use spec::{Arch, TreePath};
use squash::{Content, Means, Mode, Node, Options, Tree};
use tests::{Context, Said};

/// Puts an extension with the tree into `oci:store`, whole in every other way, and has it signed.
fn sign(nodes: &[(&str, Node)]) -> Said {
    let context = Context::new();
    let mut tree = Tree::new();
    for (path, node) in nodes {
        tree.insert(path.parse::<TreePath>().unwrap(), node.clone()).unwrap();
    }
    let mut image = tempfile::tempfile().unwrap();
    let packed = squash::pack(&tree, &Options::default(), Means::of_this_machine(), &mut image, &mut |_| {});
    let packed = packed.unwrap();
    let config = ExtensionConfig {
        schema_version: CONFIG_SCHEMA,
        name: "acme".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        upstream: None,
        arch: Arch::Amd64,
        description: String::new(),
        license: None,
        kernel: None,
        requires: Vec::new(),
        load: Vec::new(),
        probes: Vec::new(),
        force: Vec::new(),
        grants: Vec::new(),
        generations: Default::default(),
        group: None,
        content: tree.facts(),
        verity: packed.verity,
        root_hash_signature: None,
    };
    std::io::Seek::rewind(&mut image).unwrap();
    let new = NewExtension {
        config: &config,
        image: &mut image,
        image_digest: packed.digest,
        image_size: packed.size,
        paths: &tree.listing(),
        kabi: None,
    };
    Store::create_or_open(context.dir().join("store")).unwrap().assemble(new).unwrap();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    context.extbuild(&["sign", "oci:store", "--key", "key.pem"])
}

fn file() -> Node {
    Node::File { mode: Mode::FILE, content: Content::Bytes(b"x".to_vec()) }
}

fn link(target: &str) -> Node {
    Node::Symlink { target: target.to_owned() }
}

#[track_caller]
fn refused(nodes: &[(&str, Node)], sentence: &str) {
    let said = sign(nodes);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains(sentence), "{sentence} is missing: {said}");
    assert!(said.stderr.contains("hint: "), "{said}");
}

#[test]
fn what_keeps_the_rules_is_signed_whoever_built_it() {
    sign(&[("/usr/bin/acme", file()), ("/usr/bin/link", link("acme"))]).ok();
}

#[test]
fn what_no_machine_would_take_is_not_signed() {
    refused(&[("/etc/passwd", file())], "/etc is outside /usr and /opt");
    refused(&[("/usr/lib/depmod.d/x.conf", file())], "/usr/lib/depmod.d is reserved");
    refused(
        &[("/usr/lib/modules/6.1.0/extra/acme/a.bin", file())],
        "not a place for this extension's modules",
    );
    refused(&[("/usr/lib/x", link("/etc/passwd"))], "/usr/lib/x is an absolute symbolic link");
    refused(&[("/usr/lib/x", link("../../etc/passwd"))], "which is outside /usr and /opt");
    let private = Node::Directory { mode: Mode::new(0o700).unwrap() };
    refused(&[("/usr/bin", private)], "/usr/bin has mode 0700");
}

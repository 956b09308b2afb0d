//! The arrows between the rooms, as ARCHITECTURE.md draws them. A room may use what is listed here and nothing else
//! of the workspace.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Room, and the rooms that its product (not its tests) may use.
const ARROWS: [(&str, &[&str]); 17] = [
    ("spec", &[]),
    ("squash", &["spec"]),
    ("sources", &["spec", "squash"]),
    ("kabi", &["spec"]),
    ("signing", &["spec"]),
    ("catalog", &["spec"]),
    ("generations", &["spec"]),
    ("terminal", &["spec"]),
    ("signer", &["spec", "signing", "terminal"]),
    (
        "extbuild",
        &["spec", "squash", "grants", "sources", "kabi", "signing", "catalog", "terminal", "signer"],
    ),
    ("grants", &["spec", "squash"]),
    ("factory", &["spec", "kabi", "signing", "catalog", "terminal", "signer", "extruntime"]),
    ("extruntime", &["generations", "spec", "squash", "grants", "kabi", "signing", "catalog"]),
    ("fuzz", &["spec", "squash", "grants", "sources", "kabi", "catalog", "generations", "signing"]),
    ("truth", &[]),
    ("xtask", &["spec", "generations", "kabi"]),
    ("tests", &[]),
];

/// Crates that the boot program must never contain: a network stack, an asynchronous runtime, a command-line parser, a
/// second library of algorithms, what locks private keys.
const NOT_AT_BOOT: [&str; 9] =
    ["tokio", "hyper", "reqwest", "rustls", "ring", "clap", "indicatif", "openssl-sys", "pkcs5"];

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(tests::root().join("Cargo.toml")).no_deps();
    command.exec().expect("cargo metadata answers")
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let metadata = metadata();
    let rooms: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let names: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(
        names,
        rooms.keys().copied().collect(),
        "a room came or went: draw its arrows here and in ARCHITECTURE.md"
    );
    for package in &metadata.packages {
        let allowed = rooms[package.name.as_str()];
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let is_arrow = names.contains(name) && dependency.kind != DependencyKind::Development;
            assert!(!is_arrow || allowed.contains(&name), "{} may not use {name}", package.name);
        }
    }
}

/// Features are asked for package by package here, unlike in a build of the whole workspace: what counts is what the
/// boot program is built with, `cargo build -p extruntime`.
#[test]
fn the_boot_program_has_no_network_in_it() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--package", "extruntime", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(tests::root())
        .output()
        .expect("cargo tree answers");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("signing"), "the tree is not the one that was asked for: {crates:?}");
    for name in NOT_AT_BOOT {
        assert!(!crates.contains(name), "extruntime contains {name}");
    }
}

#[test]
fn only_one_room_may_hold_unsafe_code() {
    let mut found = Vec::new();
    for (room, _) in ARROWS {
        let mut waiting = vec![tests::root().join(room).join("src")];
        while let Some(dir) = waiting.pop() {
            for entry in std::fs::read_dir(&dir).expect("every room has src/") {
                let path = entry.expect("the directory can be read").path();
                if path.is_dir() {
                    waiting.push(path);
                } else if std::fs::read_to_string(&path)
                    .expect("sources are text")
                    .contains("allow(unsafe_code")
                {
                    found.push(path.strip_prefix(tests::root()).expect("it is below the top").to_owned());
                }
            }
        }
    }
    assert!(found.iter().all(|path| path.starts_with("extruntime/src/sys")), "{found:?}");
    assert!(!found.is_empty(), "the search finds nothing at all");
}

//! Packages of Debian against what dpkg makes of them.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sources::{Entry, EntryKind};

fn inputs() -> PathBuf {
    std::env::var_os("TENON_INPUTS").expect("TENON_INPUTS is not set; run `cargo xtask test`").into()
}

/// Path, and mode and digest of a file or the target of a link; all names of a file as files.
fn listed(entries: Vec<Entry>) -> BTreeMap<String, String> {
    let mut tree: BTreeMap<String, String> = BTreeMap::new();
    for Entry { path, kind } in entries {
        let shown = match kind {
            EntryKind::Directory => continue,
            EntryKind::File { mode, content } => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut content.open().unwrap(), &mut bytes).unwrap();
                format!("{mode:04o} {}", spec::Digest::of(&bytes))
            }
            EntryKind::HardLink { target } => tree[target.as_str()].clone(),
            EntryKind::Symlink { target } => target,
            EntryKind::Special(what) => panic!("{path} is {what}"),
        };
        tree.insert(path.to_string(), shown);
    }
    tree
}

fn unpacked(root: &Path) -> BTreeMap<String, String> {
    let mut tree = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let shown = match () {
                () if meta.is_dir() => {
                    waiting.push(path);
                    continue;
                }
                () if meta.is_symlink() => fs::read_link(&path).unwrap().to_str().unwrap().to_owned(),
                () => format!("{:04o} {}", meta.mode() & 0o7777, spec::Digest::of(&fs::read(&path).unwrap())),
            };
            tree.insert(format!("/{}", path.strip_prefix(root).unwrap().to_str().unwrap()), shown);
        }
    }
    tree
}

#[test]
fn packages_hold_what_dpkg_unpacks() {
    let debs = fs::read_dir(inputs().join("debs")).unwrap().map(|entry| entry.unwrap().path());
    // Each is there with and without its version in its name.
    let debs: Vec<PathBuf> =
        debs.filter(|path| !path.file_name().unwrap().to_str().unwrap().contains('_')).collect();
    assert!(!debs.is_empty());
    for package in debs {
        let root = tempfile::tempdir().unwrap();
        let output = Command::new("dpkg-deb").arg("-x").arg(&package).arg(root.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let entries = sources::list_deb(File::open(&package).unwrap(), &package).unwrap();
        let (listed, unpacked) = (listed(entries), unpacked(root.path()));
        assert!(!listed.is_empty() && listed == unpacked, "{} differs", package.display());
    }
}

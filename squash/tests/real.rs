//! Real trees through the writer: a whole kernel, a firmware package, and the libraries of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use squash::image::Limits;
use squash::{BlockSize, Mode, Node, Options, Tree};
use support::readers::{self, Contents};
use support::{Image, must_be_root, of_host};

/// So much of this machine's libraries is enough to meet every kind of file.
const LIBRARIES_MAX: u64 = 150 << 20;

fn inputs() -> PathBuf {
    std::env::var_os("TENON_INPUTS").expect("TENON_INPUTS is not set; run `cargo xtask test`").into()
}

/// A directory as a tree, up to `most` bytes of content, without special bits and what is no file, directory or link.
fn tree_of(root: &Path, most: u64) -> Tree {
    let mut tree = Tree::new();
    let mut waiting = vec![root.to_owned()];
    let mut left = most;
    while let Some(path) = waiting.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let mode = Mode::new(meta.mode() & 0o777).unwrap();
        let node = if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Node::Directory { mode }
        } else if meta.is_symlink() {
            Node::Symlink { target: fs::read_link(&path).unwrap().into_os_string().into_string().unwrap() }
        } else if meta.is_file() && meta.len() <= left {
            left -= meta.len();
            Node::File { mode, content: of_host(&path, meta.len()) }
        } else {
            continue;
        };
        if path != root {
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap();
            tree.insert(format!("/{relative}").parse().unwrap(), node).unwrap();
        }
    }
    tree
}

/// All readers, and our own, see the same in an image of the tree.
fn check(tree: &Tree) {
    let options = Options { block_size: BlockSize::suited_to(tree), ..Options::default() };
    let image = Image::of(tree, &options);
    let expected = readers::expected(tree);
    must_be_root();
    same("the kernel", readers::with_kernel(image.path()), &expected);
    same("unsquashfs", readers::with_unsquashfs(image.path()), &expected);
    same("sqfs2tar", readers::with_sqfs2tar(image.path()), &expected);
    same("backhand", readers::with_backhand(image.path()), &expected);
    let file = fs::File::open(image.path()).unwrap();
    let ours = squash::Image::open(&file, &Limits::of(&image.packed.facts)).unwrap();
    let wrong: Vec<String> = ours.findings().iter().map(ToString::to_string).collect();
    let group_or_world = |finding: &String| finding.contains("is writable by");
    assert!(wrong.iter().all(group_or_world), "{wrong:?}");
    assert_eq!(ours.listing(), tree.listing());
    assert!(ours.check_data().unwrap().is_empty());
}

fn same(reader: &str, seen: Contents, expected: &Contents) {
    assert_eq!(seen.len(), expected.len(), "entries as {reader} sees them");
    for (path, expected) in expected {
        assert_eq!(seen.get(path), Some(expected), "{path} as {reader} sees it");
    }
}

#[test]
fn a_whole_kernel_package_reads_back() {
    let tree = tree_of(&inputs().join("kernel"), u64::MAX);
    assert!(tree.facts().inodes > 1000, "{:?}", tree.facts());
    check(&tree);
}

#[test]
fn a_firmware_package_reads_back() {
    let room = tempfile::tempdir().unwrap();
    let deb = inputs().join("debs/firmware-realtek.deb");
    let unpacked = Command::new("dpkg-deb").arg("-x").arg(deb).arg(room.path()).status().unwrap();
    assert!(unpacked.success());
    check(&tree_of(room.path(), u64::MAX));
}

#[test]
fn libraries_of_this_machine_read_back() {
    check(&tree_of(Path::new("/usr/lib/x86_64-linux-gnu"), LIBRARIES_MAX));
}

//! What goes wrong while an image is packed is told with its place, and damages nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;

use squash::{Cache, Content, Means, Mode, Node, Options, PackError, pack};
use support::{Image, blocks_of, file, mixed_tree, must_be_root, noise, of_host, text, tree};

#[test]
fn a_file_that_changed_its_length_is_refused_by_name() {
    for (real, listed) in [(0, 1), (1, 0), (99_999, 100_000), (100_001, 100_000), (400_000, 300_000)] {
        let host = tempfile::NamedTempFile::new().unwrap();
        host.as_file().write_all_at(&text(real), 0).unwrap();
        let content = of_host(host.path(), listed);
        let changed = tree([("/usr/f".to_owned(), Node::File { mode: Mode::FILE, content })]);
        let mut out = tempfile::tempfile().unwrap();
        match pack(&changed, &Options::default(), Means::of_this_machine(), &mut out, &mut |_| {}) {
            Err(PackError::Read { path, .. }) => assert_eq!(path.as_str(), "/usr/f"),
            other => panic!("{real} bytes listed as {listed}: {other:?}"),
        }
    }
}

/// A tmpfs of 1 MiB that ends with its value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> SmallDisk {
        must_be_root();
        let dir = tempfile::tempdir().unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(dir.path()).status();
        assert!(mount.unwrap().success());
        SmallDisk(dir)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_named() {
    let disk = SmallDisk::new();
    let mut out = tempfile::tempfile_in(disk.0.path()).unwrap();
    let large = tree([("/large".to_owned(), file(noise(3 << 20)))]);
    match pack(&large, &Options::default(), Means::of_this_machine(), &mut out, &mut |_| {}) {
        Err(PackError::Write(source)) => assert_eq!(source.kind(), std::io::ErrorKind::StorageFull),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_disk_under_the_cache_fails_no_build_and_damages_no_entry() {
    let disk = SmallDisk::new();
    let cache = Cache::open(&disk.0.path().join("blocks"), Cache::LIMIT).unwrap();
    let means = Means { cache: Some(&cache), ..Means::of_this_machine() };
    let large = tree((0..30).map(|n| (format!("/{n}"), file([noise(100_000), text(n)].concat()))));
    let mixed = Image::by(&mixed_tree(), &Options::default(), means).packed;
    let expected = Image::of(&large, &blocks_of(4096)).packed;
    for _ in 0..2 {
        assert_eq!(Image::by(&large, &blocks_of(4096), means).packed, expected);
    }
    assert_eq!(Image::by(&mixed_tree(), &Options::default(), means).packed, mixed);
}

#[test]
fn a_source_on_a_broken_disk_is_named() {
    // Reading address 0 of a process is an input/output error, as a bad sector is (fs/proc/base.c, mem_rw).
    let broken = Arc::new(File::open("/proc/self/mem").unwrap());
    for len in [100, 1 << 20] {
        let content = Content::Span { file: broken.clone(), offset: 0, len };
        let node = Node::File { mode: Mode::FILE, content };
        let tree = tree([("/a".to_owned(), file(text(300_000))), ("/usr/bad".to_owned(), node)]);
        let mut out = tempfile::tempfile().unwrap();
        match pack(&tree, &Options::default(), Means::of_this_machine(), &mut out, &mut |_| {}) {
            Err(PackError::Read { path, source }) => {
                assert_eq!((path.as_str(), source.raw_os_error()), ("/usr/bad", Some(5)));
            }
            other => panic!("{other:?}"),
        }
    }
}

//! Images of mksquashfs, gensquashfs and our own writer, read by the checker and by the kernel.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};
use squash::image::{Image, Limits};
use squash::{Compression, Method, Options};

use crate::seen::{assert_same, by_checker, by_kernel, real_kernel, run};
use crate::support::{self, file, hard_link, link, noise, text};

/// A directory with everything that an extension may have: lengths around the block sizes, holes, equal files, hard
/// links, long names and a listing of many metadata blocks.
fn plain_tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("many")).unwrap();
    for n in 0..5000 {
        File::create(at(&format!("many/{n:0>40}"))).unwrap();
    }
    fs::create_dir_all(at("deep").join("a/".repeat(60))).unwrap();
    for len in [0, 1, 4095, 4096, 4097, 131_071, 131_072, 131_073, (1 << 20) + 1] {
        fs::write(at(&format!("text-{len}")), text(len)).unwrap();
        fs::write(at(&format!("noise-{len}")), noise(len)).unwrap();
        fs::write(at(&format!("zeros-{len}")), vec![0; len]).unwrap();
    }
    let holes = File::create(at("holes")).unwrap();
    holes.write_all_at(b"in the middle", 1_500_000).unwrap();
    holes.set_len(2_500_001).unwrap();
    fs::write(at("twice"), text(300_000)).unwrap();
    fs::write(at("again"), text(300_000)).unwrap();
    fs::hard_link(at("twice"), at("deep/linked")).unwrap();
    fs::write(at(&"n".repeat(255)), "long").unwrap();
    fs::write(at("\u{e9}t\u{e9} \u{10ffff}"), "unicode").unwrap();
    symlink("text-1", at("link")).unwrap();
    symlink("t".repeat(4000), at("long-link")).unwrap();
    root
}

/// The same, and what no extension may have.
fn wild_tree() -> tempfile::TempDir {
    let root = plain_tree();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("wild")).unwrap();
    for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2755), ("sticky", 0o1755), ("open", 0o666)] {
        let path = at("wild").join(name);
        fs::write(&path, name).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(at("wild/owned"), "").unwrap();
    std::os::unix::fs::chown(at("wild/owned"), Some(1000), Some(70_000)).unwrap();
    let node = |name: &str, kind, major, minor| {
        mknodat(CWD, at("wild").join(name), kind, Mode::from(0o600), makedev(major, minor)).unwrap();
    };
    node("whiteout", FileType::CharacterDevice, 0, 0);
    node("null", FileType::CharacterDevice, 1, 3);
    node("disk", FileType::BlockDevice, 259, 70_000);
    node("fifo", FileType::Fifo, 0, 0);
    node("socket", FileType::Socket, 0, 0);
    for name in ["wild/labelled", "wild/opaque"] {
        fs::create_dir(at(name)).unwrap();
    }
    setxattr(at("wild/labelled"), "security.test", b"label", XattrFlags::empty()).unwrap();
    setxattr(at("wild/opaque"), "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    root
}

/// What is found in an image of the wild tree.
const WILD: [&str; 14] = [
    "the attribute table: is there, so the image has extended attributes",
    "/wild/disk: is a block device (259:70000)",
    "/wild/fifo: is a fifo",
    "/wild/labelled: has extended attributes: security.test",
    "/wild/null: is a character device (1:3)",
    "/wild/opaque: has extended attributes: trusted.overlay.opaque",
    "/wild/open: is writable by its group (mode 0666)",
    "/wild/open: is writable by everybody (mode 0666)",
    "/wild/owned: belongs to user 1000 and group 70000, not to root",
    "/wild/setgid: has the setgid bit (mode 2755)",
    "/wild/setuid: has the setuid bit (mode 4755)",
    "/wild/socket: is a socket",
    "/wild/sticky: has the sticky bit (mode 1755)",
    "/wild/whiteout: is a whiteout, which would hide a file of the system",
];

/// An image in a directory that goes with it.
struct Packed {
    path: PathBuf,
    _room: tempfile::TempDir,
}

fn mksquashfs(tree: &Path, arguments: &str) -> Packed {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("image");
    let fixed = ["-noappend", "-no-progress", "-quiet"];
    run(Command::new("mksquashfs").arg(tree).arg(&path).args(fixed).args(arguments.split_whitespace()));
    Packed { path, _room: room }
}

fn gensquashfs(tree: &Path, arguments: &str) -> Packed {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("image");
    let fixed = ["--quiet", "--keep-time", "--pack-dir"];
    run(Command::new("gensquashfs").args(fixed).arg(tree).args(arguments.split_whitespace()).arg(&path));
    Packed { path, _room: room }
}

/// The checker sees what the kernel sees, and finds just these things.
fn check(packed: &Packed, findings: &[&str]) {
    let file = File::open(&packed.path).unwrap();
    let image = Image::open(&file, &Limits::default()).unwrap();
    let found: Vec<_> = image.findings().iter().map(ToString::to_string).collect();
    assert_eq!(found, findings);
    assert_same(&by_checker(&image), &by_kernel(&packed.path));
    let data = image.check_data().unwrap();
    assert!(data.is_empty(), "{:?}", data.iter().next());
}

/// Images of a few kilobytes, one for each way to compress, with something of everything in them.
pub(crate) fn small_images() -> Vec<Vec<u8>> {
    let tree = tempfile::tempdir().unwrap();
    let at = |name: &str| tree.path().join(name);
    fs::create_dir_all(at("a/b/c")).unwrap();
    fs::write(at("a/text"), text(20_000)).unwrap();
    fs::write(at("a/noise"), noise(6000)).unwrap();
    fs::write(at("a/b/zeros"), vec![0; 9000]).unwrap();
    fs::hard_link(at("a/text"), at("a/b/c/linked")).unwrap();
    symlink("a/text", at("link")).unwrap();
    for n in 0..300 {
        File::create(at(&format!("a/b/c/{n:0>30}"))).unwrap();
    }
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let arguments = ["gzip", "xz", "lz4", "zstd", "gzip -noI -noD -noF -no-exports"];
    let images = arguments.map(|compression| {
        let packed = mksquashfs(tree.path(), &format!("-b 4K -comp {compression}"));
        fs::read(&packed.path).unwrap()
    });
    images.into()
}

#[test]
fn images_of_mksquashfs_are_read_whatever_the_compression() {
    let tree = plain_tree();
    for compression in ["gzip", "xz", "lz4", "zstd", "xz -Xbcj x86,arm", "lz4 -Xhc", "gzip -Xwindow-size 8"] {
        check(&mksquashfs(tree.path(), &format!("-all-root -comp {compression}")), &[]);
    }
}

#[test]
fn images_of_mksquashfs_are_read_whatever_the_layout() {
    let tree = plain_tree();
    for layout in [
        "-b 4K",
        "-b 1M",
        "-no-fragments",
        "-always-use-fragments",
        "-noI -noD -noF -noX",
        "-noId -no-exports",
        "-no-duplicates -no-sparse -no-xattrs",
        "-no-hardlinks -tailends",
    ] {
        check(&mksquashfs(tree.path(), &format!("-all-root -comp zstd -Xcompression-level 1 {layout}")), &[]);
    }
}

#[test]
fn images_of_gensquashfs_are_read() {
    let tree = plain_tree();
    for arguments in ["-c gzip", "-c xz", "-c lz4", "-c zstd", "-b 4096", "-b 1048576 --exportable", "-T"] {
        check(&gensquashfs(tree.path(), arguments), &[]);
    }
}

#[test]
fn what_no_extension_may_have_is_found_in_images_of_mksquashfs() {
    let tree = wild_tree();
    for arguments in ["-comp zstd", "-comp gzip -noI -noX -no-exports", "-comp lz4 -b 4K"] {
        check(&mksquashfs(tree.path(), arguments), &WILD);
    }
}

#[test]
fn what_no_extension_may_have_is_found_in_images_of_gensquashfs() {
    check(&gensquashfs(wild_tree().path(), "--keep-xattr"), &WILD);
}

/// The kernel could not: a loop device ends with its last whole sector.
#[test]
fn an_image_with_nothing_in_it_is_read_with_and_without_padding() {
    let tree = tempfile::tempdir().unwrap();
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let images = ["-all-root", "-all-root -nopad"].map(|arguments| mksquashfs(tree.path(), arguments));
    for packed in images.into_iter().chain([gensquashfs(tree.path(), "")]) {
        let file = File::open(&packed.path).unwrap();
        let image = Image::open(&file, &Limits::default()).unwrap();
        assert!(image.findings().is_empty(), "{:?}", image.findings());
        assert_eq!(image.entries().map(|entry| entry.shown()).collect::<Vec<_>>(), ["/"]);
    }
}

/// Whoever opens one of our images asks with limits from its facts, which count a file with two names once.
#[test]
fn our_own_images_keep_to_their_facts() {
    let nodes = [
        ("/usr/text".to_owned(), file(text(20_000))),
        ("/usr/zeros".to_owned(), file(vec![0; 300_000])),
        ("/usr/small".to_owned(), file(noise(10))),
        ("/usr/link".to_owned(), link("text")),
    ];
    let names = (0..1000).map(|n| (format!("/usr/again/{n}"), hard_link("/usr/text")));
    let tree = support::tree(nodes.into_iter().chain(names));
    for method in [Method::Zstd, Method::Gzip, Method::Xz, Method::Lz4] {
        let options = Options { compression: Compression::new(method, None).unwrap(), ..Options::default() };
        let ours = support::Image::of(&tree, &options);
        let file = File::open(ours.path()).unwrap();
        let image = Image::open(&file, &Limits::of(&ours.packed.facts)).unwrap();
        assert!(image.findings().is_empty(), "{:?}", image.findings());
        assert!(image.check_data().unwrap().is_empty());
        assert_eq!(image.content(), ours.packed.facts.bytes);
        assert_eq!(image.listing(), tree.listing());
        assert_same(&by_checker(&image), &by_kernel(ours.path()));
    }
}

/// All modules of a kernel, in one image of each kind.
#[test]
fn a_real_kernel_is_read() {
    let kernel = real_kernel().join("lib/modules");
    for packed in
        [mksquashfs(&kernel, "-all-root -comp zstd -Xcompression-level 1"), gensquashfs(&kernel, "-c lz4")]
    {
        check(&packed, &[]);
    }
}

//! Packs trees of many shapes and has other people's readers say what is in the images.
//!
//! `backhand`, `unsquashfs` and the kernel read every image; only root may mount, so only root may run these.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod readers;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use squash::{BlockSize, Content, Level, Mode, Node, Options, PackError, Packed, Tree, pack};

fn directory() -> Node {
    Node::Directory { mode: Mode::DIRECTORY }
}

fn file(bytes: impl Into<Vec<u8>>) -> Node {
    Node::File { mode: Mode::FILE, content: Content::Bytes(bytes.into()) }
}

fn link(target: &str) -> Node {
    Node::Symlink { target: target.to_owned() }
}

fn tree(nodes: impl IntoIterator<Item = (String, Node)>) -> Tree {
    let mut tree = Tree::new();
    for (path, node) in nodes {
        tree.insert(path.parse().unwrap(), node).unwrap();
    }
    tree
}

/// Bytes that do not compress (xorshift64*).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn text(len: usize) -> Vec<u8> {
    (0..).flat_map(|n| format!("line {n}\n").into_bytes()).take(len).collect()
}

struct Image {
    file: tempfile::NamedTempFile,
    packed: Packed,
}

impl Image {
    fn of(tree: &Tree, options: &Options) -> Image {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let packed = pack(tree, options, file.as_file_mut(), &mut |_| {}).unwrap();
        Image { file, packed }
    }

    fn path(&self) -> &Path {
        self.file.path()
    }
}

/// The kernel is the reader that counts. A test that cannot ask it must not pass.
fn must_be_root() {
    assert!(rustix::process::geteuid().is_root(), "only root may mount an image: run the tests as root");
}

/// Every reader sees in the image what the tree says.
fn check(tree: &Tree, options: &Options) {
    let image = check_without_backhand(tree, options);
    assert_eq!(readers::with_backhand(image.path()), readers::expected(tree), "read by backhand");
}

fn check_without_backhand(tree: &Tree, options: &Options) -> Image {
    let image = Image::of(tree, options);
    let expected = readers::expected(tree);
    assert_eq!(readers::with_unsquashfs(image.path()), expected, "read by unsquashfs");
    must_be_root();
    assert_eq!(readers::with_kernel(image.path()), expected, "read by the kernel");
    image
}

/// A bit of everything: what an extension looks like.
fn mixed_tree() -> Tree {
    let mode = |bits| Mode::new(bits).unwrap();
    tree([
        ("/usr/lib/modules/6.1.0/extra/a.ko".to_owned(), file(text(300_000))),
        ("/usr/lib/modules/6.1.0/extra/b.ko".to_owned(), file(noise(200_000))),
        ("/usr/lib/firmware/f.bin".to_owned(), file(noise(10_000))),
        ("/usr/lib/firmware/g.bin".to_owned(), link("f.bin")),
        ("/usr/bin/tool".to_owned(), Node::File { mode: mode(0o755), content: Content::Bytes(text(5_000)) }),
        ("/usr/share/empty".to_owned(), file("")),
        ("/usr/share/none".to_owned(), Node::Directory { mode: mode(0o700) }),
        ("/usr/share/secret".to_owned(), Node::File { mode: mode(0o400), content: Content::Bytes(text(1)) }),
    ])
}

#[test]
fn a_mixed_tree_reads_back_with_any_options() {
    for (mtime, level, block_size) in
        [(0, 1, 4096), (1_700_000_000, 15, 128 << 10), (u32::MAX >> 1, 3, 1 << 20)]
    {
        let (level, block_size) = (Level::new(level).unwrap(), BlockSize::new(block_size).unwrap());
        check(&mixed_tree(), &Options { mtime, level, block_size });
    }
}

#[test]
fn a_tree_with_nothing_reads_back() {
    check(&Tree::new(), &Options::default());
    check(&tree([("/empty/directories/only".to_owned(), directory())]), &Options::default());
    check(&tree([("/empty".to_owned(), file(""))]), &Options::default());
}

#[test]
fn file_lengths_around_the_block_size_read_back() {
    const BLOCK: usize = 4096;
    let lengths = [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 1, 50 * BLOCK];
    let nodes = lengths.iter().flat_map(|&len| {
        let shapes = [("text", text(len)), ("noise", noise(len)), ("zeros", vec![0; len])];
        shapes.map(|(shape, bytes)| (format!("/{shape}-{len}"), file(bytes)))
    });
    let block_size = BlockSize::new(BLOCK as u32).unwrap();
    check(&tree(nodes), &Options { block_size, ..Options::default() });
}

#[test]
fn holes_between_data_read_back() {
    let mut bytes = vec![0; 10 * 128 * 1024 + 5];
    bytes[3 * 128 * 1024] = 1;
    bytes.extend(text(70_000));
    check(&tree([("/holes".to_owned(), file(bytes))]), &Options::default());
}

#[test]
fn a_directory_with_a_long_listing_is_found_by_name() {
    // 2,000 names of 60 bytes and more: a listing of 130 kB, an extended inode and an index with 16 entries.
    let nodes = (0..2000).map(|n| match n % 4 {
        0 => (format!("/d/{:0>60}", n), directory()),
        1 => (format!("/d/{:0>60}", n), link(&format!("{:0>60}", n - 1))),
        _ => (format!("/d/{:0>60}-\u{e9}t\u{e9}", n), file(format!("{n}"))),
    });
    check(&tree(nodes.chain([("/e".to_owned(), file("after"))])), &Options::default());
}

#[test]
fn directories_of_every_size_around_a_header_read_back() {
    // Links of 25 bytes, so that the inodes of 256 and more begin in one block and the count alone ends a header.
    for count in [1, 255, 256, 257, 300] {
        let nodes = (0..count).map(|n| (format!("/d/{n:03}"), link("t")));
        check(&tree(nodes), &Options::default());
    }
}

#[test]
fn the_longest_names_paths_and_targets_read_back() {
    let name = "n".repeat(255);
    let deep = format!("/{name}").repeat(8);
    let many = (0..200).map(|n| (format!("/many/{n:03}{}", &name[3..]), file("x")));
    check(
        &tree(many.chain([
            (format!("{deep}/f"), file("deep")),
            ("/l".to_owned(), link(&"t".repeat(255))),
            ("/\u{fffd}\u{10ffff} 'quoted\" \\".to_owned(), file("odd")),
            ("/-dash".to_owned(), directory()),
        ])),
        &Options::default(),
    );
}

#[test]
fn the_longest_target_reads_back() {
    // backhand 0.25 takes a link with a target of more than 256 bytes for a broken image.
    let nodes = [256, 257, 4095].map(|len| (format!("/{len}"), link(&"t".repeat(len))));
    let _ = check_without_backhand(&tree(nodes), &Options::default());
}

#[test]
fn more_fragment_blocks_and_inodes_than_fit_one_metadata_block_read_back() {
    // 600 files of nearly one 4 KiB block: 600 fragment blocks; 512 entries fill a metadata block.
    let nodes = (0..1200).map(|n| match n % 2 {
        0 => (format!("/files/{n}"), file([n.to_string().into_bytes(), text(4000)].concat())),
        _ => (format!("/dirs/{}/{}", n % 7, n), directory()),
    });
    let block_size = BlockSize::new(4096).unwrap();
    check(&tree(nodes), &Options { block_size, ..Options::default() });
}

#[test]
fn equal_files_are_stored_once() {
    let big = noise(300_000);
    let once = Image::of(&tree([("/a".to_owned(), file(big.clone()))]), &Options::default());
    let nodes = |n| [(format!("/{n}/big"), file(big.clone())), (format!("/{n}/small"), file(noise(9_999)))];
    let copies = tree((0..6).flat_map(nodes));
    check(&copies, &Options::default());
    assert!(Image::of(&copies, &Options::default()).packed.size < once.packed.size + 20_000);
}

#[test]
fn a_file_of_more_than_4_gib_reads_back() {
    const LEN: u64 = (4 << 30) + 10;
    let host = tempfile::NamedTempFile::new().unwrap();
    host.as_file().set_len(LEN).unwrap();
    host.as_file().write_all_at(b"start", 0).unwrap();
    host.as_file().write_all_at(b"end", LEN - 3).unwrap();
    let content = Content::Path { path: host.path().to_owned(), len: LEN };
    let options = Options { block_size: BlockSize::new(1 << 20).unwrap(), ..Options::default() };
    let image = Image::of(&tree([("/big".to_owned(), Node::File { mode: Mode::FILE, content })]), &options);

    let listed = readers::unsquashfs(&["-lln", image.path().to_str().unwrap()]);
    assert!(listed.contains(&format!(" {LEN} ")), "{listed}");
    must_be_root();
    let mounted = readers::Mounted::new(image.path());
    let big = File::open(mounted.path().join("big")).unwrap();
    assert_eq!(big.metadata().unwrap().len(), LEN);
    for (offset, bytes) in [(0, b"start\0\0\0"), (1 << 32, b"\0\0\0\0\0\0\0e"), (LEN - 8, b"\0\0\0\0\0end")] {
        let mut read = [0; 8];
        big.read_exact_at(&mut read, offset).unwrap();
        assert_eq!(&read, bytes, "at {offset}");
    }
}

#[test]
fn unsquashfs_names_the_options_that_the_image_was_made_with() {
    for level in [9, 15] {
        let options = Options { mtime: 86_400, level: Level::new(level).unwrap(), ..Options::default() };
        let image = Image::of(&mixed_tree(), &options);
        let about = readers::unsquashfs(&["-s", image.path().to_str().unwrap()]);
        let facts = [
            "Compression zstd",
            &format!("compression-level {level}"),
            "Block size 131072",
            "Xattrs are not stored",
            "Duplicates are removed",
            "Filesystem is exportable via NFS",
            "Number of ids 1",
        ];
        for fact in facts {
            assert!(about.contains(fact), "{fact} is not in\n{about}");
        }
        assert_eq!(readers::unsquashfs(&["-mkfs-time", image.path().to_str().unwrap()]).trim(), "86400");
    }
}

/// The digest that the image of [`mixed_tree`] had when this test was written. Whoever changes it changes the bytes of
/// every image that is built from then on (a new zstd does that too): say so in the commit.
const GOLDEN: &str = "sha256:7d80db72154eb9e7b97eb2fdce30c445916b8a3834bd11a72a1fe2fca2ba9fb1";

#[test]
fn the_bytes_of_an_image_do_not_change_unnoticed() {
    let image = Image::of(&mixed_tree(), &Options::default());
    assert_eq!(image.packed.digest.to_string(), GOLDEN);
}

#[test]
fn where_the_content_comes_from_does_not_change_the_bytes() {
    let contents = [("/a", text(200_000)), ("/b/c", noise(100)), ("/b/d", text(200_000)), ("/e", vec![])];
    let room = tempfile::tempdir().unwrap();
    let mut archive = tempfile::tempfile().unwrap();
    archive.write_all(b"header").unwrap();
    let mut places = Vec::new();
    for (n, (_, bytes)) in contents.iter().enumerate() {
        let (path, offset) = (room.path().join(n.to_string()), archive.stream_position().unwrap());
        std::fs::write(&path, bytes).unwrap();
        archive.write_all(bytes).unwrap();
        places.push((path, offset, bytes.len() as u64));
    }
    archive.write_all(b"trailer").unwrap();
    let archive = Arc::new(archive);

    let digest = |content: &dyn Fn(usize) -> Content| {
        let node = |n| Node::File { mode: Mode::FILE, content: content(n) };
        let order = [2, 0, 3, 1]; // of insertion: it does not matter either
        Image::of(&tree(order.map(|n| (contents[n].0.to_owned(), node(n)))), &Options::default())
            .packed
            .digest
    };
    let in_memory = digest(&|n| Content::Bytes(contents[n].1.clone()));
    let on_disk = digest(&|n| Content::Path { path: places[n].0.clone(), len: places[n].2 });
    let archived =
        digest(&|n| Content::Span { file: archive.clone(), offset: places[n].1, len: places[n].2 });
    assert_eq!((in_memory, in_memory), (on_disk, archived));
}

#[test]
fn a_file_that_changed_its_length_is_refused_by_name() {
    for (real, listed) in [(0, 1), (1, 0), (99_999, 100_000), (100_001, 100_000), (400_000, 300_000)] {
        let host = tempfile::NamedTempFile::new().unwrap();
        host.as_file().write_all_at(&text(real), 0).unwrap();
        let content = Content::Path { path: host.path().to_owned(), len: listed };
        let changed = tree([("/usr/f".to_owned(), Node::File { mode: Mode::FILE, content })]);
        let mut out = tempfile::tempfile().unwrap();
        match pack(&changed, &Options::default(), &mut out, &mut |_| {}) {
            Err(PackError::Read { path, .. }) => assert_eq!(path.as_str(), "/usr/f"),
            other => panic!("{real} bytes listed as {listed}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_changes_between_comparing_and_packing_is_refused_by_name() {
    let hosts = ["1111", "1111"].map(|bytes| {
        let host = tempfile::NamedTempFile::new().unwrap();
        host.as_file().write_all_at(bytes.as_bytes(), 0).unwrap();
        host
    });
    let content = |n: usize| Content::Path { path: hosts[n].path().to_owned(), len: 4 };
    let equal = tree([
        ("/a".to_owned(), file("this one is packed first")),
        ("/b".to_owned(), Node::File { mode: Mode::FILE, content: content(0) }),
        ("/c".to_owned(), Node::File { mode: Mode::FILE, content: content(1) }),
    ]);
    let mut change = |_| hosts[0].as_file().write_all_at(b"2222", 0).unwrap();
    let mut out = tempfile::tempfile().unwrap();
    match pack(&equal, &Options::default(), &mut out, &mut change) {
        Err(PackError::Changed { path }) => assert_eq!(path.as_str(), "/b"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_reported_is_true() {
    let mut out = tempfile::tempfile().unwrap();
    out.write_all(&[0xff; 2_000_000]).unwrap(); // longer than the image; nothing of it may stay
    let mut last = 0;
    let tree = mixed_tree();
    let packed = pack(&tree, &Options::default(), &mut out, &mut |done| {
        assert!(done > last, "{done} after {last}");
        last = done;
    })
    .unwrap();
    let mut bytes = Vec::new();
    out.seek(SeekFrom::Start(0)).unwrap();
    out.read_to_end(&mut bytes).unwrap();
    assert_eq!((packed.size, packed.digest), (bytes.len() as u64, spec::Digest::of(&bytes)));
    assert_eq!(packed.size % 4096, 0);
    assert_eq!((packed.facts, last), (tree.facts(), tree.facts().bytes));
}

fn any_node() -> impl Strategy<Value = Node> {
    let mode = (0u32..=0o777).prop_map(|bits| Mode::new(bits).unwrap());
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        (0usize..20_000).prop_map(text),
        (0usize..20_000).prop_map(noise),
        (0usize..20_000).prop_map(|len| vec![0; len]),
    ];
    prop_oneof![
        mode.clone().prop_map(|mode| Node::Directory { mode }),
        (mode, bytes).prop_map(|(mode, bytes)| Node::File { mode, content: Content::Bytes(bytes) }),
        "[a-z./]{1,20}".prop_map(|target| Node::Symlink { target }),
    ]
}

/// Random trees; nodes that do not fit to those before them are left out.
fn any_tree() -> impl Strategy<Value = Tree> {
    proptest::collection::vec(("(/[ab\u{e9}-]{1,3}){1,4}", any_node()), 0..60).prop_map(|nodes| {
        let mut tree = Tree::new();
        for (path, node) in nodes {
            let _ = tree.insert(path.parse().unwrap(), node);
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_reads_back(tree in any_tree(), block_log in 12u32..=14) {
        let block_size = BlockSize::new(1 << block_log).unwrap();
        let image = Image::of(&tree, &Options { block_size, ..Options::default() });
        prop_assert_eq!(readers::with_backhand(image.path()), readers::expected(&tree));
    }
}

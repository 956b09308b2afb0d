//! Packs trees of many shapes and has other people's readers say what is in the images.
//!
//! `backhand`, `unsquashfs`, `sqfs2tar` and the kernel read every image; only root may mount, so only root may run these.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use proptest::prelude::*;
use squash::{Content, Method, Mode, Node, Options, Tree};
use support::readers::{self, Contents};
use support::{
    Image, blocks_of, directory, file, hard_link, link, mixed_tree, must_be_root, noise, of_host, text, tree,
    with,
};

/// Every reader sees in the image what the tree says.
fn check(tree: &Tree, options: &Options) {
    let image = check_without_backhand(tree, options);
    same("backhand", readers::with_backhand(image.path()), readers::without_names(readers::expected(tree)));
}

fn check_without_backhand(tree: &Tree, options: &Options) -> Image {
    let image = Image::of(tree, options);
    let expected = readers::expected(tree);
    same("unsquashfs", readers::with_unsquashfs(image.path()), expected.clone());
    same("sqfs2tar", readers::with_sqfs2tar(image.path()), readers::without_names(expected.clone()));
    must_be_root();
    same("the kernel", readers::with_kernel(image.path()), expected);
    image
}

/// Compares what a reader saw with what is there, and shows the first difference only.
fn same(reader: &str, seen: Contents, expected: Contents) {
    for path in seen.keys().chain(expected.keys()) {
        assert_eq!(seen.get(path), expected.get(path), "{path} as {reader} sees it");
    }
}

#[test]
fn a_mixed_tree_reads_back_with_any_options() {
    for (mtime, method, level, block_size, verity) in [
        (0, Method::Zstd, 1, 4096, true),
        (1_700_000_000, Method::Zstd, 15, 128 << 10, false),
        (u32::MAX >> 1, Method::Zstd, 3, 1 << 20, true),
        (1, Method::Gzip, 9, 4096, true),
        (2, Method::Gzip, 1, 1 << 20, true),
        (3, Method::Xz, 6, 4096, true),
        (4, Method::Xz, 0, 1 << 20, true),
    ] {
        let compression = with(method, level);
        check(&mixed_tree(), &Options { mtime, compression, verity, ..blocks_of(block_size) });
    }
}

#[test]
fn lz4_reads_back() {
    // backhand is built without it.
    for block_size in [4096, 1 << 20] {
        let options = Options { compression: with(Method::Lz4, 0), ..blocks_of(block_size) };
        let _ = check_without_backhand(&mixed_tree(), &options);
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
    check(&tree(nodes), &blocks_of(BLOCK as u32));
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
    check(&tree(nodes), &blocks_of(4096));
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
    let content = of_host(host.path(), LEN);
    let options = blocks_of(1 << 20);
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
        let options = Options { mtime: 86_400, compression: with(Method::Zstd, level), ..Options::default() };
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

#[test]
fn hard_links_are_one_inode_with_several_names() {
    // The second name is before the file and in another directory.
    let nodes = [
        ("/z/file", file(noise(200_000))),
        ("/a/name", hard_link("/z/file")),
        ("/m/name", hard_link("/z/file")),
        ("/b", file("small")),
        ("/c", hard_link("/b")),
    ];
    let tree = tree(nodes.map(|(path, node)| (path.to_owned(), node)));
    let image = check_without_backhand(&tree, &Options::default());
    assert_eq!(image.packed.facts.inodes, 4 + 2);
    let mounted = readers::Mounted::new(image.path());
    let inode = |name: &str| mounted.path().join(name).metadata().unwrap().ino();
    assert_eq!((inode("a/name"), inode("m/name")), (inode("z/file"), inode("z/file")));
    assert_eq!(inode("b"), inode("c"));
}

#[test]
fn a_hard_link_is_found_however_far_the_number_of_its_file() {
    // A directory entry says the distance of inode numbers in 16 bits.
    let nodes = (0..40_000).map(|n| (format!("/m/{n:05}"), link("t")));
    let names =
        [("/z/file", file("far")), ("/m/00000x", hard_link("/z/file")), ("/m/20000x", hard_link("/z/file"))];
    let image =
        Image::of(&tree(nodes.chain(names.map(|(path, node)| (path.to_owned(), node)))), &Options::default());
    must_be_root();
    let mounted = readers::Mounted::new(image.path());
    for name in ["m/00000x", "m/20000x", "z/file"] {
        assert_eq!(std::fs::read(mounted.path().join(name)).unwrap(), b"far");
    }
    assert_eq!(std::fs::read_link(mounted.path().join("m/39999")).unwrap().to_str(), Some("t"));
}

#[test]
fn attributes_are_where_they_were_given_and_nowhere_else() {
    let mut tree = mixed_tree();
    let label = b"system_u:object_r:modules_object_t:s0\0";
    let given = [
        ("/usr/lib/modules/6.1.0/extra/a.ko", "security.selinux", label.to_vec()),
        ("/usr/lib/modules/6.1.0/extra/b.ko", "security.selinux", label.to_vec()),
        ("/usr/lib/firmware", "security.selinux", label.to_vec()),
        ("/usr/lib/firmware/g.bin", "security.selinux", label.to_vec()),
        ("/usr/bin/tool", "trusted.t", Vec::new()),
        ("/usr/bin/tool", "user.large", noise(3_000)),
    ];
    for (path, name, value) in &given {
        tree.set_attribute(&path.parse().unwrap(), name, value.clone()).unwrap();
    }
    for n in 0..600 {
        let path: spec::TreePath = format!("/many/{n}").parse().unwrap();
        tree.insert(path.clone(), file("")).unwrap();
        tree.set_attribute(&path, "user.number", n.to_string()).unwrap();
    }
    let image = check_without_backhand(&tree, &Options::default());
    let mounted = readers::Mounted::new(image.path());
    let get = |path: &str, name: &str| {
        let mut value = vec![0; 70_000];
        let path = mounted.path().join(path.trim_start_matches('/'));
        rustix::fs::lgetxattr(path, name, &mut value).map(|len| value[..len].to_vec())
    };
    for (path, name, value) in &given {
        assert_eq!(get(path, name).as_ref(), Ok(value), "{path} {name}");
    }
    assert_eq!(get("/many/599", "user.number"), Ok(b"599".to_vec()));
    assert_eq!(get("/usr/share/empty", "security.selinux"), Err(rustix::io::Errno::NODATA));
}

#[test]
fn two_hundred_thousand_files_read_back() {
    let nodes = (0..200_000).map(|n| (format!("/{}/{}/{n}", n % 7, n % 1009), file(format!("{}", n % 5000))));
    let image = Image::of(&tree(nodes), &Options::default());
    must_be_root();
    let mounted = readers::Mounted::new(image.path());
    for n in (0..200_000).step_by(997) {
        let path = mounted.path().join(format!("{}/{}/{n}", n % 7, n % 1009));
        assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{}", n % 5000));
    }
    let listed = std::fs::read_dir(mounted.path().join("3/500")).unwrap().count();
    assert_eq!(listed, (0..200_000).filter(|n| n % 7 == 3 && n % 1009 == 500).count());
    assert!(image.packed.size < 8 << 20, "5,000 contents are stored once each: {}", image.packed.size);
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
        "(/[ab\u{e9}-]{1,3}){1,2}".prop_map(|target| Node::HardLink { target: target.parse().unwrap() }),
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
        let image = Image::of(&tree, &blocks_of(1 << block_log));
        let expected = readers::expected(&tree);
        same("unsquashfs", readers::with_unsquashfs(image.path()), expected.clone());
        same("backhand", readers::with_backhand(image.path()), readers::without_names(expected));
    }
}

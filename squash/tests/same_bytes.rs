//! The bytes of an image depend on its tree and options, and on nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::sync::Arc;

use proptest::prelude::*;
use squash::{Cache, Content, Means, Method, Mode, Node, Options, Tree, pack};
use support::{Image, blocks_of, file, mixed_tree, noise, of_host, text, tree, with};

/// The digest that the image of [`mixed_tree`] had when this test was written. Whoever changes it changes the bytes of
/// every image that is built from then on (a new zstd does that too): say so in the commit.
const GOLDEN: &str = "sha256:c794b8aa9fad7748e0859bdb397d934781752d80c5609889a6fc691eb7019688";

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
    let on_disk = digest(&|n| of_host(&places[n].0, places[n].2));
    let archived =
        digest(&|n| Content::Span { file: archive.clone(), offset: places[n].1, len: places[n].2 });
    assert_eq!((in_memory, in_memory), (on_disk, archived));
}

#[test]
fn what_is_reported_is_true() {
    let mut out = tempfile::tempfile().unwrap();
    out.write_all(&[0xff; 2_000_000]).unwrap(); // longer than the image; nothing of it may stay
    let mut last = 0;
    let tree = mixed_tree();
    let packed = pack(&tree, &Options::default(), Means::of_this_machine(), &mut out, &mut |done| {
        assert!(done >= last, "{done} after {last}");
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

/// Files of all sizes around a block of 4 KiB, some of them equal.
fn many_files(count: usize) -> Tree {
    tree((0..count).map(|n| {
        let bytes = match n % 5 {
            0 => text(n * 97 % 30_000),
            1 => noise(n * 31 % 9_000),
            2 => vec![0; n * 53 % 20_000],
            _ => text(n % 7 * 1000),
        };
        (format!("/{}/{n}", n % 11), file(bytes))
    }))
}

fn threads(threads: usize) -> Means<'static> {
    Means { threads: NonZero::new(threads).unwrap(), cache: None }
}

#[test]
fn the_number_of_threads_does_not_change_the_bytes() {
    let tree = many_files(500);
    for method in [Method::Zstd, Method::Gzip, Method::Xz, Method::Lz4] {
        let options =
            Options { compression: with(method, u8::from(method != Method::Lz4)), ..blocks_of(4096) };
        let digests = [1, 2, 3, 16].map(|count| Image::by(&tree, &options, threads(count)).packed);
        assert_eq!(digests, [digests[0]; 4], "{method}");
    }
}

#[test]
fn a_cache_changes_nothing_but_the_work() {
    let room = tempfile::tempdir().unwrap();
    let options = blocks_of(4096);
    let without = Image::by(&many_files(300), &options, threads(2)).packed;
    for limit in [0, 100_000, Cache::LIMIT] {
        let cache = Cache::open(&room.path().join(limit.to_string()), limit).unwrap();
        for _ in 0..3 {
            let means = Means { cache: Some(&cache), ..threads(2) };
            assert_eq!(Image::by(&many_files(300), &options, means).packed, without);
        }
    }
}

/// Every file of the cache.
fn entries(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let shards = std::fs::read_dir(dir).unwrap().map(|shard| shard.unwrap().path());
    shards.flat_map(|shard| std::fs::read_dir(shard).unwrap().map(|entry| entry.unwrap().path())).collect()
}

#[test]
fn after_one_change_only_the_blocks_around_it_are_new() {
    let room = tempfile::tempdir().unwrap();
    let cache = Cache::open(room.path(), Cache::LIMIT).unwrap();
    let means = Means { cache: Some(&cache), ..threads(2) };
    let options = blocks_of(4096);
    let files = |changed: &str| {
        let files = (0..2000).map(|n| (format!("/d/{n}"), file(text(200 + n * 7 % 1500))));
        tree(files.chain([("/d/1000x".to_owned(), file(changed)), ("/big".to_owned(), file(noise(100_000)))]))
    };
    let _ = Image::by(&files("short"), &options, means);
    let before = entries(room.path()).len();
    let _ = Image::by(&files("a little longer than before"), &options, means);
    let new = entries(room.path()).len() - before;
    assert!(before > 400 && (1..10).contains(&new), "{new} of {before} blocks are new");
}

#[test]
fn a_damaged_cache_changes_nothing() {
    let room = tempfile::tempdir().unwrap();
    let cache = Cache::open(room.path(), Cache::LIMIT).unwrap();
    let means = Means { cache: Some(&cache), ..threads(2) };
    let packed = Image::by(&mixed_tree(), &blocks_of(4096), means).packed;
    for (n, path) in entries(room.path()).into_iter().enumerate() {
        let mut bytes = std::fs::read(&path).unwrap();
        match n % 3 {
            0 => bytes.truncate(bytes.len() / 2),
            1 => *bytes.last_mut().unwrap() ^= 1,
            _ => bytes.fill(0),
        }
        std::fs::write(&path, bytes).unwrap();
    }
    assert_eq!(Image::by(&mixed_tree(), &blocks_of(4096), means).packed, packed);
}

#[test]
fn builds_may_share_a_cache_at_the_same_time() {
    let room = tempfile::tempdir().unwrap();
    let expected = Image::by(&many_files(200), &blocks_of(4096), threads(1)).packed;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // So small that each build also removes what the others use.
                let cache = Cache::open(room.path(), 200_000).unwrap();
                let means = Means { cache: Some(&cache), ..threads(2) };
                assert_eq!(Image::by(&many_files(200), &blocks_of(4096), means).packed, expected);
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_count_of_threads_and_no_cache_changes_any_tree(count in 1usize..200, workers in 1usize..6) {
        let room = tempfile::tempdir().unwrap();
        let cache = Cache::open(room.path(), 50_000).unwrap();
        let plain = Image::by(&many_files(count), &blocks_of(8192), threads(1)).packed;
        for _ in 0..2 {
            let means = Means { cache: Some(&cache), ..threads(workers) };
            prop_assert_eq!(Image::by(&many_files(count), &blocks_of(8192), means).packed, plain);
        }
    }
}

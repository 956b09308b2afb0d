//! Trees and images for the tests of the writer.

#![allow(dead_code, reason = "not every test uses everything")]

pub(crate) mod readers;

use std::path::Path;
use std::sync::Arc;

use squash::{BlockSize, Compression, Content, Means, Method, Mode, Node, Options, Packed, Tree, pack};

pub(crate) fn directory() -> Node {
    Node::Directory { mode: Mode::DIRECTORY }
}

pub(crate) fn file(bytes: impl Into<Vec<u8>>) -> Node {
    Node::File { mode: Mode::FILE, content: Content::Bytes(bytes.into()) }
}

/// The content of a file of the host.
pub(crate) fn of_host(path: &Path, len: u64) -> Content {
    Content::Path { dir: Arc::new("/".into()), path: path.to_str().unwrap().parse().unwrap(), len }
}

pub(crate) fn link(target: &str) -> Node {
    Node::Symlink { target: target.to_owned() }
}

pub(crate) fn tree(nodes: impl IntoIterator<Item = (String, Node)>) -> Tree {
    let mut tree = Tree::new();
    for (path, node) in nodes {
        tree.insert(path.parse().unwrap(), node).unwrap();
    }
    tree
}

/// Bytes that do not compress (xorshift64*).
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn text(len: usize) -> Vec<u8> {
    (0..).flat_map(|n| format!("line {n}\n").into_bytes()).take(len).collect()
}

pub(crate) struct Image {
    file: tempfile::NamedTempFile,
    pub(crate) packed: Packed,
}

impl Image {
    pub(crate) fn of(tree: &Tree, options: &Options) -> Image {
        Image::by(tree, options, Means::of_this_machine())
    }

    pub(crate) fn by(tree: &Tree, options: &Options, means: Means<'_>) -> Image {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let packed = pack(tree, options, means, file.as_file_mut(), &mut |_| {}).unwrap();
        Image { file, packed }
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}

/// The kernel is the reader that counts. A test that cannot ask it must not pass.
pub(crate) fn must_be_root() {
    assert!(rustix::process::geteuid().is_root(), "only root may mount an image: run the tests as root");
}

/// A bit of everything: what an extension looks like.
pub(crate) fn mixed_tree() -> Tree {
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

/// Compression with a method and a level.
pub(crate) fn with(method: Method, level: u8) -> Compression {
    Compression::new(method, Some(level)).unwrap()
}

/// Options with another block size.
pub(crate) fn blocks_of(bytes: u32) -> Options {
    Options { block_size: BlockSize::new(bytes).unwrap(), ..Options::default() }
}

/// A file and other names of it.
pub(crate) fn hard_link(target: &str) -> Node {
    Node::HardLink { target: target.parse().unwrap() }
}

//! Sound images.

use std::error::Error;
use std::fs;

use squash::{BlockSize, Compression, Content, Means, Method, Mode, Node, Options, Tree};

/// Images of one tree with each compression, and one with nothing in it.
pub(super) fn images() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let methods = [Method::Zstd, Method::Gzip, Method::Xz, Method::Lz4];
    let mut images = vec![image(&Tree::new(), &Options::default())?];
    for (method, verity) in methods.into_iter().zip([true, false, false, false]) {
        let (compression, block_size) = (Compression::new(method, None)?, BlockSize::new(4096)?);
        images.push(image(&tree()?, &Options { compression, block_size, verity, ..Options::default() })?);
    }
    Ok(images)
}

fn image(tree: &Tree, options: &Options) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = tempfile::NamedTempFile::new()?;
    squash::pack(tree, options, Means::of_this_machine(), file.as_file_mut(), &mut |_| {})?;
    Ok(fs::read(file.path())?)
}

fn tree() -> Result<Tree, Box<dyn Error>> {
    let file = |bytes: Vec<u8>| Node::File { mode: Mode::FILE, content: Content::Bytes(bytes) };
    let nodes = [
        ("/usr/small", file(b"small".to_vec())),
        ("/usr/large", file((0..3000u32).flat_map(u32::to_le_bytes).collect())),
        ("/usr/zeros", file(vec![0; 9000])),
        ("/usr/again", Node::HardLink { target: "/usr/small".parse()? }),
        ("/usr/link", Node::Symlink { target: "small".to_owned() }),
        ("/usr/empty/dir", Node::Directory { mode: Mode::DIRECTORY }),
    ];
    let mut tree = Tree::new();
    for (path, node) in nodes {
        tree.insert(path.parse()?, node)?;
    }
    tree.set_attribute(&"/usr/small".parse()?, "user.a", "b")?;
    Ok(tree)
}

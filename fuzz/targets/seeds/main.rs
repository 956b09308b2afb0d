//! Writes small sound inputs for every target into DIR/TARGET, for the fuzzer to start from.

mod kernels;
mod modules;

use std::error::Error;
use std::fs;
use std::path::Path;

use squash::{BlockSize, Compression, Content, Means, Method, Mode, Node, Options, Tree};
use tar::{EntryType, Header};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: fuzz-seeds DIR")?;
    let dir = Path::new(&dir);
    write(&dir.join("image"), images()?)?;
    let archives = archives()?;
    write(&dir.join("deb"), archives.iter().map(|archive| deb(archive)).collect())?;
    write(&dir.join("tar"), archives)?;
    write(&dir.join("vmlinuz"), kernels::images()?)?;
    write(&dir.join("profile"), kernels::profiles()?)?;
    let modules = modules::modules()?;
    write(&dir.join("record"), modules::records(&modules)?)?;
    write(&dir.join("module"), modules)
}

fn write(dir: &Path, seeds: Vec<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(dir.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

/// Images of one tree with each compression, and one with nothing in it.
fn images() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
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

/// Archives with old, GNU and pax headers; the last also as its own compressed stream.
fn archives() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let headers: [fn() -> Header; 3] = [Header::new_old, Header::new_ustar, Header::new_gnu];
    let mut archives = Vec::new();
    for header in headers {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |kind, name: &str, link: Option<&str>, bytes: &[u8]| {
            let mut header = header();
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(bytes.len() as u64);
            match link {
                Some(link) => builder.append_link(&mut header, name, link),
                None => builder.append_data(&mut header, name, bytes),
            }
        };
        add(EntryType::Directory, "usr/", None, b"")?;
        add(EntryType::Regular, "usr/file", None, b"content")?;
        add(EntryType::Link, "usr/again", Some("usr/file"), b"")?;
        add(EntryType::Symlink, "usr/link", Some("file"), b"")?;
        archives.push(builder.into_inner()?);
    }
    archives.push(pax()?);
    let gnu = archives[2].clone();
    archives.push(zstd(&gnu)?);
    Ok(archives)
}

fn pax() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([
        ("path", b"usr/from-pax".as_slice()),
        ("mtime", b"1.5"),
        ("comment", b"x"),
    ])?;
    let mut header = Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(7);
    builder.append_data(&mut header, "usr/file", b"content".as_slice())?;
    builder.append_pax_extensions([
        ("GNU.sparse.major", b"1".as_slice()),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"usr/sparse"),
        ("GNU.sparse.realsize", b"10000"),
    ])?;
    let map = [b"1\n9000\n4\n".as_slice(), &[0; 503], b"data"].concat();
    header.set_size(map.len() as u64);
    builder.append_data(&mut header, "usr/GNUSparseFile.0/sparse", map.as_slice())?;
    Ok(builder.into_inner()?)
}

/// The bytes in a zstd frame with one raw block, which needs no compressor (RFC 8878, section 3.1.1).
fn zstd(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let size = u32::try_from(bytes.len())?;
    // A frame of a single segment with its size in four bytes, then the last block, which is raw.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(size.to_le_bytes());
    frame.extend(&(size << 3 | 1).to_le_bytes()[..3]);
    frame.extend(bytes);
    Ok(frame)
}

/// A package around an archive: deb(5) and ar(5).
fn deb(archive: &[u8]) -> Vec<u8> {
    let kind = if archive.starts_with(&[0x28, 0xb5]) { "data.tar.zst" } else { "data.tar" };
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", b"2.0\n".as_slice()), ("control.tar", b""), (kind, archive)] {
        let len = content.len();
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{len:<10}`\n", 0, 0, 0, 100644).into_bytes());
        bytes.extend(content);
        bytes.extend(vec![b'\n'; len % 2]);
    }
    bytes
}

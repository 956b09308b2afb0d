//! Readers that share no code with the writer, each turning an image into the same simple description.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use backhand::{FilesystemReader, InnerNode};
use spec::{Digest, Hasher, TreePath};
use squash::{Node, Tree};
use tar::EntryType;

/// What is at a path. Content is shown by its digest, so that a difference can be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Directory { mode: u32 },
    File { mode: u32, len: u64, digest: Digest, names: u64 },
    Symlink { target: String },
}

pub(crate) type Contents = BTreeMap<String, Seen>;

/// What a reader ought to see.
pub(crate) fn expected(tree: &Tree) -> Contents {
    let mut names: BTreeMap<&TreePath, u64> = BTreeMap::new();
    for (path, node) in tree.iter() {
        *names.entry(file_of(path, node)).or_default() += 1;
    }
    let seen = |path: &TreePath| match tree.get(path).unwrap() {
        Node::Directory { mode } => Seen::Directory { mode: mode.bits().into() },
        Node::File { mode, content } => file(mode.bits().into(), content.open().unwrap(), names[path]),
        Node::Symlink { target } => Seen::Symlink { target: target.clone() },
        Node::HardLink { .. } => unreachable!("a hard link leads to a file"),
    };
    tree.iter().map(|(path, node)| (path.as_str().to_owned(), seen(file_of(path, node)))).collect()
}

/// The path whose node tells what is at a path.
fn file_of<'a>(path: &'a TreePath, node: &'a Node) -> &'a TreePath {
    match node {
        Node::HardLink { target } => target,
        _ => path,
    }
}

/// What a reader sees that does not know of hard links.
pub(crate) fn without_names(mut contents: Contents) -> Contents {
    for seen in contents.values_mut() {
        if let Seen::File { names, .. } = seen {
            *names = 1;
        }
    }
    contents
}

fn file(mode: u32, mut content: impl Read, names: u64) -> Seen {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut len = 0;
    loop {
        match content.read(&mut buffer).unwrap() {
            0 => return Seen::File { mode, len, digest: hasher.finish(), names },
            count => {
                hasher.update(&buffer[..count]);
                len += count as u64;
            }
        }
    }
}

/// Reads the image with the crate `backhand`.
pub(crate) fn with_backhand(image: &Path) -> Contents {
    let reader = FilesystemReader::from_reader(BufReader::new(File::open(image).unwrap())).unwrap();
    let mut contents = Contents::new();
    for node in reader.files() {
        assert_eq!((node.header.uid, node.header.gid), (0, 0), "{:?}", node.fullpath);
        assert_eq!(node.header.mtime, reader.mod_time, "{:?}", node.fullpath);
        let mode = u32::from(node.header.permissions) & 0o7777;
        let seen = match &node.inner {
            InnerNode::Dir(_) => Seen::Directory { mode },
            InnerNode::File(inner) => file(mode, reader.file(inner).reader(), 1),
            InnerNode::Symlink(link) => Seen::Symlink { target: link.link.to_str().unwrap().to_owned() },
            other => panic!("{:?} is {other:?}", node.fullpath),
        };
        contents.insert(node.fullpath.to_str().unwrap().to_owned(), seen);
    }
    contents
}

/// Unpacks the image with `unsquashfs` and reads the result.
pub(crate) fn with_unsquashfs(image: &Path) -> Contents {
    let room = tempfile::tempdir().unwrap();
    let unpacked = room.path().join("unpacked");
    unsquashfs(&["-no-progress", "-quiet", "-dest", unpacked.to_str().unwrap(), image.to_str().unwrap()]);
    from_directory(&unpacked)
}

/// Runs `unsquashfs` and returns what it printed.
pub(crate) fn unsquashfs(arguments: &[&str]) -> String {
    run("unsquashfs", "squashfs-tools", arguments)
}

/// Turns the image into a tar archive with `sqfs2tar` and reads that. Other names of a file are files of their own here,
/// and so is the root a directory that needs no entry.
pub(crate) fn with_sqfs2tar(image: &Path) -> Contents {
    let mut child =
        Command::new("sqfs2tar").arg(image).stdout(Stdio::piped()).spawn().expect("squashfs-tools-ng");
    let mut archive = tar::Archive::new(BufReader::new(child.stdout.take().unwrap()));
    let mut contents = Contents::from([("/".to_owned(), Seen::Directory { mode: 0o755 })]);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let path = format!("/{}", path.trim_matches('/'));
        let mode = entry.header().mode().unwrap();
        let target = entry.link_name_bytes().map(|target| String::from_utf8(target.into_owned()).unwrap());
        let seen = match (entry.header().entry_type(), target) {
            (EntryType::Directory, _) => Seen::Directory { mode },
            (EntryType::Symlink, Some(target)) => Seen::Symlink { target },
            (EntryType::Link, Some(target)) => contents[&format!("/{}", target.trim_matches('/'))].clone(),
            (_, _) => file(mode, &mut entry, 1),
        };
        contents.insert(path, seen);
    }
    assert!(child.wait().unwrap().success());
    contents
}

/// Mounts the image and reads it through the kernel, which looks every path up by its name.
pub(crate) fn with_kernel(image: &Path) -> Contents {
    let mounted = Mounted::new(image);
    let root = fs::metadata(mounted.path()).unwrap();
    check_inodes(mounted.path(), root.mtime());
    from_directory(mounted.path())
}

/// Owner, time and link count, which only a mounted image shows as they are.
fn check_inodes(directory: &Path, mtime: i64) {
    let mut subdirectories = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mtime()), (0, 0, mtime), "{path:?}");
        if metadata.is_dir() {
            subdirectories += 1;
            check_inodes(&path, mtime);
        }
    }
    assert_eq!(fs::metadata(directory).unwrap().nlink(), 2 + subdirectories, "{directory:?}");
}

/// A read-only loop mount that ends with its value, also when a test fails.
pub(crate) struct Mounted(tempfile::TempDir);

impl Mounted {
    pub(crate) fn new(image: &Path) -> Mounted {
        let mounted = Mounted(tempfile::tempdir().unwrap());
        let (image, at) = (image.to_str().unwrap(), mounted.path().to_str().unwrap());
        run("mount", "mount", &["-t", "squashfs", "-o", "loop,ro", image, at]);
        mounted
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        let gone = unmounted.is_ok_and(|status| status.success());
        assert!(gone || std::thread::panicking(), "{:?} is still mounted", self.path());
    }
}

fn run(program: &str, package: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = match Command::new(program).args(arguments).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            panic!("{program} is missing: install the Debian package {package}")
        }
        output => output.unwrap(),
    };
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{program} {arguments:?}: {status}: {stderr}");
    String::from_utf8(stdout).unwrap()
}

fn from_directory(root: &Path) -> Contents {
    let mut contents = Contents::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        let seen = if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Seen::Directory { mode }
        } else if metadata.is_symlink() {
            Seen::Symlink { target: fs::read_link(&path).unwrap().to_str().unwrap().to_owned() }
        } else {
            assert!(metadata.is_file(), "{path:?}");
            file(mode, File::open(&path).unwrap(), metadata.nlink())
        };
        let inside = path.strip_prefix(root).unwrap().to_str().unwrap();
        contents.insert(format!("/{inside}"), seen);
    }
    contents
}

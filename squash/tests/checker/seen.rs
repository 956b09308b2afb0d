//! What is in an image, as the checker and as the kernel see it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use spec::{Digest, Hasher};
use squash::image::{Entry, Image, Kind, Special};

/// All that can be known about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    what: What,
    mode: u32,
    owner: (u32, u32),
    mtime: i64,
    inode: u64,
    links: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Directory,
    File { size: u64, digest: Digest },
    Symlink { target: String },
    BlockDevice { number: (u32, u32) },
    CharacterDevice { number: (u32, u32) },
    Fifo,
    Socket,
}

/// By path. Those who compare print the first difference, as there may be thousands.
pub(crate) type Contents = BTreeMap<String, Seen>;

pub(crate) fn assert_same(ours: &Contents, theirs: &Contents) {
    for path in ours.keys().chain(theirs.keys()) {
        assert_eq!(ours.get(path), theirs.get(path), "{path}");
    }
    assert!(ours.len() > 1, "there is something in it");
}

/// With the checker.
pub(crate) fn by_checker(image: &Image) -> Contents {
    let mut reader = image.reader().unwrap();
    let mut seen = |entry: Entry<'_>| {
        let what = match entry.kind() {
            Kind::Directory => What::Directory,
            Kind::File { size } => {
                let mut digest = Digesting(Hasher::new());
                let path = entry.path().unwrap();
                // Each way is taken: by one reader for all, and by one for each.
                let written = reader.stream(&path, &mut digest).unwrap();
                assert_eq!(written, size, "{path}");
                What::File { size, digest: digest.0.finish() }
            }
            Kind::Symlink { target } => What::Symlink { target: target.into_owned() },
            Kind::Special(Special::BlockDevice(device)) => {
                What::BlockDevice { number: (device.major, device.minor) }
            }
            Kind::Special(Special::CharacterDevice(device)) => {
                What::CharacterDevice { number: (device.major, device.minor) }
            }
            Kind::Special(Special::Fifo) => What::Fifo,
            Kind::Special(Special::Socket) => What::Socket,
        };
        Seen {
            what,
            mode: entry.mode().into(),
            owner: (entry.uid().unwrap(), entry.gid().unwrap()),
            mtime: entry.mtime().into(),
            inode: entry.inode_number().into(),
            links: entry.links().into(),
        }
    };
    let contents: Vec<_> = image.entries().map(|entry| (entry.path().unwrap(), seen(entry))).collect();
    assert!(contents.is_sorted_by(|(a, _), (b, _)| a < b), "entries are in the order of paths");
    contents.into_iter().map(|(path, seen)| (path.to_string(), seen)).collect()
}

/// With the kernel, mounted.
pub(crate) fn by_kernel(image: &Path) -> Contents {
    let mounted = Mounted::new(image);
    let mut contents = Contents::new();
    let mut waiting = vec![mounted.0.path().to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let kind = metadata.file_type();
        let number = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
        let what = if kind.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            What::Directory
        } else if kind.is_file() {
            let mut digest = Digesting(Hasher::new());
            let size = io::copy(&mut File::open(&path).unwrap(), &mut digest).unwrap();
            assert_eq!(size, metadata.len());
            What::File { size, digest: digest.0.finish() }
        } else if kind.is_symlink() {
            What::Symlink { target: fs::read_link(&path).unwrap().into_os_string().into_string().unwrap() }
        } else if kind.is_block_device() {
            What::BlockDevice { number }
        } else if kind.is_char_device() {
            What::CharacterDevice { number }
        } else if kind.is_fifo() {
            What::Fifo
        } else {
            What::Socket
        };
        let seen = Seen {
            what,
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            mtime: metadata.mtime(),
            inode: metadata.ino(),
            links: metadata.nlink(),
        };
        contents.insert(inside(&path, mounted.0.path()), seen);
    }
    contents
}

fn inside(path: &Path, root: &Path) -> String {
    format!("/{}", path.strip_prefix(root).unwrap().to_str().unwrap())
}

struct Digesting(Hasher);

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A read-only loop mount that ends with its value, also when a test fails.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(image: &Path) -> Mounted {
        assert!(rustix::process::geteuid().is_root(), "only root may mount an image: run the tests as root");
        let room = tempfile::tempdir().unwrap();
        run(Command::new("mount").args(["-t", "squashfs", "-o", "loop,ro"]).arg(image).arg(room.path()));
        Mounted(room)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        let gone = unmounted.is_ok_and(|status| status.success());
        assert!(gone || std::thread::panicking(), "{:?} is still mounted", self.0.path());
    }
}

pub(crate) fn run(command: &mut Command) {
    let output = match command.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            panic!("{:?} is missing: run `cargo xtask test`, which installs it", command.get_program())
        }
        output => output.unwrap(),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {stderr}", output.status);
}

/// A directory that tests of this program use for large things.
pub(crate) fn real_kernel() -> PathBuf {
    let inputs = std::env::var("TENON_INPUTS");
    let inputs = inputs.unwrap_or_else(|_| panic!("TENON_INPUTS is not set: run `cargo xtask test`"));
    Path::new(&inputs).join("kernel")
}

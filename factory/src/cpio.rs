//! Archives in the `newc` form of cpio, which is how the kernel takes an initramfs.
//!
//! Format: linux/Documentation/driver-api/early-userspace/buffer-format.rst. Every header is the magic and thirteen
//! numbers of eight hex digits; header with name, and content, are each padded to four bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use spec::TreePath;

/// What an archive holds. The order of the paths puts a directory before what is in it, which the kernel needs.
pub type Entries = BTreeMap<TreePath, Entry>;

/// One thing in an archive; all belong to root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory that everybody may read.
    Directory,
    /// A file that everybody may read.
    File(Vec<u8>),
    /// A file that everybody may run.
    Program(Vec<u8>),
    /// A character device that only root may use.
    CharacterDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// `c_magic` of `newc` without checksums.
const MAGIC: &str = "070701";
/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";
/// Types of files in `c_mode` (POSIX, sys/stat.h).
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFCHR: u32 = 0o020_000;

/// Writes an archive. Equal entries give equal bytes: inodes are numbered in order and every time is 0.
///
/// # Errors
/// Whatever `out` fails with; [`io::ErrorKind::InvalidInput`] for a file of 4 GiB or more, which the format cannot say.
pub fn write(entries: &Entries, out: &mut impl Write) -> io::Result<()> {
    for (inode, (path, entry)) in (1..).zip(entries) {
        write_entry(inode, path.relative(), entry, out)?;
    }
    write_header(&Header { nlink: 1, ..Header::default() }, TRAILER, out)
}

fn write_entry(inode: u32, name: &str, entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let (mode, nlink, content): (u32, u32, &[u8]) = match entry {
        Entry::Directory => (S_IFDIR | 0o755, 2, &[]),
        Entry::File(content) => (S_IFREG | 0o644, 1, content),
        Entry::Program(content) => (S_IFREG | 0o755, 1, content),
        Entry::CharacterDevice { .. } => (S_IFCHR | 0o600, 1, &[]),
    };
    let device = match entry {
        Entry::CharacterDevice { major, minor } => (*major, *minor),
        _ => (0, 0),
    };
    let size = u32::try_from(content.len()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("/{name} has 4 GiB or more; cpio cannot hold it"))
    })?;
    write_header(&Header { inode, mode, nlink, size, device }, name, out)?;
    out.write_all(content)?;
    pad(content.len(), out)
}

#[derive(Default)]
struct Header {
    inode: u32,
    mode: u32,
    nlink: u32,
    size: u32,
    /// Major and minor number of the device that the entry is.
    device: (u32, u32),
}

fn write_header(header: &Header, name: &str, out: &mut impl Write) -> io::Result<()> {
    let Header { inode, mode, nlink, size, device } = *header;
    let name_size = name.len() as u32 + 1; // a path has less than 4096 bytes; one NUL ends it
    let (uid, gid, mtime, holder, checksum) = (0, 0, 0, (0, 0), 0);
    let mut text = MAGIC.to_owned();
    for number in [
        inode, mode, uid, gid, nlink, mtime, size, holder.0, holder.1, device.0, device.1, name_size,
        checksum,
    ] {
        text += &format!("{number:08x}");
    }
    text += name;
    text.push('\0');
    out.write_all(text.as_bytes())?;
    pad(text.len(), out)
}

/// Fills up to a multiple of four after `length` bytes.
fn pad(length: usize, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 3][..length.next_multiple_of(4) - length])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    fn entries() -> Entries {
        [
            ("/init", Entry::Program(b"odd".to_vec())),
            ("/dev", Entry::Directory),
            ("/dev/console", Entry::CharacterDevice { major: 5, minor: 1 }),
            ("/tenon", Entry::Directory),
            ("/tenon/empty", Entry::File(Vec::new())),
            ("/tenon/data", Entry::File((0..=255).collect())),
            ("/tenon-after", Entry::Directory),
        ]
        .map(|(path, entry)| (path.parse().unwrap(), entry))
        .into()
    }

    fn archive() -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&entries(), &mut bytes).unwrap();
        bytes
    }

    /// Runs GNU cpio over the archive in `directory`.
    fn cpio(options: &[&str], directory: &Path) -> String {
        let mut child = Command::new("cpio")
            .args(options)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&archive()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn gnu_cpio_lists_the_entries_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let names = cpio(&["-t", "--quiet"], directory.path());
        assert_eq!(
            names.lines().collect::<Vec<_>>(),
            ["dev", "dev/console", "init", "tenon", "tenon/data", "tenon/empty", "tenon-after"]
        );
        let long = cpio(&["-tvn", "--quiet"], directory.path());
        let console = long.lines().find(|line| line.ends_with("dev/console")).unwrap();
        assert!(console.starts_with("crw-------"), "{console}");
        assert!(console.contains("5,   1"), "{console}");
    }

    #[test]
    fn gnu_cpio_unpacks_the_same_content() {
        let directory = tempfile::tempdir().unwrap();
        cpio(&["-i", "--quiet", "--nonmatching", "dev/console"], directory.path());
        for (path, entry) in entries() {
            let file = directory.path().join(path.relative());
            match entry {
                Entry::Directory => assert!(file.is_dir(), "{path}"),
                Entry::File(content) => {
                    assert_eq!(std::fs::read(&file).unwrap(), content, "{path}");
                    assert_eq!(file.metadata().unwrap().mode(), S_IFREG | 0o644, "{path}");
                }
                Entry::Program(content) => {
                    assert_eq!(std::fs::read(&file).unwrap(), content, "{path}");
                    assert_eq!(file.metadata().unwrap().mode(), S_IFREG | 0o755, "{path}");
                }
                Entry::CharacterDevice { .. } => assert!(!file.exists(), "left out: only root can make it"),
            }
        }
    }

    #[test]
    fn the_header_is_the_one_of_the_kernel_document() {
        let mut bytes = Vec::new();
        let one: Entries = [("/a".parse().unwrap(), Entry::File(b"x".to_vec()))].into();
        write(&one, &mut bytes).unwrap();
        let wanted =
            "070701 00000001 000081a4 00000000 00000000 00000001 00000000 00000001 00000000 00000000 \
                      00000000 00000000 00000002 00000000"
                .replace(' ', "");
        assert_eq!(&bytes[..112], format!("{wanted}a\0").as_bytes());
        assert_eq!(&bytes[112..116], b"x\0\0\0");
        assert!(bytes.len().is_multiple_of(4));
    }
}

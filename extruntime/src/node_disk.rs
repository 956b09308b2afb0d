//! The disk on which a node keeps its sets: the ext4 file system whose label is ours.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::mount::MountFlags;
use spec::sentence;

use crate::choice::Node;
use crate::cmdline::Arguments;
use crate::log::Log;
use crate::medium;
use crate::mounts;
use crate::offer::system::BOOT_STATE;

/// Where the disk is mounted.
const DISK: &str = "/run/tenon/disk";
/// The superblock of ext2 and its successors is 1024 bytes from the start of the device (fs/ext4/ext4.h, `struct
/// ext4_super_block`); its magic number is 0xef53 at 0x38, and its label 16 bytes at 0x78.
const SUPERBLOCK: u64 = 1024;
const MAGIC: std::ops::Range<usize> = 0x38..0x3a;
const LABEL: std::ops::Range<usize> = 0x78..0x88;

/// Opens what the node keeps, if the kernel command line names a disk for that. Without the disk, or where it is damaged,
/// the medium has to do: that is said, and no reason not to boot.
pub(crate) fn open(arguments: &Arguments, log: &Log) -> Option<Node> {
    let label = arguments.state.as_deref()?;
    log.say(&format!("looking for the file system {label}"));
    let device =
        match medium::wait_for(|device| label_of(device).as_deref() == Some(label), arguments.timeout) {
            Ok(device) => device,
            Err(_) => {
                log.say(&format!(
                    "warning: no device has the file system {label}, so no set that was kept can run"
                ));
                return None;
            }
        };
    let opened = mount(&device)
        .map_err(|error| sentence(&error))
        .and_then(|dir| Node::open(&dir).map_err(|error| sentence(&error)));
    match opened {
        Ok(node) => Some(node),
        Err(error) => {
            log.say(&format!("warning: no set that was kept can run: {error}"));
            None
        }
    }
}

fn mount(device: &Path) -> Result<PathBuf, crate::cannot::Cannot> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mounts::disk(device, Path::new(DISK), "ext4", flags)?;
    let dir = PathBuf::from(BOOT_STATE);
    mounts::make_directory(&dir)?;
    Ok(dir)
}

/// The label of the file system on a device, if it is one of this family.
fn label_of(device: &Path) -> Option<String> {
    let file = File::open(device).ok()?;
    let mut superblock = [0; 1024];
    file.read_exact_at(&mut superblock, SUPERBLOCK).ok()?;
    parse_label(&superblock)
}

fn parse_label(superblock: &[u8; 1024]) -> Option<String> {
    if superblock[MAGIC] != 0xef53_u16.to_le_bytes() {
        return None;
    }
    let label = &superblock[LABEL];
    let end = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
    std::str::from_utf8(&label[..end]).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_where_the_family_has_it() {
        let mut superblock = [0; 1024];
        superblock[LABEL][..5].copy_from_slice(b"state");
        assert_eq!(parse_label(&superblock), None);
        superblock[MAGIC].copy_from_slice(&[0x53, 0xef]);
        assert_eq!(parse_label(&superblock).as_deref(), Some("state"));
        superblock[LABEL].fill(b'x');
        assert_eq!(parse_label(&superblock), Some("x".repeat(16)));
        superblock[LABEL][0] = 0xff;
        assert_eq!(parse_label(&superblock), None);
    }
}

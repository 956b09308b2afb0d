//! From the initramfs to the new root.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::cannot::{Cannot, cannot};
use crate::mounts;

/// Mounts of the initramfs that the new root keeps.
const KEPT: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];
/// `RAMFS_MAGIC` and `TMPFS_MAGIC` (linux/magic.h): what an initramfs is unpacked into.
const INITRAMFS_KINDS: [u64; 2] = [0x8584_58f6, 0x0102_1994];
/// How deep it is emptied: an initramfs of ours is flat.
const DEPTH: u32 = 32;

/// Makes `root` the root directory of this process, and of the kernel.
pub(crate) fn enter(root: &Path) -> Result<(), Cannot> {
    for from in KEPT {
        mounts::carry(from, &root.join(&from[1..]))?;
    }
    let old = open_directory(CWD, "/").map_err(cannot("open", "/"))?;
    rustix::process::chdir(root).map_err(cannot("enter", root.display()))?;
    // What cannot be deleted costs memory, and nothing more: no reason not to boot.
    let _ = empty_initramfs(&old);
    mounts::carry(".", Path::new("/"))?;
    rustix::process::chroot(".").map_err(cannot("make a root directory of", root.display()))?;
    rustix::process::chdir("/").map_err(cannot("enter", "/"))
}

/// Is the root of this process no initramfs any more?
pub(crate) fn is_done() -> Result<bool, Cannot> {
    let root = open_directory(CWD, "/").map_err(cannot("open", "/"))?;
    Ok(!is_initramfs(&root).map_err(cannot("look at", "/"))?)
}

/// Becomes `init`. Returns only if that fails.
pub(crate) fn start(init: &str) -> Result<Infallible, Cannot> {
    // The arguments that the kernel had for us were the ones for init.
    let error = Command::new(init).args(std::env::args_os().skip(1)).exec();
    Err(cannot("run", init)(error))
}

/// Deletes the files of the initramfs, whose memory nothing else would free: rootfs cannot be unmounted.
///
/// Only the file system of `root` itself, and only if it lives in memory: mounts in it are left alone.
fn empty_initramfs(root: &OwnedFd) -> Result<(), Errno> {
    if !is_initramfs(root)? {
        return Ok(());
    }
    let device = fstat(root)?.st_dev;
    empty(root, device, DEPTH)
}

fn is_initramfs(root: &OwnedFd) -> Result<bool, Errno> {
    // The type of f_type differs between architectures; the magic numbers are 32 bits on all.
    let kind = fstatfs(root)?.f_type as u64;
    Ok(INITRAMFS_KINDS.contains(&kind))
}

fn empty(directory: &OwnedFd, device: u64, depth: u32) -> Result<(), Errno> {
    let names: Vec<_> = Dir::read_from(directory)?
        .map(|entry| Ok(entry?.file_name().to_owned()))
        .collect::<Result<_, Errno>>()?;
    for name in names.iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
        let stat: Stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_dev != device {
            continue;
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            unlinkat(directory, name, AtFlags::empty())?;
            continue;
        }
        if depth > 0 {
            let inner = open_directory(directory, name.as_c_str())?;
            empty(&inner, device, depth - 1)?;
        }
        // A directory that still holds a mount point stays.
        let _ = unlinkat(directory, name, AtFlags::REMOVEDIR);
    }
    Ok(())
}

fn open_directory(at: impl std::os::fd::AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

//! Mounting, in the words of this program.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags, open, openat, openat2, statx};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount,
    mount_bind, mount_move, mount_remount, move_mount, open_tree, unmount,
};

use spec::TreePath;

use crate::cannot::{Cannot, cannot};
use crate::places::Run;

/// What holds for the overlay, and thereby for every file of the running system. Flags of the layers below an overlay
/// mean nothing for files seen through it.
const LOCKED: MountFlags = MountFlags::RDONLY.union(MountFlags::NOSUID).union(MountFlags::NODEV);
/// The same, for fsmount(2).
const LOCKED_ATTRIBUTES: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV);
/// How layers are opened: what overlayfs needs of them, and nothing that is no directory.
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Options for an overlay of untrusted layers (Linux Documentation/filesystems/overlayfs.rst, "Metadata only copy up"
/// and "redirect_dir"): no layer can point into another one.
const OVERLAY_OPTIONS: [(&str, &str); 2] = [("redirect_dir", "nofollow"), ("metacopy", "off")];
/// What our mounts are called in /proc/self/mounts.
const NAME: &str = "tenon";
/// mount(2) takes one page of options, and its last byte is a NUL (fs/namespace.c, `copy_mount_options`).
const OPTIONS_MAX: usize = 4095;

/// A mounted image that no path leads to yet.
#[derive(Debug)]
pub(crate) struct Detached(OwnedFd);

impl Detached {
    /// Mounts the squashfs on a block device.
    pub(crate) fn squashfs(node: &Path) -> Result<Detached, Cannot> {
        let failed = |errno: Errno| cannot("mount the squashfs on", node.display())(errno);
        let context = fsopen("squashfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
        fsconfig_set_string(&context, "source", node).map_err(failed)?;
        fsconfig_set_flag(&context, "ro").map_err(failed)?;
        fsconfig_create(&context).map_err(failed)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, LOCKED_ATTRIBUTES).map(Detached).map_err(failed)
    }

    /// Lays `layers` over each other, the first on top. They are directories that are open, so that no path is looked up.
    pub(crate) fn overlay(layers: &[OwnedFd]) -> Result<Detached, Cannot> {
        // Layers by file descriptor are new in Linux 6.13.
        let mounted = overlay_by_descriptors(layers).or_else(|_| overlay_by_links(layers));
        mounted.map(Detached).map_err(cannot("lay images over", "the base"))
    }

    /// Opens a directory of it.
    pub(crate) fn open(&self, directory: &str) -> Result<OwnedFd, Cannot> {
        openat(&self.0, directory, DIRECTORY, Mode::empty())
            .map_err(cannot("open in an image", format!("the directory {directory}")))
    }

    /// Opens a file of it, by a path without links.
    pub(crate) fn open_file(&self, path: &TreePath) -> Result<File, Cannot> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let opened =
            openat2(&self.0, path.relative(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), resolve);
        opened.map(File::from).map_err(cannot("open in an image", path))
    }

    /// Makes it appear at a directory, which is created if need be.
    pub(crate) fn attach(&self, at: &Path) -> Result<(), Cannot> {
        make_directory(at)?;
        let mounted = move_mount(&self.0, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
        mounted.map_err(cannot("mount at", at.display()))
    }

    /// Makes it appear at a directory in the moment in which the mount that is there goes.
    pub(crate) fn replace(&self, at: &Path) -> Result<(), Cannot> {
        // Sliding a mount under another one is new in Linux 6.5; before that, the base shows in between.
        let beneath = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_BENEATH;
        match move_mount(&self.0, "", CWD, at, beneath) {
            Ok(()) => uncover(at),
            Err(_) => uncover(at).and_then(|()| self.attach(at)),
        }
    }
}

fn overlay_by_descriptors(layers: &[OwnedFd]) -> Result<OwnedFd, Errno> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", NAME)?;
    for layer in layers {
        fsconfig_set_fd(&context, "lowerdir+", layer)?;
    }
    for (option, value) in OVERLAY_OPTIONS {
        fsconfig_set_string(&context, option, value)?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, LOCKED_ATTRIBUTES)
}

/// The same by way of the links that lead from numbers to open files (proc_pid_fd(5)), at a place that nobody looks at.
fn overlay_by_links(layers: &[OwnedFd]) -> Result<OwnedFd, Errno> {
    let links: Vec<_> = layers.iter().map(|layer| format!("/proc/self/fd/{}", layer.as_raw_fd())).collect();
    let mut options = format!("lowerdir={}", links.join(":"));
    for (option, value) in OVERLAY_OPTIONS {
        options += &format!(",{option}={value}");
    }
    if options.len() > OPTIONS_MAX {
        return Err(Errno::TOOBIG);
    }
    let aside = Run::aside();
    make_directory(&aside).map_err(|_| Errno::NOENT)?;
    mount(NAME, &aside, "overlay", LOCKED, &*c_string(&options))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let taken = open_tree(CWD, &aside, flags);
    unmount(&aside, UnmountFlags::DETACH)?;
    taken
}

/// Mounts a file system of the kernel, unless something of the kind is there already.
pub(crate) fn kernel(kind: &str, at: &str, flags: MountFlags, options: &str) -> Result<(), Cannot> {
    make_directory(at.as_ref())?;
    match mount(kind, at, kind, flags, &*c_string(options)) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(cannot("mount", at)(error)),
    }
}

/// Mounts the medium: nothing on it is run, or believed.
pub(crate) fn medium(device: &Path, at: &Path) -> Result<(), Cannot> {
    make_directory(at)?;
    mount(device, at, "iso9660", LOCKED | MountFlags::NOEXEC, None)
        .map_err(cannot("mount the ISO 9660 file system of", device.display()))
}

/// Opens a directory, following no link at its end.
pub(crate) fn open_directory(directory: &Path) -> Result<OwnedFd, Cannot> {
    open(directory, DIRECTORY, Mode::empty()).map_err(cannot("open", directory.display()))
}

/// Mounts a disk that is written to.
pub(crate) fn disk(device: &Path, at: &Path, kind: &str, flags: MountFlags) -> Result<(), Cannot> {
    make_directory(at)?;
    mount(device, at, kind, flags, None).map_err(cannot("mount the file system of", device.display()))
}

/// Mounts an empty file system in memory, to be filled and locked.
pub(crate) fn memory(at: &Path) -> Result<(), Cannot> {
    make_directory(at)?;
    mount(NAME, at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=0755")
        .map_err(cannot("mount a tmpfs at", at.display()))
}

/// Makes such a file system read-only.
pub(crate) fn lock_memory(at: &Path) -> Result<(), Cannot> {
    mount_remount(at, LOCKED, "").map_err(cannot("make read-only", at.display()))
}

/// Makes a directory that is going to be covered stay visible at `at`. What is kept there already is what was below the
/// first cover, and stays.
pub(crate) fn keep(directory: &Path, at: &Path) -> Result<(), Cannot> {
    make_directory(at)?;
    match is_mount_point(at) {
        true => Ok(()),
        false => mount_bind(directory, at).map_err(cannot("keep sight of", directory.display())),
    }
}

/// Takes the topmost mount away; who has files of it open keeps them.
pub(crate) fn uncover(at: &Path) -> Result<(), Cannot> {
    unmount(at, UnmountFlags::DETACH).map_err(cannot("unmount", at.display()))
}

/// Unmounts all that is mounted on the entries of a directory, and removes it.
pub(crate) fn forget(directory: &Path) -> Result<(), Cannot> {
    let failed = |error: std::io::Error| cannot("clear", directory.display())(error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_mount_point(&path) {
            uncover(&path)?;
        }
        fs::remove_dir(&path).map_err(failed)?;
    }
    fs::remove_dir(directory).map_err(failed)
}

/// Does another mount begin at this directory than the one that its parent is in?
pub(crate) fn is_mount_point(directory: &Path) -> bool {
    let id =
        |path: &Path| statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).map(|stat| stat.stx_mnt_id).ok();
    id(directory).zip(directory.parent().and_then(id)).is_some_and(|(own, above)| own != above)
}

/// Makes what is at `from` appear at `to` too, with the same flags.
pub(crate) fn alone(from: &Path, to: &Path) -> Result<(), Cannot> {
    make_directory(to)?;
    mount_bind(from, to).map_err(cannot("mount the base at", to.display()))
}

/// Takes a mount to another place.
pub(crate) fn carry(from: &str, to: &Path) -> Result<(), Cannot> {
    mount_move(from, to).map_err(cannot("move a mount to", to.display()))
}

pub(crate) fn make_directory(at: &Path) -> Result<(), Cannot> {
    fs::create_dir_all(at).map_err(cannot("make the directory", at.display()))
}

/// All options here are made from our own constants and paths.
fn c_string(options: &str) -> CString {
    CString::new(options).expect("options have no NUL")
}

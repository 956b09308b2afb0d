//! Mounting, in the words of this program.

use std::ffi::CString;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, mount_bind, mount_move, mount_remount,
    move_mount,
};

use crate::cannot::{Cannot, cannot};
use crate::sealed::Image;
use crate::sys::loopdev::LoopDevice;

/// What holds for the overlay, and thereby for every file of the running system. Flags of the layers below an overlay
/// mean nothing for files seen through it.
const LOCKED: MountFlags = MountFlags::RDONLY.union(MountFlags::NOSUID).union(MountFlags::NODEV);
/// Options for an overlay of untrusted layers (Linux Documentation/filesystems/overlayfs.rst, "Metadata only copy up"
/// and "redirect_dir"): no layer can point into another one.
const OVERLAY_OPTIONS: &str = "redirect_dir=nofollow,metacopy=off";
/// mount(2) takes one page of options, and its last byte is a NUL (fs/namespace.c, `copy_mount_options`).
const OPTIONS_MAX: usize = 4095;

/// A mounted image that no path leads to yet.
#[derive(Debug)]
pub(crate) struct Detached(OwnedFd);

impl Detached {
    /// Mounts the squashfs of a sealed image.
    pub(crate) fn squashfs(image: &Image) -> Result<Detached, Cannot> {
        let device = LoopDevice::attach(image).map_err(cannot("attach an image to", "a loop device"))?;
        let node = device.path();
        let failed = |errno: Errno| cannot("mount the squashfs on", node.display())(errno);
        let context = fsopen("squashfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
        fsconfig_set_string(&context, "source", node).map_err(failed)?;
        fsconfig_set_flag(&context, "ro").map_err(failed)?;
        fsconfig_create(&context).map_err(failed)?;
        let locked = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, locked).map(Detached).map_err(failed)
    }

    /// Makes it appear at a directory, which is created if need be.
    pub(crate) fn attach(&self, at: &Path) -> Result<(), Cannot> {
        make_directory(at)?;
        move_mount(&self.0, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(cannot("mount an image at", at.display()))
    }
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

/// Lays `layers` over each other, the first on top.
pub(crate) fn overlay(layers: &[&Path], at: &Path) -> Result<(), Cannot> {
    make_directory(at)?;
    let paths: Vec<_> = layers.iter().map(|layer| layer.display().to_string()).collect();
    let options = format!("lowerdir={},{OVERLAY_OPTIONS}", paths.join(":"));
    let failed = cannot("mount the overlay at", at.display());
    if options.len() > OPTIONS_MAX {
        return Err(failed(Errno::TOOBIG));
    }
    mount("tenon", at, "overlay", LOCKED, &*c_string(&options)).map_err(failed)
}

/// Mounts an empty file system in memory, to be filled and locked.
pub(crate) fn memory(at: &Path) -> Result<(), Cannot> {
    make_directory(at)?;
    mount("tenon", at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=0755")
        .map_err(cannot("mount a tmpfs at", at.display()))
}

/// Makes such a file system read-only.
pub(crate) fn lock_memory(at: &Path) -> Result<(), Cannot> {
    mount_remount(at, LOCKED, "").map_err(cannot("make read-only", at.display()))
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

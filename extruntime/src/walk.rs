//! Is a mounted image what its signed listing says, and nothing that an overlay or a user could misuse?

use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::Errno;
use spec::TreePath;
use spec::content::check_link;
use spec::listing::{Kind, Listing};

/// Permissions of a directory that the base has too: the topmost layer decides, so it must not take any away or add one.
const SHARED_DIRECTORY: u32 = 0o755;
/// Setuid, setgid and sticky, and writing for group and others (sys/stat.h).
const FORBIDDEN: u32 = 0o7022;
/// What in a mode is permission, setuid, setgid or sticky.
const PERMISSIONS: u32 = 0o7777;

/// Walks the tree below `root` and compares it with `listing`, which bounds the walk.
pub(crate) fn check(root: BorrowedFd<'_>, listing: &Listing, base: &Listing) -> Result<(), TreeFault> {
    let mut missing: BTreeSet<&TreePath> = listing.iter().map(|(path, _)| path).collect();
    let mut directories = vec![TreePath::root()];
    while let Some(directory) = directories.pop() {
        for (path, stat) in entries(root, &directory, missing.len() + 1)? {
            let kind = check_one(&path, &stat, listing, base)?;
            if !missing.remove(&path) {
                return Err(TreeFault::Twice(path));
            }
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                check_target(root, &path)?;
            }
            if kind == Kind::Directory {
                directories.push(path);
            }
        }
    }
    match missing.first() {
        Some(path) => Err(TreeFault::Missing((*path).clone())),
        None => Ok(()),
    }
}

/// What a directory of the image holds, up to `most`: with one more than the listing still has to offer, one is wrong.
fn entries(
    root: BorrowedFd<'_>,
    directory: &TreePath,
    most: usize,
) -> Result<Vec<(TreePath, Stat)>, TreeFault> {
    let failed = |source| TreeFault::Read { path: directory.clone(), source };
    let place = if directory.relative().is_empty() { "." } else { directory.relative() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = openat(root, place, flags, Mode::empty()).map_err(failed)?;
    let mut found = Vec::new();
    for entry in Dir::read_from(&open).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if found.len() == most {
            break;
        }
        let path = name.to_str().ok().and_then(|name| directory.join(name).ok());
        let path = path.ok_or_else(|| TreeFault::Name(directory.clone()))?;
        found.push((path, statat(&open, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?));
    }
    Ok(found)
}

/// Judges one inode; its kind if it is as it should be.
fn check_one(path: &TreePath, stat: &Stat, listing: &Listing, base: &Listing) -> Result<Kind, TreeFault> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Kind::Directory,
        FileType::RegularFile | FileType::Symlink => Kind::Leaf,
        _ => return Err(TreeFault::Special(path.clone())),
    };
    if listing.get(path) != Some(kind) {
        return Err(TreeFault::Unlisted(path.clone()));
    }
    if (stat.st_uid, stat.st_gid) != (0, 0) {
        return Err(TreeFault::Owner { path: path.clone(), uid: stat.st_uid, gid: stat.st_gid });
    }
    let mode = stat.st_mode & PERMISSIONS;
    let symlink = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    let shared = kind == Kind::Directory && base.get(path).is_some();
    if !symlink && (mode & FORBIDDEN != 0 || shared && mode != SHARED_DIRECTORY) {
        return Err(TreeFault::Mode { path: path.clone(), mode });
    }
    Ok(kind)
}

/// Does a link stay among what extensions may have? Its directory is one of this image, so its path leads to it.
fn check_target(root: BorrowedFd<'_>, path: &TreePath) -> Result<(), TreeFault> {
    let read = readlinkat(root, path.relative(), Vec::new());
    let target = read.map_err(|source| TreeFault::Read { path: path.clone(), source })?;
    let refuse = |what| TreeFault::Link { path: path.clone(), what };
    let text = target.to_str().map_err(|_| refuse("is a symbolic link to what is not UTF-8".to_owned()))?;
    check_link(path, text).map_err(|complaint| refuse(complaint.what))
}

/// What is wrong with the tree of an image.
#[derive(Debug, thiserror::Error)]
pub enum TreeFault {
    /// The listing does not have the path, or has it as something else.
    #[error("{0} is in the image, but not as what its signed list of paths says")]
    Unlisted(TreePath),
    /// The image does not have the path.
    #[error("{0} is in the signed list of paths, but not in the image")]
    Missing(TreePath),
    /// A directory has the same name for two things.
    #[error("{0} is in the image twice")]
    Twice(TreePath),
    /// A name is no part of a path.
    #[error("{0} has a name in it that is not allowed")]
    Name(TreePath),
    /// A device, pipe or socket; a device may be a whiteout.
    #[error("{0} is neither a file, a directory nor a symbolic link")]
    Special(TreePath),
    /// A link that leads where extensions have nothing.
    #[error("{path} {what}")]
    Link {
        /// The path.
        path: TreePath,
        /// What is wrong with the link.
        what: String,
    },
    /// Not root's.
    #[error("{path} belongs to {uid}:{gid} instead of 0:0")]
    Owner {
        /// The path.
        path: TreePath,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// Setuid and the like, or a directory of the base with other permissions.
    #[error("{path} has mode {mode:04o}, which an extension may not have there")]
    Mode {
        /// The path.
        path: TreePath,
        /// Its mode.
        mode: u32,
    },
    /// The kernel finds the image damaged.
    #[error("{path} of the image cannot be read")]
    Read {
        /// The path.
        path: TreePath,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
}

impl TreeFault {
    /// Where it is.
    pub(crate) fn path(&self) -> &TreePath {
        match self {
            TreeFault::Unlisted(path)
            | TreeFault::Missing(path)
            | TreeFault::Twice(path)
            | TreeFault::Name(path)
            | TreeFault::Special(path)
            | TreeFault::Link { path, .. }
            | TreeFault::Owner { path, .. }
            | TreeFault::Mode { path, .. }
            | TreeFault::Read { path, .. } => path,
        }
    }
}

//! A directory of the real disk. Paths are looked up below it and through no link, whatever somebody put there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{self, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::disk::{Disk, DiskError, Kind};
use crate::layout::TOP;

/// How long a program waits for another one. Staging a set of gigabytes takes longer; whoever waits may try again.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Who may read: names and digests of extensions are no secret. Only the owner changes them.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
const DIR_MODE: Mode = Mode::from_raw_mode(0o755);

/// A directory of the real disk.
#[derive(Debug)]
pub struct RealDisk {
    dir: OwnedFd,
    path: PathBuf,
}

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
}

impl RealDisk {
    /// The directory at `path`, which must exist: where a mount is missing, nothing is to be made in its place.
    pub fn open(path: impl Into<PathBuf>) -> Result<RealDisk, DiskError> {
        let path = path.into();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(&path, flags, Mode::empty()) {
            Ok(dir) => Ok(RealDisk { dir, path }),
            Err(errno) => Err(DiskError::at("open", path)(errno.into())),
        }
    }

    fn open_below(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        fs::openat2(&self.dir, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, mode, resolve)
    }

    /// The directory that a path is in, and its last name there.
    fn parent<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str), Errno> {
        let (dir, name) = path.rsplit_once('/').unwrap_or((TOP, path));
        Ok((self.open_below(dir, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?, name))
    }

    fn failed(&self, action: &'static str, path: &str) -> impl FnOnce(Errno) -> DiskError {
        let path = self.name(path);
        move |errno| DiskError::at(action, path)(errno.into())
    }
}

impl Disk for RealDisk {
    type File = NewFile;
    type Lock = OwnedFd;

    /// The directory itself is locked: that needs no file, and works on a disk that nothing can be written to.
    fn lock(&self) -> Result<OwnedFd, DiskError> {
        let dir = self.open_below(TOP, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        let dir = dir.map_err(self.failed("open", TOP))?;
        let end = Instant::now() + PATIENCE;
        loop {
            match fs::flock(&dir, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(dir),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < end => sleep(PAUSE),
                Err(errno) => return Err(self.failed("lock", TOP)(errno)),
            }
        }
    }

    fn make_dir(&self, path: &str) -> Result<(), DiskError> {
        let made = self.parent(path).and_then(|(dir, name)| fs::mkdirat(dir, name, DIR_MODE));
        made.map_err(self.failed("make", path))
    }

    fn create(&self, path: &str) -> Result<NewFile, DiskError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = self.open_below(path, flags, FILE_MODE).map_err(self.failed("make", path))?;
        Ok(NewFile { file: file.into(), path: self.name(path) })
    }

    fn append(&self, file: &mut NewFile, bytes: &[u8]) -> Result<(), DiskError> {
        file.file.write_all(bytes).map_err(DiskError::at("write", &file.path))
    }

    fn sync_file(&self, file: &NewFile) -> Result<(), DiskError> {
        file.file.sync_all().map_err(DiskError::at("sync", &file.path))
    }

    fn sync_dir(&self, path: &str) -> Result<(), DiskError> {
        let dir = self.open_below(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        dir.and_then(fs::fsync).map_err(self.failed("sync", path))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let renamed = self.parent(from).and_then(|(from_dir, from)| {
            let (to_dir, to) = self.parent(to)?;
            fs::renameat(from_dir, from, to_dir, to)
        });
        renamed.map_err(self.failed("rename something to", to))
    }

    fn overwrite(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        // Without O_NONBLOCK the open of a pipe would wait for a reader (open(2)).
        let flags = OFlags::WRONLY | OFlags::NONBLOCK;
        let file = self.open_below(path, flags, Mode::empty()).map_err(self.failed("open", path))?;
        let file = File::from(file);
        let written = file.write_all_at(bytes, 0).and_then(|()| file.sync_data());
        written.map_err(DiskError::at("write", self.name(path)))
    }

    fn sync_written(&self, path: &str) -> Result<(), DiskError> {
        let file = self.open_below(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty());
        file.and_then(fs::fdatasync).map_err(self.failed("sync", path))
    }

    fn remove_file(&self, path: &str) -> Result<(), DiskError> {
        let removed = self.parent(path).and_then(|(dir, name)| fs::unlinkat(dir, name, AtFlags::empty()));
        removed.map_err(self.failed("remove", path))
    }

    fn remove_dir(&self, path: &str) -> Result<(), DiskError> {
        let removed = self.parent(path).and_then(|(dir, name)| fs::unlinkat(dir, name, AtFlags::REMOVEDIR));
        removed.map_err(self.failed("remove", path))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, DiskError> {
        let read = || -> Result<Vec<String>, Errno> {
            let dir = self.open_below(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
            let mut names = Vec::new();
            for entry in Dir::read_from(dir)? {
                let entry = entry?;
                match entry.file_name().to_str() {
                    Ok("." | "..") | Err(_) => {}
                    Ok(name) => names.push(name.to_owned()),
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        read().map_err(self.failed("list", path))
    }

    fn look(&self, path: &str) -> Result<Option<Kind>, DiskError> {
        let found =
            self.parent(path).and_then(|(dir, name)| fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW));
        match found {
            Ok(found) => Ok(Some(match FileType::from_raw_mode(found.st_mode) {
                FileType::RegularFile => Kind::File(u64::try_from(found.st_size).unwrap_or_default()),
                FileType::Directory => Kind::Dir,
                _ => Kind::Other,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.failed("look at", path)(errno)),
        }
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + '_>>, DiskError> {
        let file = match self.open_below(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.failed("open", path)(errno)),
        };
        let metadata = file.metadata().map_err(DiskError::at("look at", self.name(path)))?;
        match metadata.is_file() {
            true => Ok(Some(Box::new(file))),
            false => {
                let other = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
                Err(DiskError::at("open", self.name(path))(other))
            }
        }
    }

    fn name(&self, path: &str) -> PathBuf {
        match path == TOP {
            true => self.path.clone(),
            false => self.path.join(Path::new(path)),
        }
    }
}

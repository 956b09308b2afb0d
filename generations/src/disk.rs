//! All that is done to the disk. What is behind [`Disk`] is a directory of the real one, or, in `tests/crash`, a model of
//! one that loses power.
//!
//! Paths are relative to the directory of the state and are made of names in [`crate::layout`], never of foreign ones.

use std::io::{self, Read};
use std::path::PathBuf;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with so many bytes.
    File(u64),
    /// A directory.
    Dir,
    /// A link, a device, a pipe or a socket: nothing of ours.
    Other,
}

/// A directory on a disk. Nothing is durable before it is synced: neither bytes nor names.
pub trait Disk {
    /// A new file that is being written. It stays open until it is synced, so that no failure of writing it is missed.
    type File;
    /// Keeps other programs from changing the state for as long as it lives.
    type Lock;

    /// Waits for other programs, but not for ever.
    fn lock(&self) -> Result<Self::Lock, DiskError>;

    /// Makes a directory that does not exist.
    fn make_dir(&self, path: &str) -> Result<(), DiskError>;

    /// Makes an empty file that does not exist.
    fn create(&self, path: &str) -> Result<Self::File, DiskError>;

    /// Writes more of a new file.
    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes the bytes of a new file durable.
    fn sync_file(&self, file: &Self::File) -> Result<(), DiskError>;

    /// Makes the names in a directory durable: what was made, renamed and removed there.
    fn sync_dir(&self, path: &str) -> Result<(), DiskError>;

    /// Gives something another name in the same directory; what had that name is gone, unless it is a full directory.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Writes over the start of a file, in place and in one go, and makes it durable.
    fn overwrite(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes durable what somebody may have written over a file.
    fn sync_written(&self, path: &str) -> Result<(), DiskError>;

    /// Removes a file.
    fn remove_file(&self, path: &str) -> Result<(), DiskError>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &str) -> Result<(), DiskError>;

    /// The names in a directory, sorted. Names that are not UTF-8 are nobody's here and are left out.
    fn list(&self, path: &str) -> Result<Vec<String>, DiskError>;

    /// What is at `path`, if anything.
    fn look(&self, path: &str) -> Result<Option<Kind>, DiskError>;

    /// Opens a regular file to read it, if there is one.
    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + '_>>, DiskError>;

    /// The path as people know it.
    fn name(&self, path: &str) -> PathBuf;

    /// Reads a small file, if there is one; one that is larger than `limit` is an error.
    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, DiskError> {
        let Some(file) = self.open(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(DiskError::at("read", self.name(path)))?;
        match bytes.len() as u64 > limit {
            true => {
                let too_large =
                    io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit} bytes"));
                Err(DiskError::at("read", self.name(path))(too_large))
            }
            false => Ok(Some(bytes)),
        }
    }
}

/// Something could not be done to the disk.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct DiskError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl DiskError {
    /// What was tried, a verb, and where.
    pub fn at(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> DiskError {
        let path = path.into();
        move |source| DiskError { action, path, source }
    }

    /// What the system said.
    pub fn cause(&self) -> &io::Error {
        &self.source
    }
}

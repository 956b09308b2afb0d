//! Disks that leave something out, to prove that the suite would notice.

use std::cell::RefCell;
use std::io::Read;
use std::path::PathBuf;

use generations::disk::{Disk, DiskError, Kind};

use crate::model::Model;

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Omission {
    /// New files are not synced.
    FileSync,
    /// Directories are not synced.
    DirSync,
    /// New files are synced after they were renamed.
    SyncAfterRename,
    /// The slot that a program before may have left unsynced is not synced.
    OldSlotSync,
}

/// A disk that does the rest.
#[derive(Debug)]
pub(crate) struct Careless {
    disk: Model,
    omission: Omission,
    /// Files whose sync waits for a rename.
    late: RefCell<Vec<usize>>,
}

impl Careless {
    pub(crate) fn new(disk: Model, omission: Omission) -> Careless {
        Careless { disk, omission, late: RefCell::default() }
    }
}

impl Disk for Careless {
    type File = usize;
    type Lock = ();

    fn sync_file(&self, file: &usize) -> Result<(), DiskError> {
        match self.omission {
            Omission::FileSync => Ok(()),
            Omission::SyncAfterRename => {
                self.late.borrow_mut().push(*file);
                Ok(())
            }
            Omission::DirSync | Omission::OldSlotSync => self.disk.sync_file(file),
        }
    }

    fn sync_dir(&self, path: &str) -> Result<(), DiskError> {
        match self.omission {
            Omission::DirSync => Ok(()),
            _ => self.disk.sync_dir(path),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.disk.rename(from, to)?;
        self.late.borrow_mut().drain(..).try_for_each(|file| self.disk.sync_file(&file))
    }

    fn sync_written(&self, path: &str) -> Result<(), DiskError> {
        match self.omission {
            Omission::OldSlotSync => Ok(()),
            _ => self.disk.sync_written(path),
        }
    }

    fn lock(&self) -> Result<(), DiskError> {
        self.disk.lock()
    }

    fn make_dir(&self, path: &str) -> Result<(), DiskError> {
        self.disk.make_dir(path)
    }

    fn create(&self, path: &str) -> Result<usize, DiskError> {
        self.disk.create(path)
    }

    fn append(&self, file: &mut usize, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk.append(file, bytes)
    }

    fn overwrite(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk.overwrite(path, bytes)
    }

    fn remove_file(&self, path: &str) -> Result<(), DiskError> {
        self.disk.remove_file(path)
    }

    fn remove_dir(&self, path: &str) -> Result<(), DiskError> {
        self.disk.remove_dir(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, DiskError> {
        self.disk.list(path)
    }

    fn look(&self, path: &str) -> Result<Option<Kind>, DiskError> {
        self.disk.look(path)
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + '_>>, DiskError> {
        self.disk.open(path)
    }

    fn name(&self, path: &str) -> PathBuf {
        self.disk.name(path)
    }
}

//! A directory of fetched packages, some of them unpacked: filled once, then used without asking anybody.
//!
//! Each part appears whole, and a record written last of all says that nothing is missing.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use crate::apt::PrivateApt;
use crate::progress::Task;
use crate::record::{Deb, Record};
use crate::{Error, command};

/// Only one xtask at a time fills a cache; a second waits here, and finds it complete.
///
/// # Errors
/// [`Error::File`].
pub fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(Error::file("create", &path))?;
    if file.try_lock().is_err() {
        let task = Task::spin("another xtask prepares the inputs");
        file.lock().map_err(Error::file("lock", &path))?;
        task.finish("done");
    }
    Ok(file)
}

/// The packages of a complete cache, if it holds the answer to this request.
pub fn recorded(dir: &Path, request: &str) -> Option<Vec<Deb>> {
    let record: Record = fs::read_to_string(dir.join("record")).ok()?.parse().ok()?;
    (record.request == request).then_some(record.debs)
}

/// A cache while it is filled.
#[derive(Debug)]
pub struct Cache<'a> {
    /// Its directory.
    pub dir: &'a Path,
    /// Where the packages come from.
    pub apt: &'a PrivateApt,
    /// All of them, downloaded.
    pub debs: &'a [Deb],
}

impl Cache<'_> {
    /// Unpacks packages together into the directory `name`, unless the same versions are there already.
    ///
    /// # Errors
    /// [`Error::FailedQuietly`] with dpkg's words, and [`Error::File`].
    pub fn unpack(&self, name: &str, packages: &[String]) -> Result<(), Error> {
        let place = self.dir.join(name);
        let versions = self.dir.join(format!("{name}.versions"));
        let debs: Vec<&Deb> = self.debs.iter().filter(|deb| packages.contains(&deb.package)).collect();
        let wanted: String = debs.iter().map(|deb| format!("{} {}\n", deb.package, deb.version())).collect();
        if place.is_dir() && fs::read_to_string(&versions).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        let task = Task::spin(format!("unpacking {name}"));
        let partial = self.dir.join(format!("{name}.partial"));
        remove_dir(&partial)?;
        for deb in &debs {
            command::read(Command::new("dpkg-deb").arg("--extract").arg(self.apt.path(deb)).arg(&partial))?;
        }
        remove_dir(&place)?;
        fs::rename(&partial, &place).map_err(Error::file("rename", &partial))?;
        write(&versions, &wanted)?;
        task.finish(wanted.trim_end().replace('\n', ", ").as_str());
        Ok(())
    }

    /// Writes the record that makes the cache complete.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn record(&self, request: &str) -> Result<(), Error> {
        let record = Record { request: request.to_owned(), debs: self.debs.to_vec() };
        write(&self.dir.join("record"), &record.to_string())
    }
}

/// Removes a directory with all that is in it; none is fine.
///
/// # Errors
/// [`Error::File`].
pub fn remove_dir(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Writes a file so that it is whole or not there.
///
/// # Errors
/// [`Error::File`].
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    fs::write(&partial, text).map_err(Error::file("write", &partial))?;
    fs::rename(&partial, path).map_err(Error::file("rename", &partial))
}

//! A file that appears whole or not at all.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
use tempfile::NamedTempFile;

/// What everybody may do with it, less the umask, as with any file.
const MODE: u32 = 0o666;

/// A file on the way to its name. Whoever ends this program before leaves nothing behind, but for file systems that have
/// no files without names, and the moment between two system calls in which it gets its name.
#[derive(Debug)]
pub(crate) enum NewFile {
    /// `O_TMPFILE` (open(2)): ext4, XFS, Btrfs, tmpfs and overlays of them have it.
    Unnamed(File),
    /// It goes away with this value.
    Named(NamedTempFile),
}

impl NewFile {
    /// An empty file, open for reading and writing, in the directory in which it will get its name.
    pub(crate) fn in_dir(dir: &Path) -> io::Result<NewFile> {
        match unnamed(dir) {
            Ok(file) => Ok(NewFile::Unnamed(file)),
            // Where that was not the reason, the other way fails too, and says so.
            Err(_) => Ok(NewFile::Named(named().tempfile_in(dir)?)),
        }
    }

    /// The file, to be written to.
    pub(crate) fn as_file_mut(&mut self) -> &mut File {
        match self {
            NewFile::Unnamed(file) => file,
            NewFile::Named(file) => file.as_file_mut(),
        }
    }

    /// Gives it its name, instead of what had that before. Content and name are on the disk then.
    pub(crate) fn persist(mut self, dir: &Path, name: &Path) -> io::Result<()> {
        self.as_file_mut().sync_all()?;
        let path = match self {
            NewFile::Named(file) => file.into_temp_path(),
            // A link takes no other file's place (linkat(2)), and a rename does.
            NewFile::Unnamed(file) => named().make_in(dir, |path| link(&file, path))?.into_temp_path(),
        };
        path.persist(name).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()
    }
}

fn named() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-").permissions(Permissions::from_mode(MODE));
    builder
}

/// Only what can be linked later is any use.
fn unnamed(dir: &Path) -> io::Result<File> {
    let file = open(dir, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::from(MODE))?;
    let file = File::from(file);
    fs::symlink_metadata(descriptor(&file))?;
    Ok(file)
}

/// By way of /proc, because linking a descriptor itself is for root (linkat(2), `AT_EMPTY_PATH`).
fn link(file: &File, path: &Path) -> io::Result<()> {
    Ok(linkat(CWD, descriptor(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

fn descriptor(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries
            .map(|path| (path.file_name().unwrap().to_string_lossy().into(), fs::read(path).unwrap()))
            .collect()
    }

    #[test]
    fn it_takes_the_place_of_what_was_there_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let ways: [fn(&Path) -> io::Result<NewFile>; 2] =
            [NewFile::in_dir, |dir| Ok(NewFile::Named(named().tempfile_in(dir)?))];
        let plain = File::create(dir.path().join("image")).unwrap().metadata().unwrap().permissions();
        for new in ways {
            for content in [&b"one"[..], b"other"] {
                let before = fs::read(dir.path().join("image")).unwrap();
                let mut file = new(dir.path()).unwrap();
                file.as_file_mut().write_all(content).unwrap();
                assert_eq!(fs::read(dir.path().join("image")).unwrap(), before);
                file.persist(dir.path(), &dir.path().join("image")).unwrap();
                assert_eq!(files(dir.path()), [("image".to_owned(), content.to_vec())]);
                assert_eq!(dir.path().join("image").metadata().unwrap().permissions(), plain);
            }
        }
    }

    #[test]
    fn it_has_no_name_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = NewFile::in_dir(dir.path()).unwrap();
        assert!(matches!(file, NewFile::Unnamed(_)), "the temporary directory has no files without names");
        assert_eq!(files(dir.path()), []);
    }

    #[test]
    fn what_cannot_get_its_name_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("image")).unwrap();
        let file = NewFile::in_dir(dir.path()).unwrap();
        assert!(file.persist(dir.path(), &dir.path().join("image")).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(NewFile::in_dir(&dir.path().join("none")).is_err());
    }
}

//! How long reading takes from an image that the kernel mounts, with nothing of it in memory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::inputs::entries;
use super::statistics::Random;
use crate::{Error, command};

/// A regular file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeFile {
    /// Below the tree's top.
    pub path: PathBuf,
    /// In bytes.
    pub length: u64,
}

/// All files of a tree, in the order of their paths.
///
/// # Errors
/// [`Error::File`].
pub(super) fn files_of(tree: &Path) -> Result<Vec<TreeFile>, Error> {
    let mut files = Vec::new();
    for entry in entries(tree) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let meta = entry.metadata().map_err(|error| Error::file("read", entry.path())(error.into()))?;
            let path = entry.path().strip_prefix(tree).unwrap_or(entry.path()).to_owned();
            files.push(TreeFile { path, length: meta.len() });
        }
    }
    Ok(files)
}

/// One small read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pick {
    path: PathBuf,
    offset: u64,
}

/// How much a small read reads: a page, which is the least that the kernel reads.
const PAGE: u64 = 4096;

/// No two reads lie in the same part of a file: as long as the largest block of squashfs, so that no read finds what
/// an earlier one has left in memory.
const APART: u64 = 1 << 20;

/// At most `count` places in files, the same for every image of the same tree. A file is chosen as often as it is
/// long.
pub(super) fn picks(files: &[TreeFile], count: usize) -> Vec<Pick> {
    let total: u64 = files.iter().map(|file| file.length).sum();
    let ends: Vec<u64> = files
        .iter()
        .scan(0, |end, file| {
            *end += file.length;
            Some(*end)
        })
        .collect();
    let (mut random, mut taken, mut picks) = (Random::new(1), BTreeSet::new(), Vec::new());
    // A tree may have too few places: an end to the search.
    for _ in 0..if total == 0 { 0 } else { 20 * count } {
        let place = random.below(total);
        let index = ends.partition_point(|end| *end <= place);
        let offset = (place + files[index].length - ends[index]) / PAGE * PAGE;
        if taken.insert((index, offset / APART)) {
            picks.push(Pick { path: files[index].path.clone(), offset });
        }
        if picks.len() == count {
            break;
        }
    }
    picks
}

/// Seconds to read all files, one after another, in the order of their paths.
///
/// # Errors
/// [`Error::File`], and those of [`command::read`].
pub(super) fn read_all(image: &Path, point: &Path, files: &[TreeFile]) -> Result<f64, Error> {
    let mounted = Mounted::cold(image, point)?;
    let mut buffer = vec![0; 128 << 10];
    let started = Instant::now();
    for file in files {
        let path = mounted.point.join(&file.path);
        let mut open = File::open(&path).map_err(Error::file("open", &path))?;
        while open.read(&mut buffer).map_err(Error::file("read", &path))? > 0 {}
    }
    Ok(started.elapsed().as_secs_f64())
}

/// Seconds that each of the small reads takes. Opening the files is not part of it.
///
/// # Errors
/// [`Error::File`], and those of [`command::read`].
pub(super) fn read_picks(image: &Path, point: &Path, picks: &[Pick]) -> Result<Vec<f64>, Error> {
    let mounted = Mounted::cold(image, point)?;
    let mut page = vec![0; PAGE as usize];
    let mut all = Vec::new();
    for pick in picks {
        let path = mounted.point.join(&pick.path);
        let file = File::open(&path).map_err(Error::file("open", &path))?;
        let started = Instant::now();
        file.read_at(&mut page, pick.offset).map_err(Error::file("read", &path))?;
        all.push(started.elapsed().as_secs_f64());
    }
    Ok(all)
}

/// A mounted image; dropped, it is unmounted.
struct Mounted<'a> {
    point: &'a Path,
}

impl Mounted<'_> {
    /// Mounts an image of which nothing is in memory.
    fn cold<'a>(image: &Path, point: &'a Path) -> Result<Mounted<'a>, Error> {
        forget_files()?;
        fs::create_dir_all(point).map_err(Error::file("create", point))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "squashfs", "-o", "loop,ro"]).arg(image).arg(point);
        command::read(&mut mount)?;
        Ok(Mounted { point })
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // It fails only if somebody else has unmounted it.
        let _ = command::read(Command::new("umount").arg(self.point));
    }
}

/// Drops all clean pages, names and inodes (Documentation/admin-guide/sysctl/vm.rst, "drop_caches"), after writing
/// what is not clean.
fn forget_files() -> Result<(), Error> {
    let control = "/proc/sys/vm/drop_caches";
    command::read(&mut Command::new("sync"))?;
    fs::write(control, "3").map_err(Error::file("write", control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Vec<TreeFile> {
        let file = |name: &str, length| TreeFile { path: name.into(), length };
        vec![file("empty", 0), file("small", 10), file("large", 200 << 20), file("middle", 3 << 20)]
    }

    #[test]
    fn the_same_places_are_read_each_time_and_none_twice() {
        let picks_of_tree = picks(&tree(), 50);
        assert_eq!(picks_of_tree.len(), 50);
        assert_eq!(picks_of_tree, picks(&tree(), 50));
        let parts: BTreeSet<_> = picks_of_tree.iter().map(|pick| (&pick.path, pick.offset / APART)).collect();
        assert_eq!(parts.len(), 50);
        for pick in &picks_of_tree {
            let file = tree().into_iter().find(|file| file.path == pick.path).unwrap();
            assert!(pick.offset < file.length && pick.offset % PAGE == 0, "{pick:?}");
        }
    }

    #[test]
    fn a_tree_with_too_few_places_gives_what_it_has() {
        assert_eq!(picks(&tree()[1..2], 50), [Pick { path: "small".into(), offset: 0 }]);
        assert_eq!(picks(&tree()[..1], 50), []);
        assert_eq!(picks(&[], 50), []);
    }

    #[test]
    fn only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/file"), "12345").unwrap();
        std::os::unix::fs::symlink("a/file", dir.path().join("link")).unwrap();
        let files = files_of(dir.path()).unwrap();
        assert_eq!(files, [TreeFile { path: "a/file".into(), length: 5 }]);
    }
}

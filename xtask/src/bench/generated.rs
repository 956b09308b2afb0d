//! A tree for the question whether memory grows with what is packed: many small files, and one that is long and empty.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::statistics::Random;
use crate::progress::Task;
use crate::{Error, cache};

const DIRECTORIES: u64 = 200;
const FILES_IN_EACH: u64 = 1000;

/// Length of the file that is all hole.
const HOLE: u64 = 5 << 30;

/// The tree as people are told of it.
pub(super) const WHAT: &str = "A tree of 200,000 small files and one of 5 GiB without content";

/// Makes the tree below `dir`, once.
///
/// # Errors
/// [`Error::File`].
pub(super) fn prepare(dir: &Path) -> Result<PathBuf, Error> {
    let tree = dir.join("generated");
    if tree.is_dir() {
        return Ok(tree);
    }
    let task = Task::spin(WHAT);
    let partial = dir.join("generated.partial");
    cache::remove_dir(&partial)?;
    let mut random = Random::new(3);
    for number in 0..DIRECTORIES {
        let directory = partial.join(format!("{number:03}"));
        fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
        for number in 0..FILES_IN_EACH {
            let path = directory.join(format!("{number:04}"));
            fs::write(&path, content(&mut random)).map_err(Error::file("write", path))?;
        }
    }
    let hole = partial.join("hole");
    File::create(&hole).and_then(|file| file.set_len(HOLE)).map_err(Error::file("create", hole))?;
    fs::rename(&partial, &tree).map_err(Error::file("rename", &partial))?;
    task.finish("made");
    Ok(tree)
}

/// Up to 2 KiB of hexadecimal figures: half of it is information.
fn content(random: &mut Random) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..1 + random.below(128) {
        write!(content, "{:016x}", random.next()).expect("a vector takes all bytes");
    }
    content
}

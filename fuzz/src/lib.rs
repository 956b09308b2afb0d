//! What the fuzz targets share. `cargo xtask fuzz` builds them with coverage and runs them; plain builds only keep them
//! compiling.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use rustix::fs::{MemfdFlags, memfd_create};
use sources::{Entry, EntryKind};
use spec::path::PATH_MAX;

/// Most bytes of one source that are read, so that an archive of zeros does not take all the time.
const CONTENT_MAX: u64 = 1 << 20;

/// The bytes as a file in memory, read from its start.
pub fn file_of(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("fuzz", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Asks of a list what every list of a source promises, and reads what it leads to.
pub fn check_entries(entries: &[Entry]) {
    assert!(
        entries.is_sorted_by(|one, other| one.path < other.path),
        "paths are sorted, and each is there once"
    );
    let file_at = |path| {
        let place = entries.binary_search_by(|entry| entry.path.cmp(path));
        place.is_ok_and(|place| matches!(entries[place].kind, EntryKind::File { .. }))
    };
    let mut left = CONTENT_MAX;
    for entry in entries {
        match &entry.kind {
            EntryKind::File { content, .. } => {
                let Ok(reader) = content.open() else { continue };
                let read = io::copy(&mut reader.take(left), &mut io::sink()).unwrap_or(left);
                left -= read.min(left);
            }
            EntryKind::HardLink { target } => {
                assert!(file_at(target) && *target < entry.path, "a hard link leads to a file before it");
            }
            EntryKind::Symlink { target } => {
                assert!((1..=PATH_MAX).contains(&target.len()), "targets have a length")
            }
            EntryKind::Directory | EntryKind::Special(_) => {}
        }
    }
}

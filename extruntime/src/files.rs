//! Reading files of a stranger: regular ones only, no link followed, no more than asked for.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::cannot::{Cannot, cannot};

/// Opens a regular file. O_NONBLOCK keeps the open of a pipe from waiting for a writer (open(2)).
pub(crate) fn open(path: &Path) -> Result<File, Cannot> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let open = || -> io::Result<File> {
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
        }
    };
    open().map_err(cannot("open", path.display()))
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Cannot> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(cannot("read", path.display()))?;
    match bytes.len() as u64 > limit {
        true => Err(cannot("read", path.display())(io::Error::from(ErrorKind::FileTooLarge))),
        false => Ok(bytes),
    }
}

/// Reads a text of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, Cannot> {
    let not_text =
        |_| cannot("read", path.display())(io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"));
    String::from_utf8(read(path, limit)?).map_err(not_text)
}

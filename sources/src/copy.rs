//! Copies that nobody else can change.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use spec::{Digest, Hasher};

use crate::SourceError;

/// How much is copied at once, in bytes.
const CHUNK: usize = 1 << 20;

/// A copy of a file and the digest of what was copied. It has no name, so nobody changes it after the check.
#[derive(Debug)]
pub struct PrivateCopy {
    /// The copy; its cursor is at the start.
    pub file: File,
    /// Its size in bytes.
    pub len: u64,
    /// Its digest.
    pub digest: Digest,
}

/// Copies a regular file while its digest is taken. Of a longer one than `limit` only one byte more is copied, which
/// shows in the length.
pub fn private_copy(path: &Path, limit: u64) -> Result<PrivateCopy, SourceError> {
    let temporary = |source| SourceError::Temporary { path: path.to_owned(), source };
    let mut original = open_regular(path)?.take(limit.saturating_add(1));
    let mut file = tempfile::tempfile().map_err(temporary)?;
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    let mut len = 0;
    loop {
        let count = match original.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(SourceError::read(path)(error)),
        };
        hasher.update(&chunk[..count]);
        file.write_all(&chunk[..count]).map_err(temporary)?;
        len += count as u64;
    }
    file.rewind().map_err(temporary)?;
    Ok(PrivateCopy { file, len, digest: hasher.finish() })
}

/// `O_NONBLOCK` keeps the open of a pipe from waiting for a writer; it changes nothing for a regular file (open(2)).
pub(crate) fn open_regular(path: &Path) -> Result<File, SourceError> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let open = || {
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a regular file")),
        }
    };
    open().map_err(SourceError::read(path))
}

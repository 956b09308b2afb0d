//! Reading the files of a layout as data from a stranger: bounded, without following links, without waiting.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use spec::defence::{self, Threat};
use spec::{Digest, Hasher};

use crate::descriptor::Descriptor;
use crate::error::CatalogError;

/// How much is read at once, in bytes.
pub(crate) const CHUNK: usize = 1 << 20;

/// The directory of all blobs (image-spec 1.1, image-layout.md).
pub(crate) fn dir(layout: &Path) -> PathBuf {
    layout.join("blobs").join("sha256")
}

/// Opens a blob. It is a regular file; its bytes are not checked.
pub(crate) fn open(layout: &Path, digest: &Digest) -> Result<File, CatalogError> {
    let missing = || CatalogError::BlobMissing { digest: *digest, dir: layout.to_owned() };
    open_regular(&dir(layout).join(digest.hex()))?.ok_or_else(missing)
}

/// Reads a blob of at most `limit` bytes and checks it against its descriptor.
pub(crate) fn read(layout: &Path, blob: &Descriptor, limit: u64) -> Result<Vec<u8>, CatalogError> {
    if blob.size > limit {
        return Err(CatalogError::TooLarge { what: format!("blob {}", blob.digest), size: blob.size, limit });
    }
    let file = open(layout, &blob.digest)?;
    let mut bytes = Vec::new();
    // One byte more than expected shows a file that is too long, however long it is.
    let read = file.take(blob.size.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(CatalogError::io("read", dir(layout).join(blob.digest.hex())))?;
    check(blob, bytes.len() as u64, Digest::of(&bytes))?;
    Ok(bytes)
}

/// Opens a blob that has the size that it should have; its bytes are not checked.
pub(crate) fn open_sized(layout: &Path, blob: &Descriptor) -> Result<File, CatalogError> {
    let file = open(layout, &blob.digest)?;
    let metadata = file.metadata();
    let found = metadata.map_err(CatalogError::io("read", dir(layout).join(blob.digest.hex())))?.len();
    match found == blob.size {
        true => Ok(file),
        false => Err(CatalogError::WrongSize { digest: blob.digest, wanted: blob.size, found }),
    }
}

/// Reads a blob of any size to check it.
pub(crate) fn check_file(layout: &Path, blob: &Descriptor) -> Result<(), CatalogError> {
    let mut file = open_sized(layout, blob)?;
    let failed = || CatalogError::io("read", dir(layout).join(blob.digest.hex()));
    let mut hasher = Hasher::new();
    let mut size = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = file.read(&mut chunk).map_err(failed())?;
        if count == 0 || size > blob.size {
            break;
        }
        hasher.update(&chunk[..count]);
        size += count as u64;
    }
    check(blob, size, hasher.finish())
}

/// Do size and digest of what was read agree with the descriptor?
pub(crate) fn check(blob: &Descriptor, size: u64, digest: Digest) -> Result<(), CatalogError> {
    if size != blob.size {
        return Err(CatalogError::WrongSize { digest: blob.digest, wanted: blob.size, found: size });
    }
    match digest == blob.digest || !defence::stands(Threat::B1) {
        true => Ok(()),
        false => Err(CatalogError::WrongDigest { wanted: blob.digest, found: digest }),
    }
}

/// Reads a file that no digest names, such as `index.json`; `None` where there is none.
pub(crate) fn read_named(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, CatalogError> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(CatalogError::io("read", path))?;
    let size = bytes.len() as u64;
    match size > limit {
        true => Err(CatalogError::TooLarge { what: path.display().to_string(), size, limit }),
        false => Ok(Some(bytes)),
    }
}

/// Opens a regular file, `None` where there is nothing.
///
/// A link is not followed, and `O_NONBLOCK` keeps the open of a pipe from waiting for a writer; it changes nothing
/// for a regular file (open(2)).
fn open_regular(path: &Path) -> Result<Option<File>, CatalogError> {
    let links = match defence::stands(Threat::D2) {
        true => OFlags::NOFOLLOW,
        false => OFlags::empty(),
    };
    let flags = (links | OFlags::NONBLOCK).bits().cast_signed();
    let not_a_file = || CatalogError::NotAFile { path: path.to_owned() };
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // ELOOP is a link under O_NOFOLLOW, ENXIO a socket (open(2)).
        Err(error) if is_errno(&error, Errno::LOOP) || is_errno(&error, Errno::NXIO) => {
            return Err(not_a_file());
        }
        Err(error) => return Err(CatalogError::io("open", path)(error)),
    };
    match file.metadata().map_err(CatalogError::io("look at", path))?.is_file() {
        true => Ok(Some(file)),
        false => Err(not_a_file()),
    }
}

fn is_errno(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

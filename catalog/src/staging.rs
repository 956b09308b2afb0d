//! A blob on its way into a store: hashed while it is written, and nowhere to be seen until it proved right.

use std::fs::{File, Permissions};
#[cfg(feature = "registry")]
use std::io::Seek;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use spec::{Digest, Hasher};
use tempfile::NamedTempFile;

use crate::blobs;
use crate::descriptor::Descriptor;
use crate::error::CatalogError;

/// How the names of files that are being written start; a killed writer leaves one behind.
pub(crate) const PARTIAL: &str = ".partial-";

/// A blob that is being written. Dropping it removes what was written.
#[derive(Debug)]
pub(crate) struct Staging {
    file: NamedTempFile,
    hasher: Hasher,
    size: u64,
}

/// A blob that is written and on disk, and whose digest is known. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Staged {
    file: NamedTempFile,
    digest: Digest,
    size: u64,
}

impl Staging {
    pub(crate) fn new(layout: &Path) -> Result<Staging, CatalogError> {
        Ok(Staging { file: new_file(layout)?, hasher: Hasher::new(), size: 0 })
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), CatalogError> {
        self.file.write_all(bytes).map_err(CatalogError::io("write", self.file.path()))?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Appends the next bytes of `blob`; more than it has are refused before they are written.
    pub(crate) fn append_of(&mut self, blob: &Descriptor, bytes: &[u8]) -> Result<(), CatalogError> {
        let found = self.size + bytes.len() as u64;
        match found > blob.size {
            true => Err(CatalogError::WrongSize { digest: blob.digest, wanted: blob.size, found }),
            false => self.append(bytes),
        }
    }

    /// How many bytes there are so far.
    #[cfg(feature = "registry")]
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Forgets all bytes that there are so far.
    #[cfg(feature = "registry")]
    pub(crate) fn restart(&mut self) -> Result<(), CatalogError> {
        let file = self.file.as_file_mut();
        let emptied = file.set_len(0).and_then(|()| file.rewind());
        emptied.map_err(CatalogError::io("empty", self.file.path()))?;
        (self.hasher, self.size) = (Hasher::new(), 0);
        Ok(())
    }

    /// Makes the bytes durable under the digest that they have.
    pub(crate) fn finish(self) -> Result<Staged, CatalogError> {
        sync(self.file.as_file(), self.file.path())?;
        Ok(Staged { file: self.file, digest: self.hasher.finish(), size: self.size })
    }

    /// The same, for bytes that must be those of `blob`.
    pub(crate) fn finish_as(self, blob: &Descriptor) -> Result<Staged, CatalogError> {
        let staged = self.finish()?;
        blobs::check(blob, staged.size, staged.digest)?;
        Ok(staged)
    }
}

impl Staged {
    /// The blob `blob`, read from `source`, which `from` names in errors.
    pub(crate) fn copy(
        layout: &Path,
        blob: &Descriptor,
        source: &mut impl Read,
        from: &Path,
    ) -> Result<Staged, CatalogError> {
        let mut staging = Staging::new(layout)?;
        read_chunks(source, from, |chunk| staging.append_of(blob, chunk))?;
        staging.finish_as(blob)
    }

    /// A blob of bytes at hand.
    pub(crate) fn bytes(layout: &Path, bytes: &[u8]) -> Result<Staged, CatalogError> {
        let mut staging = Staging::new(layout)?;
        staging.append(bytes)?;
        staging.finish()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives the blob its name; the same blob may be there already. [`sync_dir`] makes the name durable.
    pub(crate) fn commit(self, layout: &Path) -> Result<(), CatalogError> {
        let path = blobs::dir(layout).join(self.digest.hex());
        self.file.persist(&path).map_err(|error| CatalogError::io("write", path)(error.error))?;
        Ok(())
    }
}

fn read_chunks(
    source: &mut impl Read,
    from: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), CatalogError>,
) -> Result<(), CatalogError> {
    let mut chunk = vec![0; blobs::CHUNK];
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&chunk[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CatalogError::io("read", from)(error)),
        }
    }
}

/// Replaces the file at `path`, or makes it: whoever opens it sees all of the old bytes or all of the new ones.
pub(crate) fn write_whole(layout: &Path, path: &Path, bytes: &[u8]) -> Result<(), CatalogError> {
    let mut file = new_file(layout)?;
    file.write_all(bytes).map_err(CatalogError::io("write", file.path()))?;
    sync(file.as_file(), file.path())?;
    file.persist(path).map_err(|error| CatalogError::io("write", path)(error.error))?;
    sync_dir(layout)
}

/// Makes the names in a directory durable (fsync(2): a new file needs this too).
pub(crate) fn sync_dir(dir: &Path) -> Result<(), CatalogError> {
    let file = File::open(dir).map_err(CatalogError::io("open", dir))?;
    sync(&file, dir)
}

fn sync(file: &File, path: &Path) -> Result<(), CatalogError> {
    file.sync_all().map_err(CatalogError::io("sync", path))
}

/// A file in the layout's own directory: only within one file system is a rename atomic.
fn new_file(layout: &Path) -> Result<NamedTempFile, CatalogError> {
    // What others may read is up to the umask, as for any file; a temporary file is private by default.
    let readable = Permissions::from_mode(0o666);
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(PARTIAL).permissions(readable).tempfile_in(layout);
    made.map_err(CatalogError::io("make a file in", layout))
}

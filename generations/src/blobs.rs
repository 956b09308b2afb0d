//! Putting a blob into the store.

use std::io::{self, Read};

use spec::{Digest, Hasher};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::fault;
use crate::layout::{self, BLOBS};
use crate::set::Blob;
use crate::store::Store;
use crate::view::CHUNK;

impl<D: Disk> Store<D> {
    /// Copies a blob into the store. It has its name only when all of it is on disk and has the digest that it should
    /// have; a blob that is there and whole is not written again, and one that is damaged is replaced.
    pub fn put_blob(&mut self, source: &mut dyn Read, blob: &Blob) -> Result<(), StoreError> {
        self.finish_collection()?;
        let disk = &self.view.disk;
        if self.view.check_blob(blob).is_err() {
            let temporary = layout::temporary_blob(&blob.digest);
            self.remove_any(&temporary)?;
            if let Err(error) = self.write_blob(&temporary, source, blob) {
                // Only the room that it takes is at stake, and the next collection removes it as well.
                let _ = self.remove_any(&temporary);
                return Err(error);
            }
            disk.rename(&temporary, &layout::blob(&blob.digest))?;
            fault::point("put.named")?;
        }
        // Also where it was there: whoever put it may have been killed before this.
        disk.sync_dir(BLOBS)?;
        fault::point("put.durable")
    }

    fn write_blob(&self, path: &str, source: &mut dyn Read, blob: &Blob) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        let mut file = disk.create(path)?;
        fault::point("put.started")?;
        let found = copy(source, blob, |bytes| Ok(disk.append(&mut file, bytes)?))?;
        fault::point("put.written")?;
        if found != blob.digest {
            return Err(StoreError::WrongDigest { wanted: blob.digest, found });
        }
        disk.sync_file(&file)?;
        fault::point("put.synced")
    }
}

/// Hands on all bytes of a source, and returns their digest. What is more than the blob has is not handed on.
fn copy(
    source: &mut dyn Read,
    blob: &Blob,
    mut take: impl FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<Digest, StoreError> {
    let Blob { digest, size: wanted } = *blob;
    let mut hasher = Hasher::new();
    let mut found = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match source.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(StoreError::Source { digest, source }),
        };
        found += count as u64;
        if found > wanted || (count == 0 && found < wanted) {
            return Err(StoreError::WrongSize { digest, wanted, found });
        }
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&chunk[..count]);
        take(&chunk[..count])?;
    }
}

//! What is sent: bytes that can be read again from any place, so that an upload can go on where it broke off.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, Stream};
use spec::Hasher;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

use super::RegistryError;
use super::session::Result;
use super::subject::Subject;
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::error::CatalogError;

/// How much is read and sent at once, in bytes. A stall is noticed by the piece, and a slow line is none.
const PIECE: usize = 256 << 10;

/// The bytes of a blob.
#[derive(Debug, Clone)]
pub(super) enum Content {
    File(Arc<Local>),
    Bytes(Arc<[u8]>),
}

/// A blob of a layout. It is hashed by a thread of its own while it is sent, and not said to be whole before.
#[derive(Debug)]
pub(super) struct Local {
    file: Arc<File>,
    check: Mutex<Check>,
}

/// What is known of a file's bytes.
#[derive(Debug)]
enum Check {
    Due,
    Running(JoinHandle<std::result::Result<(), CatalogError>>),
    Passed,
}

impl Local {
    /// Opens a blob of this size; its bytes are not checked.
    pub(super) fn open(layout: &Path, blob: &Descriptor) -> std::result::Result<Local, CatalogError> {
        let file = blobs::open_sized(layout, blob)?;
        Ok(Local { file: Arc::new(file), check: Mutex::new(Check::Due) })
    }

    async fn start_check(&self, blob: &Descriptor) {
        let mut check = self.check.lock().await;
        if let Check::Due = *check {
            let (file, blob) = (Arc::clone(&self.file), blob.clone());
            *check = Check::Running(spawn_blocking(move || hash(&file, &blob)));
        }
    }

    async fn checked(&self, about: &Subject) -> Result<()> {
        let mut check = self.check.lock().await;
        if let Check::Running(hash) = &mut *check {
            hash.await.map_err(|error| RegistryError::setup(about.clone(), error))??;
            *check = Check::Passed;
        }
        Ok(())
    }
}

/// Reads all of a file, leaving its position alone.
fn hash(file: &File, blob: &Descriptor) -> std::result::Result<(), CatalogError> {
    let (mut hasher, mut at, mut piece) = (Hasher::new(), 0, vec![0; PIECE]);
    while at <= blob.size {
        let read = read_at(file, &mut piece, at);
        let count = read.map_err(CatalogError::io("read", format!("blob {}", blob.digest)))?;
        if count == 0 {
            break;
        }
        hasher.update(&piece[..count]);
        at += count as u64;
    }
    blobs::check(blob, at, hasher.finish())
}

fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(piece, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

impl Content {
    /// Begins to find out whether the bytes are those of `blob`.
    pub(super) async fn start_check(&self, blob: &Descriptor) {
        if let Content::File(local) = self {
            local.start_check(blob).await;
        }
    }

    /// Waits for what [`Content::start_check`] finds. What is damaged on this side is an error of this side.
    pub(super) async fn checked(&self, about: &Subject) -> Result<()> {
        match self {
            Content::File(local) => local.checked(about).await,
            Content::Bytes(_) => Ok(()),
        }
    }

    /// The bytes from `from` to `end`, one piece in memory at a time. `at` is where the stream is.
    pub(super) fn stream(
        self,
        from: u64,
        end: u64,
        at: Arc<AtomicU64>,
    ) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
        at.store(from, Ordering::Relaxed);
        stream::try_unfold(from, move |from| {
            let piece = self.piece(from, end);
            let at = Arc::clone(&at);
            async move {
                let piece = piece?;
                let next = from + piece.len() as u64;
                at.store(next, Ordering::Relaxed);
                Ok((!piece.is_empty()).then_some((piece, next)))
            }
        })
    }

    fn piece(&self, from: u64, end: u64) -> io::Result<Vec<u8>> {
        let most = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX).min(PIECE);
        match self {
            Content::Bytes(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[from..].iter().take(most).copied().collect())
            }
            Content::File(local) => {
                let mut piece = vec![0; most];
                let count = read_at(&local.file, &mut piece, from)?;
                piece.truncate(count);
                Ok(piece)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::TryStreamExt;

    use super::*;

    #[test]
    fn any_part_can_be_read_again() {
        let bytes: Vec<u8> = (0..2 * PIECE + 7).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let end = bytes.len() as u64;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let local = Local { file: Arc::new(file), check: Mutex::new(Check::Due) };
        for content in [Content::File(Arc::new(local)), Content::Bytes(bytes.clone().into())] {
            for (from, end) in [(0, end), (5, end), (5, 9), (end, end), (end + 1, end)] {
                let at = Arc::new(AtomicU64::new(0));
                let stream = content.clone().stream(from, end, Arc::clone(&at));
                let read: Vec<Vec<u8>> = runtime.block_on(stream.try_collect()).unwrap();
                let wanted = bytes.get(from as usize..end as usize).unwrap_or_default();
                assert_eq!(read.concat(), wanted, "{from} to {end}");
                assert_eq!(at.load(Ordering::Relaxed), from + wanted.len() as u64);
                assert!(read.iter().all(|piece| piece.len() <= PIECE));
            }
        }
    }
}

//! What is sent: bytes that can be read again from any place, so that an upload can go on where it broke off.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, Stream};

use crate::blobs;

/// The bytes of a blob.
#[derive(Debug, Clone)]
pub(super) enum Content {
    File(Arc<File>),
    Bytes(Arc<[u8]>),
}

impl Content {
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
        let most = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX).min(blobs::CHUNK);
        match self {
            Content::Bytes(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[from..].iter().take(most).copied().collect())
            }
            Content::File(file) => {
                let mut piece = vec![0; most];
                let count = loop {
                    match file.read_at(&mut piece, from) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        read => break read?,
                    }
                };
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
        let bytes: Vec<u8> = (0..2 * blobs::CHUNK + 7).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let end = bytes.len() as u64;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for content in [Content::File(Arc::new(file)), Content::Bytes(bytes.clone().into())] {
            for (from, end) in [(0, end), (5, end), (5, 9), (end, end), (end + 1, end)] {
                let at = Arc::new(AtomicU64::new(0));
                let stream = content.clone().stream(from, end, Arc::clone(&at));
                let read: Vec<Vec<u8>> = runtime.block_on(stream.try_collect()).unwrap();
                let wanted = bytes.get(from as usize..end as usize).unwrap_or_default();
                assert_eq!(read.concat(), wanted, "{from} to {end}");
                assert_eq!(at.load(Ordering::Relaxed), from + wanted.len() as u64);
                assert!(read.iter().all(|piece| piece.len() <= blobs::CHUNK));
            }
        }
    }
}

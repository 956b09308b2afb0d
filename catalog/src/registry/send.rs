//! Writing to a registry.

use std::io::{self, Read};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream;
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use reqwest::header::HeaderValue;
use tokio::time::timeout;

use super::RegistryError;
use super::session::{Result, Session, oci_reference};
use crate::blobs;
use crate::descriptor::Descriptor;

/// How long a registry may take nothing and say nothing. It may well be storing the blob that it has just got.
const STALL: Duration = Duration::from_secs(60);
/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);

impl Session<'_> {
    /// Sends a blob unless the registry has it. `tick` is told now and then how many bytes have gone out.
    pub(super) async fn put_blob(
        &self,
        blob: &Descriptor,
        source: impl Read + Send + 'static,
        mut tick: impl FnMut(u64),
    ) -> Result<()> {
        let image = oci_reference(self.reference, self.tag());
        self.as_anybody(&image).await;
        let digest = blob.digest.to_string();
        if self.timed(self.oci.blob_exists(&image, &digest)).await? {
            return Ok(());
        }
        let sent = Arc::new(AtomicU64::new(0));
        let chunks = chunks_of(source, Arc::clone(&sent));
        let mut upload = pin!(self.oci.push_blob_stream(&image, chunks, &digest, Some(blob.size)));
        let (mut last, mut since) = (0, Instant::now());
        loop {
            if let Ok(done) = timeout(TICK, &mut upload).await {
                return done.map(drop).map_err(|error| RegistryError::oci(self.reference, error));
            }
            let now = sent.load(Ordering::Relaxed);
            tick(now);
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() > STALL {
                return Err(self.stalled());
            }
        }
    }

    /// Stores a manifest under `name`, a tag or its own digest.
    pub(super) async fn put_manifest(
        &self,
        name: &str,
        bytes: Vec<u8>,
        media_type: &'static str,
    ) -> Result<()> {
        // A digest goes in as a tag as well: the URL is the same, and oci-client's way around a missing `Location`
        // header expects one.
        let image = oci_reference(self.reference, name.to_owned());
        self.as_anybody(&image).await;
        let media_type = HeaderValue::from_static(media_type);
        self.timed(self.oci.push_manifest_raw(&image, bytes, media_type)).await.map(drop)
    }

    /// Waits for a short exchange of the protocol library.
    async fn timed<T>(
        &self,
        exchange: impl Future<Output = std::result::Result<T, OciDistributionError>>,
    ) -> Result<T> {
        match timeout(STALL, exchange).await {
            Ok(done) => done.map_err(|error| RegistryError::oci(self.reference, error)),
            Err(_) => Err(self.stalled()),
        }
    }

    /// oci-client asks for a token only where it has been told how.
    async fn as_anybody(&self, image: &oci_client::Reference) {
        self.oci.store_auth_if_needed(image.resolve_registry(), &RegistryAuth::Anonymous).await;
    }

    fn stalled(&self) -> RegistryError {
        RegistryError::Stalled { reference: Box::new(self.reference.clone()), seconds: STALL.as_secs() }
    }
}

/// The bytes of `source` as a stream that holds one piece at a time, counted as they leave.
fn chunks_of<B: From<Vec<u8>>>(
    source: impl Read + Send + 'static,
    sent: Arc<AtomicU64>,
) -> impl stream::Stream<Item = std::result::Result<B, OciDistributionError>> + Send + 'static {
    stream::try_unfold(source, move |mut source| {
        let sent = Arc::clone(&sent);
        async move {
            let mut chunk = vec![0; blobs::CHUNK];
            let count = loop {
                match source.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            chunk.truncate(count);
            sent.fetch_add(count as u64, Ordering::Relaxed);
            Ok((count > 0).then(|| (B::from(chunk), source)))
        }
    })
}

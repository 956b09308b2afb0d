//! Writing to a registry (distribution-spec 1.1, "Push"): a session of uploads, all bytes in one request, and the
//! digest. What broke off goes on at the byte that the registry has.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use reqwest::{Body, Response, StatusCode, Url};
use tokio::time::timeout;

use super::RegistryError;
use super::content::Content;
use super::meter::Share;
use super::range::taken;
use super::retry::Tries;
use super::session::{Purpose, Result, Session};
use super::subject::Subject;
use crate::descriptor::Descriptor;

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);
/// The media type in which blobs are sent (distribution-spec 1.1, "Pushing blobs").
const BYTES: &str = "application/octet-stream";

/// A blob that the registry has a part of.
#[derive(Debug, Clone)]
struct Upload {
    /// Where the rest goes.
    url: Url,
    /// How many bytes are there.
    at: u64,
}

impl Session<'_> {
    /// Sends a blob unless the registry has it.
    pub(super) async fn put_blob(
        &self,
        blob: &Descriptor,
        content: &Content,
        share: &Share<'_>,
    ) -> Result<()> {
        let about = Subject::blob(self.reference, &blob.digest);
        let mut tries = Tries::new(self.access.patience);
        let mut upload = None;
        while let Err(error) = self.rest_of_upload(&about, blob, content, &mut upload, share).await {
            tries.reached(upload.as_ref().map_or(0, |upload| upload.at));
            tries.wait_after(error).await?;
        }
        share.complete();
        Ok(())
    }

    /// Sends what the registry does not have yet.
    async fn rest_of_upload(
        &self,
        about: &Subject,
        blob: &Descriptor,
        content: &Content,
        upload: &mut Option<Upload>,
        share: &Share<'_>,
    ) -> Result<()> {
        // On a second try too: the blob may have arrived, and only the answer not.
        if self.has_blob(about, blob).await? {
            return Ok(());
        }
        let open = match upload.clone() {
            Some(open) => self.resume(about, blob, open).await?,
            None => match self.mount_or_start(about, blob).await? {
                Some(open) => open,
                None => return Ok(()),
            },
        };
        let open = upload.insert(open);
        share.at(open.at);
        content.start_check(blob).await;
        if open.at < blob.size {
            let response = self.patch(about, blob, content, open, share).await?;
            open.url = self.location(about, &response)?;
            open.at = received(&response).unwrap_or(blob.size);
            if open.at != blob.size {
                let (about, at) = (Box::new(about.clone()), open.at);
                return Err(RegistryError::CutShort { about, at, size: blob.size });
            }
        }
        content.checked(about).await?;
        self.close(about, blob, open).await
    }

    async fn has_blob(&self, about: &Subject, blob: &Descriptor) -> Result<bool> {
        let url = self.address(&format!("blobs/{}", blob.digest));
        let response = self.ask(about, || self.http.head(&url)).await?;
        match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.answer(about, &response)),
        }
    }

    /// Takes the blob over from the repository that the user has named; opens a session where that does not go.
    async fn mount_or_start(&self, about: &Subject, blob: &Descriptor) -> Result<Option<Upload>> {
        let Purpose::Push { mount_from: Some(from) } = self.purpose else {
            return self.start(about).await.map(Some);
        };
        let url = self.address(&format!("blobs/uploads/?mount={}&from={from}", blob.digest));
        let response = self.ask(about, || self.http.post(&url).header(CONTENT_LENGTH, 0)).await?;
        match response.status() {
            StatusCode::CREATED => Ok(None),
            StatusCode::ACCEPTED => Ok(Some(Upload { url: self.location(about, &response)?, at: 0 })),
            // A registry that does not mount, or not for us, may take the bytes.
            _ => self.start(about).await.map(Some),
        }
    }

    /// Opens a session of uploads.
    async fn start(&self, about: &Subject) -> Result<Upload> {
        let url = self.address("blobs/uploads/");
        let response = self.ask(about, || self.http.post(&url).header(CONTENT_LENGTH, 0)).await?;
        match response.status() {
            StatusCode::ACCEPTED => Ok(Upload { url: self.location(about, &response)?, at: 0 }),
            _ => Err(self.answer(about, &response)),
        }
    }

    /// Asks how far an upload has come; where the registry does not know for sure, a new one begins.
    async fn resume(&self, about: &Subject, blob: &Descriptor, upload: Upload) -> Result<Upload> {
        let response = self.ask(about, || self.http.get(upload.url.clone())).await?;
        match received(&response) {
            Some(at) if response.status() == StatusCode::NO_CONTENT && at <= blob.size => {
                Ok(Upload { url: self.location(about, &response).unwrap_or(upload.url), at })
            }
            _ => self.start(about).await,
        }
    }

    /// Sends all bytes from the place where the upload is.
    async fn patch(
        &self,
        about: &Subject,
        blob: &Descriptor,
        content: &Content,
        upload: &Upload,
        share: &Share<'_>,
    ) -> Result<Response> {
        let at = Arc::new(AtomicU64::new(upload.at));
        let make = || {
            let stream = content.clone().stream(upload.at, blob.size, Arc::clone(&at));
            self.http
                .patch(upload.url.clone())
                .header(CONTENT_TYPE, BYTES)
                .header(CONTENT_LENGTH, blob.size - upload.at)
                .header(CONTENT_RANGE, format!("{}-{}", upload.at, blob.size - 1))
                .body(Body::wrap_stream(stream))
        };
        let response = self.watched(about, &at, share, self.send(about, make)).await?;
        match response.status() {
            StatusCode::ACCEPTED => Ok(response),
            _ => Err(self.refused(about, &response)),
        }
    }

    /// Waits for an answer for as long as bytes go out, and shows how many.
    async fn watched(
        &self,
        about: &Subject,
        at: &AtomicU64,
        share: &Share<'_>,
        exchange: impl Future<Output = Result<Response>>,
    ) -> Result<Response> {
        let mut exchange = pin!(exchange);
        let (mut last, mut since) = (at.load(Ordering::Relaxed), Instant::now());
        loop {
            if let Ok(done) = timeout(TICK, &mut exchange).await {
                return done;
            }
            let now = at.load(Ordering::Relaxed);
            share.at(now);
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() > self.access.patience.stall {
                return Err(RegistryError::stalled(about, self.access.patience.stall));
            }
        }
    }

    /// Says that all bytes are there, and what their digest must be.
    async fn close(&self, about: &Subject, blob: &Descriptor, upload: &Upload) -> Result<()> {
        let mut url = upload.url.clone();
        url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
        let make = || self.http.put(url.clone()).header(CONTENT_TYPE, BYTES).header(CONTENT_LENGTH, 0);
        let response = self.ask(about, make).await?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(self.refused(about, &response)),
        }
    }

    /// A part of an upload was refused; the registry may have forgotten it, or count its bytes in another way.
    fn refused(&self, about: &Subject, response: &Response) -> RegistryError {
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE => {
                RegistryError::UploadLost { about: Box::new(about.clone()) }
            }
            _ => self.answer(about, response),
        }
    }

    /// Stores a manifest under `name`, a tag or its own digest.
    pub(super) async fn put_manifest(&self, name: &str, bytes: &[u8], media_type: &str) -> Result<()> {
        let path = format!("manifests/{name}");
        let about = Subject::document(self.reference, &path);
        let make =
            || self.http.put(self.address(&path)).header(CONTENT_TYPE, media_type).body(bytes.to_vec());
        self.retrying(async || {
            let response = self.ask(&about, make).await?;
            match response.status().is_success() {
                true => Ok(()),
                false => Err(self.answer(&about, &response)),
            }
        })
        .await
    }
}

/// How many bytes of an upload an answer says that the registry has.
fn received(response: &Response) -> Option<u64> {
    taken(response.headers().get(RANGE)?.to_str().ok()?)
}

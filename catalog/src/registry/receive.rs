//! Reading from a registry, every answer with a bound.

use std::ops::Deref;

use futures_util::future;
use reqwest::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use reqwest::{Response, StatusCode, Url};
use spec::Digest;
use spec::artifact::{limits, media};
use spec::defence::{self, Threat};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::RegistryError;
use super::link::next_page;
use super::meter::Share;
use super::range::ContentRange;
use super::retry::Tries;
use super::session::{Result, Session, apart};
use super::subject::Subject;
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::error::CatalogError;
use crate::staging::{Staged, Staging};
use crate::store::Store;

/// How many pieces of a blob wait for the disk, of up to half a MiB each (the HTTP client's buffer).
const CHUNKS: usize = 8;
/// Fewer bytes than these in the time of a stall are as good as none.
const TRICKLE: u64 = 64 << 10;

/// A document, or a page of a longer one.
pub(super) struct Page {
    pub(super) bytes: Vec<u8>,
    pub(super) described: Descriptor,
    /// Where it came from in the end.
    pub(super) from: Url,
    /// Where the registry says that the next page is, seen from there.
    pub(super) next: Option<String>,
}

impl Session<'_> {
    /// Reads the manifest or index that the reference names; its digest is that of the reference if that has one.
    pub(super) async fn manifest(&self) -> Result<(Vec<u8>, Descriptor)> {
        let name = match &self.reference.select.digest {
            Some(digest) => digest.to_string(),
            None => self.tag(),
        };
        let accept = format!("{}, {}", media::MANIFEST, media::INDEX);
        let Some((bytes, described)) = self.document(&format!("manifests/{name}"), &accept).await? else {
            return Err(RegistryError::NotFound { about: Box::new(Subject::artifact(self.reference)) });
        };
        match self.reference.select.digest {
            Some(wanted) if wanted != described.digest && defence::stands(Threat::B3) => {
                Err(self.refuse(CatalogError::WrongDigest { wanted, found: described.digest }))
            }
            _ => Ok((bytes, described)),
        }
    }

    /// Reads a manifest or index; `None` where there is none. The media type of the descriptor is what the
    /// registry says, the rest is computed.
    pub(super) async fn document(&self, path: &str, accept: &str) -> Result<Option<(Vec<u8>, Descriptor)>> {
        let about = Subject::document(self.reference, path);
        let page = self.page(&about, &self.address(path), path, accept, limits::MANIFEST).await?;
        Ok(page.map(|page| (page.bytes, page.described)))
    }

    /// The same from any address, `what` in errors, of at most `limit` bytes.
    pub(super) async fn page(
        &self,
        about: &Subject,
        url: &str,
        what: &str,
        accept: &str,
        limit: u64,
    ) -> Result<Option<Page>> {
        self.retrying(async || {
            let Some(response) = self.get(about, url, accept).await? else { return Ok(None) };
            let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let media_type =
                media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_owned();
            let next = next_page(response.headers()).map(str::to_owned);
            let from = response.url().clone();
            let bytes = self.body(about, response, limit, what).await?;
            let described = Descriptor::of(&media_type, &bytes);
            Ok(Some(Page { bytes, described, from, next }))
        })
        .await
    }

    /// Reads a manifest of at most `limit` bytes that a list names.
    pub(super) async fn listed_manifest(&self, listed: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        self.named("manifests", listed, limit).await
    }

    /// Reads a blob of at most `limit` bytes.
    pub(super) async fn small_blob(&self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        self.named("blobs", blob, limit).await
    }

    async fn named(&self, kind: &str, wanted: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let path = format!("{kind}/{}", wanted.digest);
        let about = match kind {
            "blobs" => Subject::blob(self.reference, &wanted.digest),
            _ => Subject::document(self.reference, &path),
        };
        let refuse = |error| RegistryError::received(&about, error);
        if wanted.size > limit {
            return Err(refuse(CatalogError::TooLarge { what: path, size: wanted.size, limit }));
        }
        self.retrying(async || {
            let response = self.get(&about, &self.address(&path), &wanted.media_type).await?;
            let response = response.ok_or_else(|| refuse(absent(&path)))?;
            let bytes = self.body(&about, response, wanted.size, &path).await?;
            blobs::check(wanted, bytes.len() as u64, Digest::of(&bytes)).map_err(refuse)?;
            Ok(bytes)
        })
        .await
    }

    /// Brings a blob of any size to the disk of `store`, not yet under its name. What broke off goes on where it was.
    pub(super) async fn large_blob(
        &self,
        blob: &Descriptor,
        store: &Store,
        share: &Share<'_>,
    ) -> Result<Staged> {
        let about = Subject::blob(self.reference, &blob.digest);
        let mut staging = Staging::new(store.dir())?;
        let mut tries = Tries::new(self.access.patience);
        loop {
            let done = match self.ask_for_rest(&about, blob, &mut staging, share).await {
                Ok(None) => break,
                Ok(Some(response)) => {
                    let received = self.receive(&about, blob, response, staging, share).await?;
                    staging = received.0;
                    received.1
                }
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => break,
                Err(error) => {
                    tries.reached(staging.size());
                    tries.wait_after(error).await?;
                }
            }
        }
        let wanted = blob.clone();
        apart(&about, move || staging.finish_as(&wanted))
            .await?
            .map_err(|error| RegistryError::received(&about, error))
    }

    /// Asks for what `staging` does not have yet; `None` where it has all.
    async fn ask_for_rest(
        &self,
        about: &Subject,
        blob: &Descriptor,
        staging: &mut Staging,
        share: &Share<'_>,
    ) -> Result<Option<Response>> {
        if staging.size() == blob.size && blob.size > 0 {
            return Ok(None);
        }
        let response = self.blob_from(about, blob, staging.size()).await?;
        if response.status() == StatusCode::OK && staging.size() > 0 {
            // A registry without Range gives all of it again.
            staging.restart()?;
            share.at(0);
        }
        let missing = blob.size - staging.size();
        if let Some(found) = response.content_length().filter(|found| *found != missing) {
            let found = staging.size().saturating_add(found);
            let error = CatalogError::WrongSize { digest: blob.digest, wanted: blob.size, found };
            return Err(RegistryError::received(about, error));
        }
        Ok(Some(response))
    }

    /// Receives a body while another thread hashes and writes what has come. Gives `staging` back, with all that came
    /// however it ended.
    async fn receive(
        &self,
        about: &Subject,
        blob: &Descriptor,
        mut response: Response,
        mut staging: Staging,
        share: &Share<'_>,
    ) -> Result<(Staging, Result<()>)> {
        let (from, wanted) = (staging.size(), blob.clone());
        let (sender, mut chunks) = mpsc::channel(CHUNKS);
        // The channel closes when its end is dropped, however that comes.
        let receive = async move {
            let (mut received, mut pace) = (from, self.pace());
            while let Some(chunk) = self.chunk(about, &mut response, &mut pace).await? {
                received += chunk.len() as u64;
                let since = Instant::now();
                if sender.send(chunk).await.is_err() {
                    // Nobody listens any more, and has an error to tell.
                    break;
                }
                // Our own disk is not the registry's fault.
                pace.due += since.elapsed();
                share.at(received);
            }
            Ok(())
        };
        let keep = apart(about, move || {
            let mut keep_all = || {
                while let Some(chunk) = chunks.blocking_recv() {
                    staging.append_of(&wanted, &chunk)?;
                }
                Ok(())
            };
            let kept = keep_all();
            (staging, kept)
        });
        let (kept, received) = future::join(keep, receive).await;
        let (staging, kept) = kept?;
        let result = match (kept, received) {
            (Err(error), _) => Err(RegistryError::received(about, error)),
            (Ok(()), Err(error)) => Err(error),
            // Nobody announced a length, so that the end of the connection is the end of the body.
            (Ok(()), Ok(())) if staging.size() != blob.size => Err(RegistryError::CutShort {
                about: Box::new(about.clone()),
                at: staging.size(),
                size: blob.size,
            }),
            (Ok(()), Ok(())) => Ok(()),
        };
        Ok((staging, result))
    }

    /// Asks for a blob from byte `from` on. The answer has status 200 and is the whole, or 206 and is that part.
    async fn blob_from(&self, about: &Subject, blob: &Descriptor, from: u64) -> Result<Response> {
        let path = format!("blobs/{}", blob.digest);
        let make = || {
            let request = self.http.get(self.address(&path)).header(ACCEPT, &blob.media_type);
            match from {
                0 => request,
                from => request.header(RANGE, format!("bytes={from}-")),
            }
        };
        let response = self.ask(about, make).await?;
        let refuse = |error| Err(RegistryError::received(about, error));
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::PARTIAL_CONTENT => {
                let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
                match range.and_then(ContentRange::parse) {
                    Some(range) if from > 0 && range.is_rest(from, blob.size) => Ok(response),
                    _ => refuse(CatalogError::malformed(
                        "header Content-Range",
                        format!("it is not the part from byte {from} to the end of {}", blob.size),
                    )),
                }
            }
            StatusCode::NOT_FOUND => refuse(absent(&path)),
            _ => Err(self.answer(about, &response)),
        }
    }

    /// Asks for what is at an address; `None` where there is nothing.
    async fn get(&self, about: &Subject, url: &str, accept: &str) -> Result<Option<Response>> {
        let make = || self.http.get(url).header(ACCEPT, accept);
        let response = self.ask(about, make).await?;
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.answer(about, &response)),
        }
    }

    /// Reads a body of at most `limit` bytes, in no more time than all tries of a thing have together.
    pub(super) async fn body(
        &self,
        about: &Subject,
        response: Response,
        limit: u64,
        what: &str,
    ) -> Result<Vec<u8>> {
        let total = self.access.patience.total;
        match timeout(total, self.whole_body(about, response, limit, what)).await {
            Ok(read) => read,
            Err(_) => Err(RegistryError::stalled(about, total)),
        }
    }

    async fn whole_body(
        &self,
        about: &Subject,
        mut response: Response,
        limit: u64,
        what: &str,
    ) -> Result<Vec<u8>> {
        let (mut bytes, mut pace) = (Vec::new(), self.pace());
        while let Some(chunk) = self.chunk(about, &mut response, &mut pace).await? {
            let size = bytes.len() as u64 + chunk.len() as u64;
            if size > limit {
                let error = CatalogError::TooLarge { what: what.to_owned(), size, limit };
                return Err(RegistryError::received(about, error));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn chunk(
        &self,
        about: &Subject,
        response: &mut Response,
        pace: &mut Pace,
    ) -> Result<Option<impl Deref<Target = [u8]> + Send + use<>>> {
        let Ok(chunk) = timeout_at(pace.due, response.chunk()).await else {
            return Err(RegistryError::stalled(about, self.access.patience.stall));
        };
        let chunk = chunk.map_err(|error| RegistryError::http(about, error))?;
        if let Some(chunk) = &chunk {
            pace.came += chunk.len() as u64;
            if pace.came >= TRICKLE {
                *pace = self.pace();
            }
        }
        Ok(chunk)
    }

    fn pace(&self) -> Pace {
        Pace { came: 0, due: Instant::now() + self.access.patience.stall }
    }
}

/// A body must come at a pace: one byte now and then would keep us for ever.
struct Pace {
    /// Bytes that have come of those that are due.
    came: u64,
    due: Instant,
}

/// What a manifest names must be there.
pub(super) fn absent(path: &str) -> CatalogError {
    CatalogError::malformed(path, "the registry names it and does not have it")
}

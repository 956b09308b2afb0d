//! The requests of one transfer.
//!
//! `oci-client` knows how to get a token and how to upload, but it takes documents and error pages of any length
//! into memory. So what a registry *sends* is read here, with a bound, by the HTTP client underneath it.

use std::io::{self, Read};
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream;
use oci_client::RegistryOperation;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use spec::Digest;
use spec::artifact::{limits, media};
use tokio::time::timeout;

use super::{PlainHttp, RegistryError};
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Index;
use crate::error::CatalogError;
use crate::reference::{RegistryReference, Tag};
use crate::staging::{Staged, Staging};
use crate::store::Store;

/// How long a host may take to accept a connection, its name lookup included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a registry may send and take nothing. Storing a large blob after its last byte has come counts too.
const STALL: Duration = Duration::from_secs(60);
/// How often progress is shown during an upload.
const TICK: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, RegistryError>;

pub(super) struct Session<'a> {
    pub(super) reference: &'a RegistryReference,
    base: String,
    http: reqwest::Client,
    oci: Client,
    token: Option<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(reference: &'a RegistryReference, plain: PlainHttp) -> Result<Session<'a>> {
        let plain = plain == PlainHttp::Loopback && reference.host.is_loopback();
        let setup = |error: reqwest::Error| RegistryError::setup(reference, error);
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT)
            .read_timeout(STALL)
            .https_only(!plain)
            .build()
            .map_err(setup)?;
        let oci = Client::try_from(ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            // One PUT of the whole blob: the other way is one request for each piece of the stream.
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT),
            user_agent: USER_AGENT,
            ..ClientConfig::default()
        })
        .map_err(|error| RegistryError::setup(reference, error))?;
        let scheme = if plain { "http" } else { "https" };
        let registry = oci_reference(reference, String::new());
        let base = format!("{scheme}://{}/v2/{}", registry.resolve_registry(), reference.repository);
        Ok(Session { reference, base, http, oci, token: None })
    }

    /// Reads the manifest that the reference names; its digest is that of the reference if that has one.
    pub(super) async fn manifest(&mut self) -> Result<(Vec<u8>, Descriptor)> {
        let name = match &self.reference.select.digest {
            Some(digest) => digest.to_string(),
            None => self.tag(),
        };
        let Some((bytes, described)) = self.document(&format!("manifests/{name}"), media::MANIFEST).await?
        else {
            return Err(RegistryError::status(self.reference, StatusCode::NOT_FOUND));
        };
        match self.reference.select.digest {
            Some(wanted) if wanted != described.digest => {
                Err(self.refuse(CatalogError::WrongDigest { wanted, found: described.digest }))
            }
            _ => Ok((bytes, described)),
        }
    }

    /// The tag that the reference means.
    pub(super) fn tag(&self) -> String {
        self.reference.select.tag.as_ref().map_or_else(|| "latest".to_owned(), Tag::to_string)
    }

    /// Reads the list of referrers of `subject`, from the API or, where there is none, from its tag.
    pub(super) async fn referrers(&mut self, subject: &Digest) -> Result<(Index, HasApi)> {
        if let Some((bytes, described)) = self.document(&format!("referrers/{subject}"), media::INDEX).await?
        {
            let index = Index::parse(&bytes, &described).map_err(|error| self.refuse(error))?;
            return Ok((index, HasApi::Yes));
        }
        let path = format!("manifests/{}", Tag::of_referrers(subject));
        match self.document(&path, media::INDEX).await? {
            Some((bytes, described)) => {
                let index = Index::parse(&bytes, &described).map_err(|error| self.refuse(error))?;
                Ok((index, HasApi::No))
            }
            None => Ok((Index::new(), HasApi::No)),
        }
    }

    /// Reads a manifest or index; `None` where there is none. The media type of the descriptor is what the
    /// registry says, the rest is computed.
    async fn document(&mut self, path: &str, accept: &str) -> Result<Option<(Vec<u8>, Descriptor)>> {
        let Some(response) = self.get(path, accept).await? else { return Ok(None) };
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type =
            media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_owned();
        let bytes = self.body(response, limits::MANIFEST, path).await?;
        let described = Descriptor::of(&media_type, &bytes);
        Ok(Some((bytes, described)))
    }

    /// Reads a manifest that a list names.
    pub(super) async fn listed_manifest(&mut self, listed: &Descriptor) -> Result<Vec<u8>> {
        self.named("manifests", listed, limits::MANIFEST).await
    }

    /// Reads a blob of at most `limit` bytes.
    pub(super) async fn small_blob(&mut self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        self.named("blobs", blob, limit).await
    }

    async fn named(&mut self, kind: &str, wanted: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let path = format!("{kind}/{}", wanted.digest);
        if wanted.size > limit {
            return Err(self.refuse(CatalogError::TooLarge { what: path, size: wanted.size, limit }));
        }
        let response = self.present(&path, &wanted.media_type).await?;
        let bytes = self.body(response, wanted.size, &path).await?;
        blobs::check(wanted, bytes.len() as u64, Digest::of(&bytes)).map_err(|error| self.refuse(error))?;
        Ok(bytes)
    }

    /// Brings a blob of any size to the disk of `store`, not yet under its name.
    pub(super) async fn large_blob(
        &mut self,
        blob: &Descriptor,
        store: &Store,
        mut arrived: impl FnMut(u64),
    ) -> Result<Staged> {
        let mut response = self.present(&format!("blobs/{}", blob.digest), &blob.media_type).await?;
        let mut staging = Staging::new(store.dir())?;
        while let Some(chunk) = self.chunk(&mut response).await? {
            staging.append_of(blob, &chunk).map_err(|error| self.refuse(error))?;
            arrived(chunk.len() as u64);
        }
        staging.finish_as(blob).map_err(|error| self.refuse(error))
    }

    /// Asks for something that a manifest names, so that it must be there.
    async fn present(&mut self, path: &str, accept: &str) -> Result<Response> {
        match self.get(path, accept).await? {
            Some(response) => Ok(response),
            None => {
                Err(self.refuse(CatalogError::malformed(path, "the registry names it and does not have it")))
            }
        }
    }

    async fn body(&self, mut response: Response, limit: u64, what: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            let size = bytes.len() as u64 + chunk.len() as u64;
            if size > limit {
                return Err(self.refuse(CatalogError::TooLarge { what: what.to_owned(), size, limit }));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<impl Deref<Target = [u8]> + use<>>> {
        response.chunk().await.map_err(|error| RegistryError::http(self.reference, error))
    }

    /// Asks for `path` under the repository; `None` where there is nothing.
    async fn get(&mut self, path: &str, accept: &str) -> Result<Option<Response>> {
        let mut response = self.send(path, accept).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.token = self.new_token().await?;
            response = self.send(path, accept).await?;
        }
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(RegistryError::status(self.reference, status)),
        }
    }

    async fn send(&self, path: &str, accept: &str) -> Result<Response> {
        let mut request = self.http.get(format!("{}/{path}", self.base)).header(ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await.map_err(|error| RegistryError::http(self.reference, error))
    }

    /// A token that lets anybody read, where the registry gives such out.
    async fn new_token(&self) -> Result<Option<String>> {
        let image = oci_reference(self.reference, self.tag());
        self.timed(self.oci.auth(&image, &RegistryAuth::Anonymous, RegistryOperation::Pull)).await
    }

    /// Sends a blob unless the registry has it. `sent` counts the bytes that have gone out; `tick` is called now
    /// and then meanwhile.
    pub(super) async fn put_blob(
        &self,
        blob: &Descriptor,
        source: impl Read + Send + 'static,
        mut tick: impl FnMut(u64),
    ) -> Result<()> {
        let image = oci_reference(self.reference, self.tag());
        self.oci.store_auth_if_needed(image.resolve_registry(), &RegistryAuth::Anonymous).await;
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
        self.oci.store_auth_if_needed(image.resolve_registry(), &RegistryAuth::Anonymous).await;
        let media_type = reqwest::header::HeaderValue::from_static(media_type);
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

    pub(super) fn refuse(&self, error: CatalogError) -> RegistryError {
        RegistryError::received(self.reference, error)
    }

    fn stalled(&self) -> RegistryError {
        RegistryError::Stalled { reference: Box::new(self.reference.clone()), seconds: STALL.as_secs() }
    }
}

/// Does the registry keep the lists of referrers itself?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HasApi {
    Yes,
    No,
}

const USER_AGENT: &str = concat!("tenon/", env!("CARGO_PKG_VERSION"));

fn oci_reference(reference: &RegistryReference, tag: String) -> oci_client::Reference {
    oci_client::Reference::with_tag(reference.host.to_string(), reference.repository.to_string(), tag)
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

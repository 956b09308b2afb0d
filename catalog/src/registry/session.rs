//! The connection of one transfer: who is asked, how, and who we are.

use std::cell::RefCell;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use spec::defence::{self, Threat};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::RegistryError;
use super::access::Access;
use super::credentials::Credentials;
use super::error::Cause;
use super::place::{follow_safely, is_loopback, is_safe, place_of};
use super::subject::Subject;
use super::tls::{authorities, unusable};
use crate::error::CatalogError;
use crate::reference::{RegistryReference, Repository, Tag};

/// How long a host may take to accept a connection, its name lookup included.
const CONNECT: Duration = Duration::from_secs(10);
/// What we call ourselves.
const USER_AGENT: &str = concat!("tenon/", env!("CARGO_PKG_VERSION"));
/// The name that images of Docker Hub are written with, and the host that serves them
/// (github.com/distribution/reference, normalize.go).
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

pub(super) type Result<T> = std::result::Result<T, RegistryError>;

/// What a transfer does to the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    Pull,
    Push {
        /// A repository of the same registry that may have some of the blobs.
        mount_from: Option<&'a Repository>,
    },
}

pub(super) struct Session<'a> {
    pub(super) reference: &'a RegistryReference,
    pub(super) access: &'a Access,
    pub(super) purpose: Purpose<'a>,
    pub(super) http: Client,
    /// The address of the repository.
    pub(super) base: Url,
    /// What the registry wants with every request, since it has said so.
    authorization: RefCell<Option<HeaderValue>>,
    /// Who we are, since we were asked.
    credentials: OnceCell<Option<Credentials>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        reference: &'a RegistryReference,
        access: &'a Access,
        purpose: Purpose<'a>,
    ) -> Result<Session<'a>> {
        let plain = access.plain_http || (reference.host.is_loopback() && access.ca_file.is_none());
        let http = client(reference, access, plain, Policy::custom(follow_safely))?;
        let scheme = if plain { "http" } else { "https" };
        let host = match reference.host.to_string() {
            hub if hub == DOCKER_HUB.0 => DOCKER_HUB.1.to_owned(),
            host => host,
        };
        let base = Url::parse(&format!("{scheme}://{host}/v2/{}/", reference.repository))
            .map_err(|error| RegistryError::setup(Subject::artifact(reference), error))?;
        let (authorization, credentials) = (RefCell::new(None), OnceCell::new());
        Ok(Session { reference, access, purpose, http, base, authorization, credentials })
    }

    /// A client that follows no redirect, for requests whose body is a secret.
    pub(super) fn staying(&self) -> Result<Client> {
        client(self.reference, self.access, self.base.scheme() == "http", Policy::none())
    }

    /// The tag that the reference means.
    pub(super) fn tag(&self) -> String {
        self.reference.select.tag.as_ref().map_or_else(|| "latest".to_owned(), Tag::to_string)
    }

    /// The address of something in the repository.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What is wrong with something that the registry has sent for the artifact as a whole.
    pub(super) fn refuse(&self, error: CatalogError) -> RegistryError {
        RegistryError::received(&Subject::artifact(self.reference), error)
    }

    /// Sends a request that `make` makes, and waits for the head of the answer. Where the registry wants to know who
    /// asks, `make` is called again.
    pub(super) async fn ask(&self, about: &Subject, make: impl Fn() -> RequestBuilder) -> Result<Response> {
        self.authorized(about, async || self.in_time(about, self.send_once(about, make())).await).await
    }

    /// The same without a limit of time, for requests that take long to send.
    pub(super) async fn send(&self, about: &Subject, make: impl Fn() -> RequestBuilder) -> Result<Response> {
        self.authorized(about, async || self.send_once(about, make()).await).await
    }

    async fn authorized(
        &self,
        about: &Subject,
        exchange: impl AsyncFn() -> Result<Response>,
    ) -> Result<Response> {
        let response = exchange().await?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_home(response.url()) {
            return Ok(response);
        }
        let Some(authorization) = self.authorize(about, &response).await? else { return Ok(response) };
        self.authorization.replace(Some(authorization));
        exchange().await
    }

    async fn send_once(&self, about: &Subject, request: RequestBuilder) -> Result<Response> {
        let failed = |error| RegistryError::http(about, error);
        let mut request = request.build().map_err(failed)?;
        let authorization = self.authorization.borrow().clone();
        if let Some(authorization) = authorization.filter(|_| self.is_home(request.url())) {
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        self.http.execute(request).await.map_err(failed)
    }

    /// Waits for something that should not take long.
    pub(super) async fn in_time<T>(
        &self,
        about: &Subject,
        exchange: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match timeout(self.access.patience.stall, exchange).await {
            Ok(done) => done,
            Err(_) => Err(RegistryError::stalled(about, self.access.patience.stall)),
        }
    }

    /// Who we are to the registry; looked up once. Plain HTTP is for this machine's ears only.
    pub(super) async fn credentials(&self, about: &Subject) -> Result<Option<Credentials>> {
        if self.base.scheme() != "https" && !is_loopback(&self.base) {
            return Ok(None);
        }
        let find = async || {
            let (files, reference) = (self.access.credentials.clone(), self.reference.clone());
            // Helper programs may take their time, which the other transfers can use.
            let found = apart(about, move || files.find(&reference)).await?;
            found.map_err(|source| RegistryError::Credentials { about: Box::new(about.clone()), source })
        };
        self.credentials.get_or_try_init(find).await.cloned()
    }

    /// What an answer means that is not a success.
    pub(super) fn answer(&self, about: &Subject, response: &Response) -> RegistryError {
        let user = self.credentials.get().and_then(|credentials| credentials.as_ref()).map(Credentials::user);
        RegistryError::answer(about, user, response)
    }

    /// Is it the registry itself, to whom alone we say who we are?
    fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.base.origin() || !defence::stands(Threat::B2)
    }

    /// Where an answer says that the exchange goes on.
    pub(super) fn location(&self, about: &Subject, response: &Response) -> Result<Url> {
        let header = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        match header.map(|text| response.url().join(text)) {
            Some(Ok(url)) => self.safe(about, url),
            _ => Err(RegistryError::received(
                about,
                CatalogError::malformed("header Location", "it is missing or is no address"),
            )),
        }
    }

    /// An address that the registry has named, if it may be gone to.
    pub(super) fn safe(&self, about: &Subject, url: Url) -> Result<Url> {
        match is_safe(&url, &self.base) {
            true => Ok(url),
            false => Err(RegistryError::LedAstray { about: Box::new(about.clone()), place: place_of(&url) }),
        }
    }
}

/// Does work that takes its time on another thread, which does not hold up the other transfers.
pub(super) async fn apart<T: Send + 'static>(
    about: &Subject,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.map_err(|error| RegistryError::setup(about.clone(), error))
}

fn client(reference: &RegistryReference, access: &Access, plain: bool, redirects: Policy) -> Result<Client> {
    let setup = |cause: Cause| RegistryError::setup(Subject::artifact(reference), cause);
    let builder = Client::builder()
        .tls_certs_merge(authorities(reference, access)?)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .https_only(!plain)
        .redirect(redirects)
        .referer(false);
    let builder = access.proxies.apply(builder).map_err(|error| setup(error.into()))?;
    // What is wrong with certificates comes out when they are put to use.
    builder.build().map_err(|error| match &access.ca_file {
        Some(path) => unusable(reference, path, error),
        None => setup(error.into()),
    })
}

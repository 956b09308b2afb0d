//! The connection of one transfer: who is asked, how, and what may be sent where.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::RegistryError;
use super::access::Access;
use super::answer::place_of;
use super::credentials::Credentials;
use super::error::Cause;
use super::subject::Subject;
use crate::error::CatalogError;
use crate::reference::{Host, RegistryReference, Repository, Tag};

/// How long a host may take to accept a connection, its name lookup included.
const CONNECT: Duration = Duration::from_secs(10);
/// How many redirects are followed. Registries use one, to where their blobs are.
const REDIRECTS: usize = 5;
/// How much of a file of authorities is read, in bytes: several times what a system has.
const AUTHORITIES_MAX: u64 = 4 << 20;
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
        // What is wrong with certificates comes out when they are put to use.
        let failed = |error: reqwest::Error| match &access.ca_file {
            Some(path) => unusable(reference, path, error),
            None => RegistryError::setup(Subject::artifact(reference), error),
        };
        let plain = access.plain_http || (reference.host.is_loopback() && access.ca_file.is_none());
        let http = Client::builder()
            .tls_certs_merge(authorities(reference, access)?)
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT)
            .https_only(!plain)
            .redirect(Policy::custom(follow_safely))
            .referer(false)
            .build()
            .map_err(failed)?;
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

    /// Sends a request that `make` makes, and waits for the head of the answer.
    pub(super) async fn ask(&self, about: &Subject, make: impl Fn() -> RequestBuilder) -> Result<Response> {
        self.in_time(about, self.send(about, make)).await
    }

    /// The same without a limit of time, for requests that take long to send.
    ///
    /// Where the registry wants to know who asks, `make` is called again.
    pub(super) async fn send(&self, about: &Subject, make: impl Fn() -> RequestBuilder) -> Result<Response> {
        let response = self.send_once(about, make()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_home(response.url()) {
            return Ok(response);
        }
        let Some(authorization) = self.authorize(about, &response).await? else { return Ok(response) };
        self.authorization.replace(Some(authorization));
        self.send_once(about, make()).await
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
            Err(_) => Err(self.stalled(about)),
        }
    }

    pub(super) fn stalled(&self, about: &Subject) -> RegistryError {
        let seconds = self.access.patience.stall.as_secs();
        RegistryError::Stalled { about: Box::new(about.clone()), seconds }
    }

    /// Who we are to the registry; looked up once. Plain HTTP is for this machine's ears only.
    pub(super) async fn credentials(&self, about: &Subject) -> Result<Option<Credentials>> {
        if self.base.scheme() != "https" && !is_loopback(&self.base) {
            return Ok(None);
        }
        let find = async || {
            let (files, reference) = (self.access.credentials.clone(), self.reference.clone());
            // Helper programs may take their time, which the other transfers can use.
            match spawn_blocking(move || files.find(&reference)).await {
                Ok(found) => found
                    .map_err(|source| RegistryError::Credentials { about: Box::new(about.clone()), source }),
                Err(error) => Err(RegistryError::setup(about.clone(), error)),
            }
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
        url.origin() == self.base.origin()
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

/// The authorities that are trusted besides the system's.
fn authorities(reference: &RegistryReference, access: &Access) -> Result<Vec<Certificate>> {
    let Some(path) = &access.ca_file else { return Ok(Vec::new()) };
    let bytes = read_bounded(path).map_err(|error| unusable(reference, path, error))?;
    let found = Certificate::from_pem_bundle(&bytes).map_err(|error| unusable(reference, path, error))?;
    match found.is_empty() {
        true => Err(unusable(reference, path, "there is no certificate in it")),
        false => Ok(found),
    }
}

fn unusable(reference: &RegistryReference, path: &Path, source: impl Into<Cause>) -> RegistryError {
    let about = Box::new(Subject::artifact(reference));
    RegistryError::Authorities { about, path: path.to_owned(), source: source.into() }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(AUTHORITIES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
#[error("the redirect to {place} is not followed")]
pub(super) struct Astray {
    pub(super) place: String,
}

/// Plain HTTP leads to plain HTTP on this machine or at the same place only, and TLS to TLS. The HTTP client does not take along what we said
/// of ourselves, unless scheme, host and port stay the same.
fn follow_safely(attempt: Attempt<'_>) -> Action {
    let followed = attempt.previous().len();
    match attempt.previous().first() {
        Some(first) if followed <= REDIRECTS && is_safe(attempt.url(), first) => attempt.follow(),
        _ => {
            let place = place_of(attempt.url());
            attempt.error(Astray { place })
        }
    }
}

/// May an exchange that began at `from` go on at `url`?
fn is_safe(url: &Url, from: &Url) -> bool {
    let is_web = match url.scheme() {
        "https" => true,
        "http" => from.scheme() == "http" && (is_loopback(url) || url.origin() == from.origin()),
        _ => false,
    };
    // A name in an address would be sent as credentials.
    is_web && url.username().is_empty() && url.password().is_none()
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().and_then(|host| host.parse::<Host>().ok());
    host.is_some_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_goes_on_where_nobody_listens() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (from, to, safe) in [
            ("https://a.example/x", "https://a.example/y", true),
            ("https://a.example/x", "https://cdn.example/y", true),
            ("https://a.example/x", "http://a.example/y", false),
            ("https://a.example/x", "http://127.0.0.1/y", false),
            ("http://127.0.0.1:5000/x", "http://127.0.0.1:5001/y", true),
            ("http://127.0.0.1:5000/x", "http://[::1]/y", true),
            ("http://127.0.0.1:5000/x", "http://169.254.169.254/y", false),
            ("http://127.0.0.1:5000/x", "http://a.example/y", false),
            ("http://a.example/x", "http://a.example/y", true),
            ("http://a.example/x", "http://a.example:81/y", false),
            ("http://a.example/x", "http://b.example/y", false),
            ("https://a.example/x", "https://user@a.example/y", false),
            ("https://a.example/x", "https://:word@a.example/y", false),
            ("https://a.example/x", "ftp://a.example/y", false),
            ("https://a.example/x", "file:///etc/passwd", false),
        ] {
            assert_eq!(is_safe(&url(to), &url(from)), safe, "{from} to {to}");
        }
    }
}

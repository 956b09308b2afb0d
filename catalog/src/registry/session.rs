//! The connection of one transfer.
//!
//! `oci-client` knows how to upload, but it takes documents and error pages of any length into memory. So only
//! [`send`](super::send) uses it, towards a registry that the user means to fill; what a registry gives out is read
//! in [`receive`](super::receive), with a bound, by the HTTP client underneath it.

use std::time::Duration;

use oci_client::client::{Client, ClientConfig, ClientProtocol};

use super::RegistryError;
use crate::error::CatalogError;
use crate::reference::{RegistryReference, Tag};

/// How long a host may take to accept a connection, its name lookup included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer, or the next piece of one, may take.
const READ: Duration = Duration::from_secs(20);
/// What we call ourselves.
const USER_AGENT: &str = concat!("tenon/", env!("CARGO_PKG_VERSION"));

pub(super) type Result<T> = std::result::Result<T, RegistryError>;

pub(super) struct Session<'a> {
    pub(super) reference: &'a RegistryReference,
    /// The address of the repository.
    pub(super) base: String,
    pub(super) http: reqwest::Client,
    pub(super) oci: Client,
    pub(super) token: Option<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(reference: &'a RegistryReference) -> Result<Session<'a>> {
        let plain = reference.host.is_loopback();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .https_only(!plain)
            .build()
            .map_err(|error| RegistryError::setup(reference, error))?;
        let oci = Client::try_from(ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            // One PUT of the whole blob: the other way is one request for each piece of the stream.
            use_monolithic_push: true,
            // No `read_timeout`: it would count the time that sending takes, too.
            connect_timeout: Some(CONNECT),
            user_agent: USER_AGENT,
            ..ClientConfig::default()
        })
        .map_err(|error| RegistryError::setup(reference, error))?;
        let scheme = if plain { "http" } else { "https" };
        // Docker Hub is reached under another name than it is written with; oci-client knows which.
        let host = oci_reference(reference, String::new()).resolve_registry().to_owned();
        let base = format!("{scheme}://{host}/v2/{}", reference.repository);
        Ok(Session { reference, base, http, oci, token: None })
    }

    /// The tag that the reference means.
    pub(super) fn tag(&self) -> String {
        self.reference.select.tag.as_ref().map_or_else(|| "latest".to_owned(), Tag::to_string)
    }

    pub(super) fn refuse(&self, error: CatalogError) -> RegistryError {
        RegistryError::received(self.reference, error)
    }
}

/// The same place in the words of the protocol library.
pub(super) fn oci_reference(reference: &RegistryReference, tag: String) -> oci_client::Reference {
    oci_client::Reference::with_tag(reference.host.to_string(), reference.repository.to_string(), tag)
}

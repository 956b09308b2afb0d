//! What can go wrong with a registry, in sentences that name it.

use std::error::Error;

use oci_client::errors::OciDistributionError;
use reqwest::StatusCode;
use spec::{Diagnose, Digest, Outcome};

use crate::error::CatalogError;
use crate::reference::RegistryReference;

/// Any error of the libraries underneath.
type Cause = Box<dyn Error + Send + Sync>;

/// Why an extension could not be brought from a registry, or to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The HTTP client does not start.
    #[error("cannot set up a connection for {reference}")]
    Setup {
        /// The artifact.
        reference: Box<RegistryReference>,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// No connection.
    #[error("registry {} cannot be reached for {reference}", reference.host)]
    Unreachable {
        /// The artifact.
        reference: Box<RegistryReference>,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The connection was there and broke, or the registry does not speak the protocol.
    #[error("the exchange with registry {} about {reference} broke off", reference.host)]
    Interrupted {
        /// The artifact.
        reference: Box<RegistryReference>,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The connection is there and nothing comes.
    #[error("registry {} has done nothing about {reference} for {seconds} s", reference.host)]
    Stalled {
        /// The artifact.
        reference: Box<RegistryReference>,
        /// How long it was given.
        seconds: u64,
    },
    /// No such repository or tag.
    #[error("registry {} has no {reference}", reference.host)]
    NotFound {
        /// The artifact.
        reference: Box<RegistryReference>,
    },
    /// The registry wants to know who asks.
    #[error("registry {} does not give anonymous access to {reference}", reference.host)]
    Denied {
        /// The artifact.
        reference: Box<RegistryReference>,
    },
    /// Any other answer that is not a success.
    #[error("registry {} answered {status} about {reference}", reference.host)]
    Answer {
        /// The artifact.
        reference: Box<RegistryReference>,
        /// The status of HTTP, or the error code of the distribution protocol.
        status: String,
    },
    /// What the registry sent is not what a descriptor promised.
    #[error("what registry {} sent for {reference} is refused", reference.host)]
    Sent {
        /// The artifact.
        reference: Box<RegistryReference>,
        /// What is wrong with it.
        #[source]
        source: CatalogError,
    },
    /// A push asks for another digest than the artifact has.
    #[error("{found} cannot be pushed as {reference}")]
    OtherDigest {
        /// The artifact that was named.
        reference: Box<RegistryReference>,
        /// The artifact that was given.
        found: Digest,
    },
    /// The registry has not kept what it was sent.
    #[error("registry {} does not serve {what} after accepting it for {reference}", reference.host)]
    NotKept {
        /// The artifact.
        reference: Box<RegistryReference>,
        /// The document.
        what: String,
    },
    /// The layout on this side cannot be read or written.
    #[error(transparent)]
    Local(#[from] CatalogError),
}

impl RegistryError {
    pub(super) fn setup(reference: &RegistryReference, source: impl Into<Cause>) -> RegistryError {
        RegistryError::Setup { reference: Box::new(reference.clone()), source: source.into() }
    }

    pub(super) fn not_kept(reference: &RegistryReference, what: impl Into<String>) -> RegistryError {
        RegistryError::NotKept { reference: Box::new(reference.clone()), what: what.into() }
    }

    pub(super) fn status(reference: &RegistryReference, status: StatusCode) -> RegistryError {
        let reference = Box::new(reference.clone());
        match status {
            StatusCode::NOT_FOUND => RegistryError::NotFound { reference },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied { reference },
            other => RegistryError::Answer { reference, status: other.to_string() },
        }
    }

    pub(super) fn http(reference: &RegistryReference, error: reqwest::Error) -> RegistryError {
        // The address is in our own sentence already, and a redirect may have put a secret into it.
        let error = error.without_url();
        let (reference, unreachable) = (Box::new(reference.clone()), error.is_connect());
        let source = Box::new(error);
        match unreachable {
            true => RegistryError::Unreachable { reference, source },
            false => RegistryError::Interrupted { reference, source },
        }
    }

    /// An error of the protocol library. Texts that the registry wrote are left out.
    pub(super) fn oci(reference: &RegistryReference, error: OciDistributionError) -> RegistryError {
        let boxed = || Box::new(reference.clone());
        match error {
            OciDistributionError::RequestError(error) => RegistryError::http(reference, error),
            OciDistributionError::ServerError { code, .. } => {
                RegistryError::status(reference, StatusCode::from_u16(code).unwrap_or_default())
            }
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => RegistryError::Denied { reference: boxed() },
            other => RegistryError::Interrupted { reference: boxed(), source: Box::new(other) },
        }
    }

    /// An error met while bytes of the registry were checked: theirs, unless our own disk failed.
    pub(super) fn received(reference: &RegistryReference, error: CatalogError) -> RegistryError {
        match error {
            CatalogError::Io { .. } => RegistryError::Local(error),
            source => RegistryError::Sent { reference: Box::new(reference.clone()), source },
        }
    }
}

impl Diagnose for RegistryError {
    fn outcome(&self) -> Outcome {
        match self {
            RegistryError::Sent { source, .. } | RegistryError::Local(source) => source.outcome(),
            RegistryError::OtherDigest { .. } => Outcome::Refused,
            RegistryError::Setup { .. }
            | RegistryError::Unreachable { .. }
            | RegistryError::Interrupted { .. }
            | RegistryError::Stalled { .. }
            | RegistryError::NotFound { .. }
            | RegistryError::Denied { .. }
            | RegistryError::Answer { .. }
            | RegistryError::NotKept { .. } => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            RegistryError::Unreachable { reference, .. } if reference.host.is_loopback() => {
                Some(format!("start the registry on {}, or name another one", reference.host))
            }
            RegistryError::Unreachable { .. } => Some("check the host name, the port and the network".into()),
            RegistryError::Interrupted { .. }
            | RegistryError::Stalled { .. }
            | RegistryError::NotKept { .. } => Some("try again".into()),
            RegistryError::NotFound { .. } => {
                Some("check repository and tag; a private one looks absent too".into())
            }
            RegistryError::Denied { .. } => {
                Some("use a registry with anonymous access: Tenon does not send credentials yet".into())
            }
            RegistryError::Answer { .. } => Some("look into the log of the registry".into()),
            RegistryError::Sent { .. } => {
                Some("do not use this copy; get the extension from where it was built".into())
            }
            RegistryError::OtherDigest { .. } => {
                Some("leave out the digest, or name the artifact that has it".into())
            }
            RegistryError::Local(source) => source.hint(),
            RegistryError::Setup { .. } => None,
        }
    }
}

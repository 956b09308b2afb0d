//! What can go wrong with a registry, in sentences that name it and what was asked of it.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use spec::{Diagnose, Digest, Outcome};

use super::credentials::CredentialsError;
use super::subject::Subject;
use crate::error::CatalogError;
use crate::reference::RegistryReference;

/// Any error of the libraries underneath.
pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// Why an extension could not be brought from a registry, or to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The HTTP client does not start.
    #[error("cannot set up a connection for {about}")]
    Setup {
        /// What was to be done.
        about: Box<Subject>,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// No connection.
    #[error("registry {} cannot be reached for {about}", about.host())]
    Unreachable {
        /// What was asked for.
        about: Box<Subject>,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The registry cannot show that it is the one that it should be.
    #[error("registry {} has no certificate to trust for {about}", about.host())]
    Untrusted {
        /// What was asked for.
        about: Box<Subject>,
        /// What is wrong with the certificate, or with TLS.
        #[source]
        source: Cause,
    },
    /// The certificates of authorities that a user named cannot be read.
    #[error("{} is not a file of certificates in PEM, for {about}", path.display())]
    Authorities {
        /// What was to be done.
        about: Box<Subject>,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The connection was there and broke, or the registry does not speak the protocol.
    #[error("the exchange with registry {} about {about} broke off", about.host())]
    Interrupted {
        /// What was asked for.
        about: Box<Subject>,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The registry stopped before the end, in good order.
    #[error("registry {} stopped at byte {at} of {size} of {about}", about.host())]
    CutShort {
        /// What was asked for, or sent.
        about: Box<Subject>,
        /// How many bytes there were.
        at: u64,
        /// How many there should be.
        size: u64,
    },
    /// The connection is there and next to nothing comes.
    #[error("registry {} has done next to nothing about {about} in {seconds} s", about.host())]
    Stalled {
        /// What was asked for.
        about: Box<Subject>,
        /// How long it was given.
        seconds: u64,
    },
    /// The registry has forgotten what it was sent so far.
    #[error("registry {} has lost the upload of {about}", about.host())]
    UploadLost {
        /// What was being sent.
        about: Box<Subject>,
    },
    /// No such repository or tag.
    #[error("registry {} has no {about}", about.host())]
    NotFound {
        /// What was asked for.
        about: Box<Subject>,
    },
    /// The registry wants to know who asks, or to know somebody else.
    #[error("registry {} does not give {} access to {about}", about.host(), user.as_deref().unwrap_or("anonymous"))]
    Denied {
        /// What was asked for.
        about: Box<Subject>,
        /// Whose credentials were sent, if any were.
        user: Option<String>,
    },
    /// The registry cannot answer now.
    #[error("registry {} answered {status} about {about}", about.host())]
    Busy {
        /// What was asked for.
        about: Box<Subject>,
        /// The status of HTTP.
        status: String,
        /// How long the registry wants to be left alone.
        after: Option<Duration>,
    },
    /// Any other answer that is not a success.
    #[error("registry {} answered {status} about {about}", about.host())]
    Answer {
        /// What was asked for.
        about: Box<Subject>,
        /// The status of HTTP.
        status: String,
    },
    /// The registry names an address that is not safe to go to.
    #[error("registry {} leads to {place} for {about}", about.host())]
    LedAstray {
        /// What was asked for.
        about: Box<Subject>,
        /// Scheme and host of the address.
        place: String,
    },
    /// The registry wants our credentials to be sent to somebody else.
    #[error("registry {} wants the credentials for {about} sent to {place}", about.host())]
    ForeignRealm {
        /// What was asked for.
        about: Box<Subject>,
        /// Scheme and host of the token service.
        place: String,
    },
    /// The credentials on this side cannot be had.
    #[error("there are no credentials for {about}")]
    Credentials {
        /// What was asked for.
        about: Box<Subject>,
        /// Why not.
        #[source]
        source: CredentialsError,
    },
    /// What the registry sent is not what a descriptor promised.
    #[error("what registry {} sent for {about} is refused", about.host())]
    Sent {
        /// What was asked for.
        about: Box<Subject>,
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
    #[error("registry {} does not serve {about} after accepting it", about.host())]
    NotKept {
        /// What was sent.
        about: Box<Subject>,
    },
    /// The layout on this side cannot be read or written.
    #[error(transparent)]
    Local(#[from] CatalogError),
}

impl Diagnose for RegistryError {
    fn outcome(&self) -> Outcome {
        match self {
            RegistryError::Sent { source, .. } | RegistryError::Local(source) => source.outcome(),
            RegistryError::OtherDigest { .. }
            | RegistryError::Untrusted { .. }
            | RegistryError::LedAstray { .. }
            | RegistryError::ForeignRealm { .. } => Outcome::Refused,
            RegistryError::Credentials { source, .. } => source.outcome(),
            RegistryError::Setup { .. }
            | RegistryError::Authorities { .. }
            | RegistryError::Unreachable { .. }
            | RegistryError::Interrupted { .. }
            | RegistryError::CutShort { .. }
            | RegistryError::Stalled { .. }
            | RegistryError::UploadLost { .. }
            | RegistryError::NotFound { .. }
            | RegistryError::Denied { .. }
            | RegistryError::Busy { .. }
            | RegistryError::Answer { .. }
            | RegistryError::NotKept { .. } => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            RegistryError::Untrusted { .. } => {
                "name the authority of its certificate: --ca-file FILE; or --plain-http, if it has no TLS and nobody else can listen".into()
            }
            RegistryError::Authorities { .. } => "name a file with lines BEGIN CERTIFICATE: --ca-file FILE".into(),
            RegistryError::Setup { .. } => "look at what the system says above".into(),
            RegistryError::Unreachable { about, .. } if about.host().is_loopback() => {
                format!("start the registry on {}, or name another one", about.host())
            }
            RegistryError::Unreachable { .. } => "check host name, port and network, and whether it speaks TLS; if not: --plain-http".into(),
            RegistryError::Interrupted { .. }
            | RegistryError::CutShort { .. }
            | RegistryError::Stalled { .. }
            | RegistryError::UploadLost { .. }
            | RegistryError::NotKept { .. } => {
                "try again later; it has been tried several times already".into()
            }
            RegistryError::NotFound { .. } => {
                "check repository and tag; a private one looks absent too".into()
            }
            RegistryError::Denied { about, user: None } => {
                format!(
                    "log in first, with the credentials that it wants: podman login {0}, or docker login {0}",
                    about.host()
                )
            }
            RegistryError::Denied { about, user: Some(_) } => {
                format!("log in as somebody who may do this: podman login {}", about.host())
            }
            RegistryError::ForeignRealm { .. } => {
                "credentials go to hosts of the registry's own domain only; ask its operator".into()
            }
            RegistryError::Credentials { source, .. } => return source.hint(),
            RegistryError::Busy { after: Some(after), .. } => {
                format!("the registry wants to be asked again in {} s", after.as_secs())
            }
            RegistryError::Busy { .. } => "try again later, or look into the log of the registry".into(),
            RegistryError::Answer { .. } => "look into the log of the registry".into(),
            RegistryError::LedAstray { .. } => {
                "the registry must lead to addresses with TLS only; its operator can set that".into()
            }
            RegistryError::Sent { .. } => {
                "do not use this copy; get the extension from where it was built".into()
            }
            RegistryError::OtherDigest { .. } => {
                "leave out the digest, or name the artifact that has it".into()
            }
            RegistryError::Local(source) => return source.hint(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    /// All that a registry, or the way to it, can do.
    fn all(about: &Subject) -> Vec<RegistryError> {
        let about = || Box::new(about.clone());
        let source = || -> Cause { "it is so".into() };
        let missing = CatalogError::malformed("it", "it is missing");
        let (status, place) = (|| "418 I'm a teapot".to_owned(), || "http://elsewhere.example".to_owned());
        vec![
            RegistryError::Setup { about: about(), source: source() },
            RegistryError::Unreachable { about: about(), source: source() },
            RegistryError::Untrusted { about: about(), source: source() },
            RegistryError::Authorities { about: about(), path: "ca.pem".into(), source: source() },
            RegistryError::Interrupted { about: about(), source: source() },
            RegistryError::CutShort { about: about(), at: 1, size: 2 },
            RegistryError::Stalled { about: about(), seconds: 60 },
            RegistryError::UploadLost { about: about() },
            RegistryError::NotFound { about: about() },
            RegistryError::Denied { about: about(), user: None },
            RegistryError::Denied { about: about(), user: Some("somebody".into()) },
            RegistryError::Busy { about: about(), status: status(), after: None },
            RegistryError::Busy { about: about(), status: status(), after: Some(Duration::from_secs(7)) },
            RegistryError::Answer { about: about(), status: status() },
            RegistryError::LedAstray { about: about(), place: place() },
            RegistryError::ForeignRealm { about: about(), place: place() },
            RegistryError::Sent { about: about(), source: missing },
            RegistryError::NotKept { about: about() },
        ]
    }

    #[test]
    fn every_error_names_registry_repository_and_digest_and_has_a_hint() {
        let Ok(Reference::Registry(reference)) = "r.example:5000/ext/hello:1".parse() else { panic!() };
        let digest = Digest::of(b"x");
        for error in all(&Subject::blob(&reference, &digest)) {
            let text = error.to_string();
            for part in ["r.example:5000", "ext/hello:1", &digest.to_string()] {
                assert!(text.contains(part), "{text}");
            }
            assert!(
                !text.ends_with('.') && text.starts_with(char::is_lowercase) || text.starts_with("ca.pem"),
                "{text}"
            );
            let hint = error.hint().unwrap_or_default();
            assert!(!hint.is_empty() && hint != text, "{text}: {hint}");
        }
    }
}

//! What an answer of a registry, or the lack of one, means.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::RegistryError;
use super::error::Cause;
use super::place::Astray;
use super::subject::Subject;
use crate::error::CatalogError;

impl RegistryError {
    pub(super) fn setup(about: Subject, source: impl Into<Cause>) -> RegistryError {
        RegistryError::Setup { about: Box::new(about), source: source.into() }
    }

    /// An answer that is not a success, to `user` if we have said who we are.
    pub(super) fn answer(about: &Subject, user: Option<&str>, response: &Response) -> RegistryError {
        let (about, status) = (Box::new(about.clone()), response.status());
        match status {
            StatusCode::NOT_FOUND => RegistryError::NotFound { about },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let user = user.map(str::to_owned);
                RegistryError::Denied { about, user }
            }
            status if is_passing(status) => RegistryError::Busy {
                about,
                status: status.to_string(),
                after: retry_after(response.headers()),
            },
            other => RegistryError::Answer { about, status: other.to_string() },
        }
    }

    /// Next to nothing in so much time.
    pub(super) fn stalled(about: &Subject, time: Duration) -> RegistryError {
        RegistryError::Stalled { about: Box::new(about.clone()), seconds: time.as_secs() }
    }

    /// No answer. Addresses are left out: ours is in the sentence, and a redirect may have put a secret into its own.
    pub(super) fn http(about: &Subject, error: reqwest::Error) -> RegistryError {
        let boxed = Box::new(about.clone());
        if let Some(Astray { place }) = error.source().and_then(|source| source.downcast_ref()) {
            return RegistryError::LedAstray { about: boxed, place: place.clone() };
        }
        let error = error.without_url();
        if is_about_tls(&error) {
            return RegistryError::Untrusted { about: boxed, source: Box::new(error) };
        }
        match error.is_connect() {
            true => RegistryError::Unreachable { about: boxed, source: Box::new(error) },
            false => RegistryError::Interrupted { about: boxed, source: Box::new(error) },
        }
    }

    /// An error met while bytes of the registry were checked: theirs, unless our own disk failed.
    pub(super) fn received(about: &Subject, error: CatalogError) -> RegistryError {
        match error {
            CatalogError::Io { .. } => RegistryError::Local(error),
            source => RegistryError::Sent { about: Box::new(about.clone()), source },
        }
    }

    /// Can it pass by itself? The time is what the registry has asked for, mostly none.
    pub(super) fn passes(&self) -> Option<Duration> {
        match self {
            RegistryError::Unreachable { .. }
            | RegistryError::Interrupted { .. }
            | RegistryError::CutShort { .. }
            | RegistryError::Stalled { .. }
            | RegistryError::UploadLost { .. } => Some(Duration::ZERO),
            RegistryError::Busy { after, .. } => Some(after.unwrap_or_default()),
            RegistryError::Setup { .. }
            | RegistryError::NotFound { .. }
            | RegistryError::Denied { .. }
            | RegistryError::Answer { .. }
            | RegistryError::LedAstray { .. }
            | RegistryError::Untrusted { .. }
            | RegistryError::Authorities { .. }
            | RegistryError::ForeignRealm { .. }
            | RegistryError::Credentials { .. }
            | RegistryError::Sent { .. }
            | RegistryError::OtherDigest { .. }
            | RegistryError::NotKept { .. }
            | RegistryError::Local(_) => None,
        }
    }
}

/// Did TLS refuse? An `io::Error` hides what it wraps from `source`.
fn is_about_tls(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map_or_else(|| error.source(), |wrapped| Some(wrapped as &dyn Error));
    }
    false
}

/// Answers about the state of the registry and not about what was asked (RFC 9110 section 15.6, RFC 6585 section 4).
fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// `Retry-After` in seconds. Its other form, a date, would need a clock; registries do not write it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_of_seconds() {
        let read = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        for other in ["", "-1", "1.5", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}

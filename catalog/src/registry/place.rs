//! Where an exchange may go on: redirects, uploads and token services are named by the registry.

use reqwest::Url;
use reqwest::redirect::{Action, Attempt};

use crate::reference::Host;

/// How many redirects are followed. Registries use one, to where their blobs are.
const REDIRECTS: usize = 5;

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
#[error("the redirect to {place} is not followed")]
pub(super) struct Astray {
    pub(super) place: String,
}

/// Follows a redirect that is safe. The HTTP client does not take along what we said of ourselves, unless scheme, host
/// and port stay the same.
pub(super) fn follow_safely(attempt: Attempt<'_>) -> Action {
    let followed = attempt.previous().len();
    match attempt.previous().first() {
        Some(first) if followed <= REDIRECTS && is_safe(attempt.url(), first) => attempt.follow(),
        _ => {
            let place = place_of(attempt.url());
            attempt.error(Astray { place })
        }
    }
}

/// May an exchange that began at `from` go on at `url`? TLS leads to TLS; plain HTTP too, or to the same place, or from
/// this machine to this machine. A registry elsewhere must not have us ask services of our own.
pub(super) fn is_safe(url: &Url, from: &Url) -> bool {
    let is_web = match url.scheme() {
        "https" => true,
        "http" if from.scheme() == "http" => {
            (is_loopback(url) && is_loopback(from)) || url.origin() == from.origin()
        }
        _ => false,
    };
    // A name in an address would be sent as credentials.
    is_web && url.username().is_empty() && url.password().is_none()
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().and_then(|host| host.parse::<Host>().ok());
    host.is_some_and(|host| host.is_loopback())
}

/// Scheme, host and port: what follows may hold a secret.
pub(super) fn place_of(url: &Url) -> String {
    url.origin().ascii_serialization()
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
            ("http://a.example/x", "http://127.0.0.1/y", false),
            ("https://127.0.0.1/x", "http://127.0.0.1/y", false),
            ("https://a.example/x", "https://user@a.example/y", false),
            ("https://a.example/x", "https://:word@a.example/y", false),
            ("https://a.example/x", "ftp://a.example/y", false),
            ("https://a.example/x", "file:///etc/passwd", false),
        ] {
            assert_eq!(is_safe(&url(to), &url(from)), safe, "{from} to {to}");
        }
    }

    #[test]
    fn an_address_is_told_without_its_secrets() {
        let url = Url::parse("https://user:word@cdn.example:444/x?token=y#z").unwrap();
        assert_eq!(place_of(&url), "https://cdn.example:444");
    }
}

//! Saying who we are, to a registry that asks: with a token of its service, or with name and password.
//!
//! Secrets go to the registry itself and to a service of its domain, and never over plain HTTP to another machine.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use super::RegistryError;
use super::challenge::Challenge;
use super::credentials::Credentials;
use super::place::place_of;
use super::session::{Purpose, Result, Session};
use super::subject::Subject;
use crate::error::CatalogError;
use crate::reference::Repository;

/// Longest answer of a token service, in bytes. Real ones are below 16 KiB.
const TOKEN_MAX: u64 = 64 << 10;
/// What we call ourselves to a token service.
const CLIENT: &str = "tenon";

/// What a token service answers; the name of the field depends on its age.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Session<'_> {
    /// The header `Authorization` to send, after `refusal` of a request about `about`; `None` where there is nothing
    /// to say.
    pub(super) async fn authorize(&self, about: &Subject, refusal: &Response) -> Result<Option<HeaderValue>> {
        let headers = refusal.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenge = Challenge::of(headers.filter_map(|header| header.to_str().ok()));
        let Some(challenge) = challenge else { return Ok(None) };
        let credentials = self.credentials(about).await?;
        let header = match (challenge, credentials) {
            (Challenge::Bearer { .. }, Some(Credentials::Registry(token))) => bearer(&token),
            (Challenge::Bearer { realm, service }, credentials) => {
                match self.token(about, &realm, service, credentials).await? {
                    Some(token) => bearer(&token),
                    None => return Ok(None),
                }
            }
            (Challenge::Basic, Some(Credentials::Password { user, password })) => basic(&user, &password),
            (Challenge::Basic, _) => return Ok(None),
        };
        header.map(Some).map_err(|error| RegistryError::received(about, error))
    }

    /// Asks a token service, as whoever the credentials say or as nobody in particular.
    async fn token(
        &self,
        about: &Subject,
        realm: &str,
        service: Option<String>,
        credentials: Option<Credentials>,
    ) -> Result<Option<String>> {
        let refuse = |error| RegistryError::received(about, error);
        let url = Url::parse(realm).map_err(|error| {
            refuse(CatalogError::malformed("address of the token service", error.to_string()))
        })?;
        let mut url = self.safe(about, url)?;
        if credentials.is_some() && !is_kin(&url, &self.base) {
            let (about, place) = (Box::new(about.clone()), place_of(&url));
            return Err(RegistryError::ForeignRealm { about, place });
        }
        let mut asked: Vec<(&str, String)> =
            service.map(|service| ("service", service)).into_iter().collect();
        let request = match credentials {
            Some(Credentials::Identity(token)) => {
                let grant =
                    [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", &token)];
                asked.extend(grant.map(|(key, value)| (key, value.to_owned())));
                asked.push(("scope", self.scopes().join(" ")));
                // A redirect may repeat the body, and so the token, to whoever is named (RFC 9110 section 15.4.8).
                self.staying()?.post(url).form(&asked)
            }
            credentials => {
                asked.extend(self.scopes().into_iter().map(|scope| ("scope", scope)));
                url.query_pairs_mut().extend_pairs(&asked);
                let request = self.http.get(url);
                match credentials {
                    Some(Credentials::Password { user, password }) => {
                        request.basic_auth(user, Some(password))
                    }
                    _ => request,
                }
            }
        };
        let response = self
            .in_time(about, async { request.send().await.map_err(|error| RegistryError::http(about, error)) })
            .await?;
        if response.status() != StatusCode::OK {
            return Err(self.answer(about, &response));
        }
        let bytes = self.body(about, response, TOKEN_MAX, "token").await?;
        // The parser's own message may quote a secret.
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|_| refuse(CatalogError::malformed("token", "it is not the JSON of a token service")))?;
        Ok(answer.token.or(answer.access_token))
    }

    /// What the token is for (distribution project, "Token Scope Documentation").
    fn scopes(&self) -> Vec<String> {
        let scope = |repository: &Repository, actions| format!("repository:{repository}:{actions}");
        let repository = &self.reference.repository;
        match self.purpose {
            Purpose::Pull => vec![scope(repository, "pull")],
            Purpose::Push { mount_from } => {
                let mut scopes = vec![scope(repository, "pull,push")];
                scopes.extend(mount_from.map(|from| scope(from, "pull")));
                scopes
            }
        }
    }
}

/// May the service at `realm` have credentials for the registry at `home`? A host of the same domain may: Docker Hub is
/// `registry-1.docker.io` and `auth.docker.io`, GitLab `registry.gitlab.com` and `gitlab.com`.
fn is_kin(realm: &Url, home: &Url) -> bool {
    let (Some(realm_host), Some(host)) = (realm.host_str(), home.host_str()) else { return false };
    if realm_host == host {
        return true;
    }
    match host.split_once('.') {
        // So is a part of an address.
        Some((_, domain)) if !is_everybodys(domain) && home.domain().is_some() => {
            realm_host == domain || realm_host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        }
        _ => false,
    }
}

/// Can anybody have a name in this domain? One of one label is so, and one like `co.uk`: a category below a country. The
/// list of all such domains (publicsuffix.org) is long and never complete; these are the categories that countries use.
fn is_everybodys(domain: &str) -> bool {
    const CATEGORIES: [&str; 16] = [
        "ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ltd", "mil", "ne", "net", "nom", "or", "org",
        "plc",
    ];
    match domain.split_once('.') {
        None => true,
        Some((category, country)) => country.len() == 2 && CATEGORIES.contains(&category),
    }
}

/// The header `Authorization` with a token (RFC 6750 section 2.1).
fn bearer(token: &str) -> std::result::Result<HeaderValue, CatalogError> {
    secret(format!("Bearer {token}"))
}

/// The same with name and password (RFC 7617 section 2).
fn basic(user: &str, password: &str) -> std::result::Result<HeaderValue, CatalogError> {
    secret(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
}

/// A header that the HTTP client keeps out of its logs.
fn secret(text: String) -> std::result::Result<HeaderValue, CatalogError> {
    let value = HeaderValue::try_from(text);
    let mut value = value.map_err(|_| CatalogError::malformed("token", "it does not fit into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_the_domain_get_credentials() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (home, realm, kin) in [
            ("https://ghcr.io", "https://ghcr.io/token", true),
            ("https://registry-1.docker.io", "https://auth.docker.io/token", true),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", true),
            ("https://registry.example.org:5000", "https://registry.example.org:5001/", true),
            ("https://ghcr.io", "https://evil.io/token", false),
            ("https://ghcr.io", "https://ghcr.io.evil.example/token", false),
            ("https://r.example.org", "https://evilexample.org/token", false),
            ("https://r.example.org", "https://example.org.evil.org/token", false),
            ("https://registry.example.co.uk", "https://auth.example.co.uk/token", true),
            ("https://example.co.uk", "https://evil.co.uk/token", false),
            ("https://example.com.au", "https://com.au/token", false),
            ("https://example.org", "https://evil.org/token", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", true),
            ("http://127.0.0.1:5000", "http://1.0.0.1/token", false),
            ("http://127.0.0.1:5000", "http://127.0.0.2/token", false),
        ] {
            assert_eq!(is_kin(&url(realm), &url(home)), kin, "{home} {realm}");
        }
    }

    #[test]
    fn a_header_is_what_the_standard_says_and_is_not_shown() {
        // The example of RFC 7617 section 2.
        let header = basic("Aladdin", "open sesame").unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{header:?}").contains("QWxh"));
        assert!(bearer("a\nb").is_err());
    }
}

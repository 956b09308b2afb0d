//! The token that a registry gives to anybody who asks (the "token authentication" of the distribution project;
//! RFC 6750 for the header). Docker Hub and GHCR want one even for what is public.

use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use super::RegistryError;
use super::session::{Purpose, Result, Session};
use super::subject::Subject;
use crate::error::CatalogError;

/// Longest answer of a token service, in bytes. Real ones are below 16 KiB.
const TOKEN_MAX: u64 = 64 << 10;

/// Where to get a token.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

/// What a token service answers; the name of the field depends on its age.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Session<'_> {
    /// What to send with requests, after `refusal` of one about `about`: a token for nobody in particular.
    pub(super) async fn authorize(&self, about: &Subject, refusal: &Response) -> Result<Option<HeaderValue>> {
        let headers = refusal.headers().get_all(WWW_AUTHENTICATE).iter();
        let Some(challenge) = headers.filter_map(|header| Challenge::parse(header.to_str().ok()?)).next()
        else {
            return Ok(None);
        };
        let refuse = |error| RegistryError::received(about, error);
        let url = self.token_address(about, &challenge)?;
        let response = self.in_time(about, self.get_token(about, url)).await?;
        let bytes = self.body(about, response, TOKEN_MAX, "token").await?;
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|source| refuse(CatalogError::Json { what: "token".into(), source }))?;
        answer.token.or(answer.access_token).map(|token| bearer(&token).map_err(refuse)).transpose()
    }

    fn token_address(&self, about: &Subject, challenge: &Challenge) -> Result<Url> {
        let url = Url::parse(&challenge.realm).map_err(|error| {
            let error = CatalogError::malformed("address of the token service", error.to_string());
            RegistryError::received(about, error)
        })?;
        let mut url = self.safe(about, url)?;
        let actions = match self.purpose {
            Purpose::Pull => "pull",
            Purpose::Push => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", self.reference.repository);
        url.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = &challenge.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        Ok(url)
    }

    async fn get_token(&self, about: &Subject, url: Url) -> Result<Response> {
        let response = self.http.get(url).send().await;
        let response = response.map_err(|error| RegistryError::http(about, error))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            _ => Err(RegistryError::answer(about, &response)),
        }
    }
}

/// The header `Authorization` with a token (RFC 6750 section 2.1), kept out of logs.
fn bearer(token: &str) -> std::result::Result<HeaderValue, CatalogError> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value = value.map_err(|_| CatalogError::malformed("token", "it does not fit into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Challenge {
    /// Reads `Bearer realm="…",service="…"`; other schemes are not for anybody.
    fn parse(header: &str) -> Option<Challenge> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        while let Some((key, value, behind)) = parameter(rest) {
            match key.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                _ => {}
            }
            rest = behind;
        }
        Some(Challenge { realm: realm?, service })
    }
}

/// The first `key="value"` of a list, and what stands behind it.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (key, behind) = text.split_once("=\"")?;
    let (value, behind) = behind.split_once('"')?;
    Some((key.trim_matches([',', ' ']), value, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_challenge_says_where_to_get_a_token() {
        let header =
            r#"Bearer realm="https://auth.example/token", service="reg,1",scope="repository:a:pull,push""#;
        let found = Challenge::parse(header).unwrap();
        assert_eq!(found.realm, "https://auth.example/token");
        assert_eq!(found.service.as_deref(), Some("reg,1"));
        assert!(Challenge::parse(r#"bearer Realm="x""#).is_some());
        for other in ["", "Bearer", r#"Basic realm="x""#, r#"Bearer service="x""#, r#"Bearer realm="x"#] {
            assert_eq!(Challenge::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_parsed_or_refused(header in "(Bearer )?[a-z=\", ]{0,40}") {
            let _ = Challenge::parse(&header);
        }
    }
}

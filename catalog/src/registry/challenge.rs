//! What a registry answers to a stranger (`WWW-Authenticate`, RFC 9110 section 11.6.1).

/// How a registry wants to know who asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// By a token from a service (the "token authentication" of the distribution project; RFC 6750 section 3).
    Bearer {
        /// The address of the service.
        realm: String,
        /// What the service knows the registry as.
        service: Option<String>,
    },
    /// By name and password (RFC 7617).
    Basic,
}

impl Challenge {
    /// The challenge in these headers to take up: a token is worth less to a thief than a password.
    pub(super) fn of<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
        let all = headers.filter_map(Challenge::parse);
        let (tokens, passwords): (Vec<_>, Vec<_>) =
            all.partition(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        tokens.into_iter().chain(passwords).next()
    }

    /// Reads `Bearer realm="…",service="…"` or `Basic …`.
    fn parse(header: &str) -> Option<Challenge> {
        let header = header.trim();
        let (scheme, mut rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
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
        Some(Challenge::Bearer { realm: realm?, service })
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
        let realm = "https://auth.example/token".to_owned();
        let wanted = Challenge::Bearer { realm, service: Some("reg,1".into()) };
        assert_eq!(Challenge::parse(header), Some(wanted));
        assert!(Challenge::parse(r#"bearer Realm="x""#).is_some());
        for basic in ["Basic", r#"basic realm="x""#] {
            assert_eq!(Challenge::parse(basic), Some(Challenge::Basic));
        }
        for other in
            ["", "Bearer", "Basically", r#"Digest realm="x""#, r#"Bearer service="x""#, r#"Bearer realm="x"#]
        {
            assert_eq!(Challenge::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let headers = ["Negotiate", "Basic realm=\"x\"", "Bearer realm=\"x\""];
        assert!(matches!(Challenge::of(headers.into_iter()), Some(Challenge::Bearer { .. })));
        assert_eq!(Challenge::of(std::iter::empty()), None);
    }

    proptest! {
        #[test]
        fn any_header_is_parsed_or_refused(header in "(Bearer )?[a-z=\", ]{0,40}") {
            let _ = Challenge::parse(&header);
        }
    }
}

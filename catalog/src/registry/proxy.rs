//! Proxies: who is asked in the place of a registry that is not on this machine.

use std::ffi::OsString;
use std::fmt;

use reqwest::{ClientBuilder, NoProxy, Proxy};

/// What no proxy may see, for it is not encrypted: this machine, where its own name means itself.
const HERE: &str = "localhost,127.0.0.0/8,::1";

/// The proxies that a user has named. One for HTTPS passes bytes on that it cannot read; one for HTTP reads along, as
/// does everybody else on the way.
#[derive(Clone, Default)]
pub struct Proxies {
    https: Option<String>,
    http: Option<String>,
    /// Hosts, domains and networks that are reached without.
    without: String,
}

impl Proxies {
    /// Those of the variables that Podman, Docker and Skopeo read: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, each in
    /// upper or lower case (golang.org/x/net, http/httpproxy).
    pub fn of_variables(variable: impl Fn(&str) -> Option<OsString>) -> Proxies {
        let either = |name: &str| {
            let values = [variable(name), variable(&name.to_lowercase())];
            let value = values.into_iter().flatten().find(|value| !value.is_empty());
            value.map(|value| value.to_string_lossy().into_owned())
        };
        Proxies {
            https: either("HTTPS_PROXY"),
            http: either("HTTP_PROXY"),
            without: either("NO_PROXY").unwrap_or_default(),
        }
    }

    /// Has `builder` use these and no others.
    pub(super) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, &'static str> {
        let mut builder = builder.no_proxy();
        let without = || NoProxy::from_string(&format!("{HERE},{}", self.without));
        // The address may have a password in it, which the client's own error would repeat.
        if let Some(https) = &self.https {
            let proxy = Proxy::https(https).map_err(|_| "HTTPS_PROXY is not the address of a proxy")?;
            builder = builder.proxy(proxy.no_proxy(without()));
        }
        if let Some(http) = &self.http {
            let proxy = Proxy::http(http).map_err(|_| "HTTP_PROXY is not the address of a proxy")?;
            builder = builder.proxy(proxy.no_proxy(without()));
        }
        Ok(builder)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_are_read_in_either_case() {
        let all = |variables: &[(&str, &str)]| {
            let proxies = Proxies::of_variables(|name| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            });
            (proxies.https, proxies.http, proxies.without)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(all(&[]), (None, None, String::new()));
        assert_eq!(
            all(&[("HTTPS_PROXY", "a"), ("http_proxy", "b"), ("NO_PROXY", "c")]),
            (some("a"), some("b"), "c".into())
        );
        assert_eq!(all(&[("HTTPS_PROXY", ""), ("https_proxy", "a")]).0, some("a"));
        assert_eq!(all(&[("ALL_PROXY", "a")]), (None, None, String::new()));
    }

    #[test]
    fn an_address_that_is_none_is_not_repeated() {
        let proxies = Proxies { https: Some("http://user:sesame@:x".into()), ..Proxies::default() };
        let error = proxies.apply(reqwest::Client::builder()).unwrap_err();
        assert!(!format!("{error} {proxies:?}").contains("sesame"));
    }
}

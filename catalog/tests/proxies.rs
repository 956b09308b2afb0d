//! Proxies: what goes through them, and what must not.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

#[path = "support/again.rs"]
mod again;
#[path = "support/honest.rs"]
mod honest;
#[path = "support/server.rs"]
mod server;
mod support;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use again::again;
use catalog::registry::{CredentialFiles, Proxies};
use catalog::{Access, Reference, Registry, RegistryError};
use honest::{Honest, access};
use server::{Answer, Request, serve};
use spec::Outcome;
use support::new_store;

type Log = Arc<Mutex<Vec<Request>>>;

/// `somebody:open sesame`, as `base64` of the system writes it.
const SOMEBODY: &str = "c29tZWJvZHk6b3BlbiBzZXNhbWU=";

/// A proxy that hands out one extension, whatever host it is asked for.
fn proxy() -> (SocketAddr, Log) {
    let (honest, log) = (Honest::new(), Log::default());
    let asked = Arc::clone(&log);
    let address = serve(move |request| {
        asked.lock().unwrap().push(request.clone());
        let path = request.path.strip_prefix("http://registry.invalid:5000").unwrap_or(&request.path);
        honest.answer(&Request { path: path.to_owned(), ..request.clone() })
    });
    (address, log)
}

fn named(variables: &[(&'static str, String)]) -> Access {
    let find = |name: &str| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    };
    Access { proxies: Proxies::of_variables(find), ..access() }
}

fn pull_with(access: Access, host: &str) -> Result<(), RegistryError> {
    let Ok(Reference::Registry(place)) = format!("{host}/ext/hello:1.0.0").parse() else { panic!() };
    let (_dir, store) = new_store();
    Registry::new(place, access).pull(store.dir(), &mut |_| {}).map(drop)
}

/// What is said to this machine is not encrypted, and credentials may be in it.
#[test]
fn this_machine_is_asked_itself_whatever_the_variables_say() {
    let (honest, log) = (Honest::new(), Log::default());
    let asked = Arc::clone(&log);
    let registry = serve(move |request| {
        asked.lock().unwrap().push(request.clone());
        match request.header("authorization") {
            Some(_) => honest.answer(request),
            None => Answer::status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"test\""),
        }
    });
    let (proxy, seen) = proxy();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("auth.json");
    let host = registry.to_string();
    std::fs::write(&file, format!(r#"{{"auths": {{"{host}": {{"auth": "{SOMEBODY}"}}}}}}"#)).unwrap();
    let proxy = OsString::from(format!("http://{proxy}"));
    again(
        "pulls_in_another_process",
        &[
            ("HTTP_PROXY", &proxy),
            ("http_proxy", &proxy),
            ("HTTPS_PROXY", &proxy),
            ("ALL_PROXY", &proxy),
            ("TENON_TEST_HOST", host.as_ref()),
            ("TENON_TEST_FILE", file.as_os_str()),
        ],
    );
    assert!(seen.lock().unwrap().is_empty(), "{:?}", seen.lock().unwrap());
    assert!(log.lock().unwrap().iter().any(|request| request.header("authorization").is_some()));
}

/// As the command line does it, and with what nobody has chosen: no proxy at all.
#[test]
#[ignore = "run by the test above"]
fn pulls_in_another_process() {
    let variable = |name| std::env::var(name).unwrap();
    for proxies in [Proxies::of_variables(|name| std::env::var_os(name)), Proxies::default()] {
        let credentials = CredentialFiles::only(variable("TENON_TEST_FILE"));
        pull_with(Access { credentials, proxies, ..access() }, &variable("TENON_TEST_HOST")).unwrap();
    }
}

#[test]
fn a_registry_elsewhere_is_asked_through_the_proxy_of_its_scheme() {
    let (proxy, seen) = proxy();
    let here = || format!("http://{proxy}");
    let plain = |variables: &[_]| Access { plain_http: true, ..named(variables) };
    pull_with(plain(&[("http_proxy", here())]), "registry.invalid:5000").unwrap();
    let asked = seen.lock().unwrap().len();
    assert!(asked > 0);

    // RFC 6761: no name under `invalid` exists, so that without the proxy there is no way.
    for (access, host) in [
        (plain(&[("http_proxy", here()), ("NO_PROXY", "registry.invalid".into())]), "registry.invalid:5000"),
        (plain(&[("HTTPS_PROXY", here())]), "registry.invalid:5000"),
        (named(&[("HTTP_PROXY", here())]), "registry.invalid:5000"),
    ] {
        let error = pull_with(access, host).unwrap_err();
        assert!(matches!(error, RegistryError::Unreachable { .. }), "{error:?}");
    }
    assert_eq!(seen.lock().unwrap().len(), asked);
}

/// The proxy is told a host and a port, and passes TLS on; this one does not want to.
#[test]
fn tls_goes_through_a_proxy_unread() {
    let (proxy, seen) = proxy();
    let error = pull_with(named(&[("HTTPS_PROXY", format!("http://{proxy}"))]), "registry.invalid:5000");
    assert!(matches!(error, Err(RegistryError::Unreachable { .. })), "{error:?}");
    let seen = seen.lock().unwrap();
    assert!(
        seen.iter().all(|request| request.method == "CONNECT" && request.path == "registry.invalid:5000")
    );
    assert!(!seen.is_empty() && seen.iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn an_address_that_is_none_is_an_error_without_its_password() {
    let error = pull_with(named(&[("HTTPS_PROXY", "http://me:sesame@:x".into())]), "registry.invalid");
    let error = error.unwrap_err();
    assert!(matches!(error, RegistryError::Setup { .. }), "{error:?}");
    assert_eq!(spec::Diagnose::outcome(&error), Outcome::Unavailable);
    let text = format!("{error:?}");
    assert!(text.contains("HTTPS_PROXY") && !text.contains("sesame"), "{text}");
}

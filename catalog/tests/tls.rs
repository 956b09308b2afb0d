//! Whom we speak TLS with, whose certificates count, and where plain HTTP is spoken.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

#[path = "support/again.rs"]
mod again;
#[path = "support/honest.rs"]
mod honest;
#[path = "support/server.rs"]
mod server;
#[path = "support/shelf.rs"]
mod shelf;
mod support;
#[path = "support/tls.rs"]
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use again::again;
use catalog::registry::CredentialFiles;
use catalog::{Access, Found, Registry, RegistryError};
use honest::{Honest, access, reference};
use server::{Answer, serve};
use shelf::Shelf;
use spec::{Diagnose, Outcome};
use support::{BUNDLE, add, new_store};
use tls::{Authority, HERE};

fn trusting(file: &Path) -> Access {
    Access { ca_file: Some(file.to_owned()), ..access() }
}

fn pull_with(access: Access, place: &str) -> Result<(), RegistryError> {
    let Ok(catalog::Reference::Registry(place)) = place.parse() else { panic!("{place}") };
    let (_dir, store) = new_store();
    let result = Registry::new(place, access).pull(store.dir(), &mut |_| {}).map(drop);
    if let Err(error) = &result {
        assert!(error.hint().is_some(), "{error}");
    }
    result
}

fn honest_with_tls(authority: &Authority) -> SocketAddr {
    let honest = Honest::new();
    authority.serve(move |request, _| honest.answer(request))
}

#[test]
fn an_authority_that_is_named_is_trusted_and_no_other() {
    let (ours, others) = (Authority::new(HERE), Authority::new(HERE));
    let address = honest_with_tls(&ours);
    for place in
        [format!("{address}/ext/hello:1.0.0"), format!("localhost:{}/ext/hello:1.0.0", address.port())]
    {
        pull_with(trusting(&ours.file()), &place).unwrap();
        let error = pull_with(trusting(&others.file()), &place).unwrap_err();
        assert!(matches!(error, RegistryError::Untrusted { .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::Refused);
        assert!(error.hint().unwrap().contains("--ca-file"));
    }
}

#[test]
fn an_extension_goes_out_and_comes_back_by_tls() {
    let authority = Authority::new(HERE);
    let shelf = Mutex::new(Shelf::default());
    let address = authority.serve(move |request, body| shelf.lock().unwrap().answer(request, body));
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    store.attach_signature(&extension, BUNDLE).unwrap();
    let registry = Registry::new(reference(address, "ext/hello:1.0.0"), trusting(&authority.file()));
    registry.push(&store.layout().unwrap(), &Found::manifest(extension.clone()), &mut |_| {}).unwrap();
    let (_dir, copy) = new_store();
    assert_eq!(registry.pull(copy.dir(), &mut |_| {}).unwrap().signatures, 1);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new("DNS:elsewhere.example");
    let address = honest_with_tls(&authority);
    let error = pull_with(trusting(&authority.file()), &format!("{address}/ext/hello:1.0.0")).unwrap_err();
    assert!(matches!(error, RegistryError::Untrusted { .. }), "{error:?}");
}

#[test]
fn a_file_without_certificates_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    for text in
        [None, Some(""), Some("text"), Some("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n")]
    {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let error = pull_with(trusting(&file), "127.0.0.1:9/ext/hello:1.0.0").unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{text:?}: {error}");
        assert_eq!(error.outcome(), Outcome::Unavailable);
    }
}

/// `0.0.0.0` is this machine too for Linux, and not for our rule: it stands for a registry elsewhere.
fn elsewhere(address: SocketAddr) -> String {
    format!("0.0.0.0:{}/ext/hello:1.0.0", address.port())
}

#[test]
fn plain_http_is_spoken_with_others_only_where_it_is_named() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let honest = Honest::new();
    let address = serve(move |request| {
        // What is not HTTP, as the first words of TLS, has no path.
        *count.lock().unwrap() += usize::from(request.path.starts_with('/'));
        honest.answer(request)
    });
    let error = pull_with(access(), &elsewhere(address)).unwrap_err();
    assert!(
        matches!(error, RegistryError::Unreachable { .. } | RegistryError::Untrusted { .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("--plain-http"), "{:?}", error.hint());
    assert_eq!(*asked.lock().unwrap(), 0);
    pull_with(Access { plain_http: true, ..access() }, &elsewhere(address)).unwrap();
    assert_ne!(*asked.lock().unwrap(), 0);
}

#[test]
fn credentials_are_not_sent_over_plain_http_to_others() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&sent);
    let address = serve(move |request| {
        log.lock().unwrap().push(request.header("authorization").map(str::to_owned));
        Answer::status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"test\"")
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("auth.json");
    std::fs::write(&file, format!(r#"{{"auths": {{"0.0.0.0:{}": {{"auth": "YTpi"}}}}}}"#, address.port()))
        .unwrap();
    let access = Access { plain_http: true, credentials: CredentialFiles::only(file), ..access() };
    let error = pull_with(access, &elsewhere(address)).unwrap_err();
    assert!(matches!(error, RegistryError::Denied { user: None, .. }), "{error:?}");
    assert_eq!(*sent.lock().unwrap(), [None]);
}

#[test]
fn tls_is_not_left_for_plain_http() {
    let authority = Authority::new(HERE);
    let plain = Honest::new().serve();
    let address = authority.serve(move |request, _| {
        Answer::status("302 Found").header("Location", format!("http://{plain}{}", request.path))
    });
    let error = pull_with(trusting(&authority.file()), &format!("{address}/ext/hello:1.0.0")).unwrap_err();
    assert!(matches!(error, RegistryError::LedAstray { .. }), "{error:?}");
}

/// The system's authorities may be named by a variable, which only another process can have.
#[test]
fn the_usual_variable_names_authorities_too() {
    let authority = Authority::new("IP:0.0.0.0");
    let place = elsewhere(honest_with_tls(&authority));
    let file = authority.file();
    again(
        "pulls_in_another_process",
        &[("SSL_CERT_FILE", file.as_os_str()), ("TENON_TEST_PLACE", place.as_ref())],
    );
}

#[test]
#[ignore = "run by the test above"]
fn pulls_in_another_process() {
    pull_with(access(), &std::env::var("TENON_TEST_PLACE").unwrap()).unwrap();
}

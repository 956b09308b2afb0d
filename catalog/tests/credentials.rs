//! Credentials: who gets them, and who does not.

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

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use again::again;
use catalog::registry::CredentialFiles;
use catalog::{Access, Found, Registry, RegistryError};
use honest::{Honest, access, reference};
use server::{Answer, RealRegistry, Request, serve, serve_with_bodies};
use shelf::Shelf;
use spec::{Diagnose, Outcome};
use support::{BUNDLE, add, new_store};
use tempfile::TempDir;

/// `somebody:open sesame`, as `base64` of the system writes it.
const SOMEBODY: &str = "c29tZWJvZHk6b3BlbiBzZXNhbWU=";

type Log = Arc<Mutex<Vec<Request>>>;

/// A file with `entry` for `host`.
fn file(host: &str, entry: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.json");
    std::fs::write(&path, format!(r#"{{"auths": {{"{host}": {entry}}}}}"#)).unwrap();
    (dir, path)
}

/// Pulls from `address` as the entry for `host` says.
fn pull_as(address: SocketAddr, host: &str, entry: &str) -> Result<(), RegistryError> {
    let (_dir, path) = file(host, entry);
    pull_with(Access { credentials: CredentialFiles::only(path), ..access() }, &address.to_string())
}

fn pull_with(access: Access, host: &str) -> Result<(), RegistryError> {
    let Ok(catalog::Reference::Registry(place)) = format!("{host}/ext/hello:1.0.0").parse() else { panic!() };
    let (_dir, store) = new_store();
    let result = Registry::new(place, access).pull(store.dir(), &mut |_| {}).map(drop);
    if let Err(error) = &result {
        assert!(error.hint().is_some(), "{error}");
        assert!(!format!("{error:?} {error}").contains("sesame"), "{error:?}");
    }
    result
}

fn password() -> String {
    format!(r#"{{"auth": "{SOMEBODY}"}}"#)
}

/// Serves an extension to whoever has `wanted` as `Authorization`; asks others with `challenge`.
fn guarded(
    wanted: &'static str,
    challenge: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (SocketAddr, Log) {
    let (honest, log) = (Honest::new(), Log::default());
    let asked = Arc::clone(&log);
    let address = serve(move |request| {
        asked.lock().unwrap().push(request.clone());
        match request.header("authorization") {
            Some(found) if found == wanted => honest.answer(request),
            _ => Answer::status("401 Unauthorized")
                .header("WWW-Authenticate", challenge(&request.headers["host"])),
        }
    });
    (address, log)
}

fn basic() -> (SocketAddr, Log) {
    guarded("Basic c29tZWJvZHk6b3BlbiBzZXNhbWU=", |_| "Basic realm=\"test\"".into())
}

fn authorizations(log: &Log) -> Vec<Option<String>> {
    log.lock().unwrap().iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
}

#[test]
fn name_and_password_are_sent_to_a_registry_that_asks() {
    let (address, log) = basic();
    pull_as(address, &address.to_string(), &password()).unwrap();
    let sent = authorizations(&log);
    assert_eq!(sent[0], None, "credentials were sent before anybody asked");
    assert!(sent[1..].iter().all(|value| value.as_deref() == Some(&format!("Basic {SOMEBODY}"))));
}

#[test]
fn what_is_for_another_registry_is_not_sent() {
    let (address, log) = basic();
    for host in ["other.example", "127.0.0.1", "localhost", &format!("127.0.0.1:1{}", address.port())] {
        let error = pull_as(address, host, &password()).unwrap_err();
        assert!(matches!(error, RegistryError::Denied { user: None, .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("login"), "{:?}", error.hint());
    }
    assert!(authorizations(&log).iter().all(Option::is_none));
}

#[test]
fn a_name_that_is_refused_is_named() {
    let (address, _) = guarded("nobody", |_| "Basic realm=\"test\"".into());
    let error = pull_as(address, &address.to_string(), &password()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("registry {address} does not give somebody access to {address}/ext/hello:1.0.0")
    );
    assert_eq!(error.outcome(), Outcome::Unavailable);
}

/// A token service; the second result has what it was asked, with bodies.
fn token_service(token: &'static str) -> (SocketAddr, Log, Arc<Mutex<String>>) {
    let (log, body) = (Log::default(), Arc::new(Mutex::new(String::new())));
    let (asked, text) = (Arc::clone(&log), Arc::clone(&body));
    let address = serve_with_bodies(move |request, body| {
        asked.lock().unwrap().push(request.clone());
        body.read_to_string(&mut text.lock().unwrap()).unwrap();
        Answer::ok("application/json", format!(r#"{{"token": "{token}"}}"#).as_bytes())
    });
    (address, log, body)
}

#[test]
fn a_token_service_gets_the_password_and_the_registry_the_token() {
    let (service, asked, _) = token_service("t0");
    let (address, log) =
        guarded("Bearer t0", move |_| format!("Bearer realm=\"http://{service}/t\",service=\"s\""));
    pull_as(address, &address.to_string(), &password()).unwrap();
    assert_eq!(authorizations(&asked), [Some(format!("Basic {SOMEBODY}"))]);
    assert_eq!(asked.lock().unwrap()[0].path, "/t?service=s&scope=repository%3Aext%2Fhello%3Apull");
    let sent = authorizations(&log);
    assert!(sent.iter().flatten().all(|value| value == "Bearer t0"), "{sent:?}");
}

#[test]
fn an_identity_token_is_exchanged_and_a_registry_token_is_not() {
    let (service, asked, body) = token_service("t1");
    let (address, log) =
        guarded("Bearer t1", move |_| format!("Bearer realm=\"http://{service}/t\",service=\"s\""));
    pull_as(address, &address.to_string(), r#"{"auth": "YTpi", "identitytoken": "i=d"}"#).unwrap();
    let body = body.lock().unwrap();
    for part in [
        "grant_type=refresh_token",
        "refresh_token=i%3Dd",
        "service=s",
        "scope=repository%3Aext%2Fhello%3Apull",
    ] {
        assert!(body.split('&').any(|pair| pair == part), "{body}");
    }
    assert_eq!(asked.lock().unwrap()[0].method, "POST");
    assert!(authorizations(&log).iter().flatten().all(|value| value == "Bearer t1"));

    let (address, _) = guarded("Bearer r", |_| "Bearer realm=\"http://192.0.2.1/\"".into());
    pull_as(address, &address.to_string(), r#"{"registrytoken": "r"}"#).unwrap();
}

/// Status 307 and 308 have a client send the body again, and the token is in it.
#[test]
fn an_identity_token_does_not_follow_a_redirect() {
    let (thief, stolen, _) = token_service("t2");
    for status in ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let service =
            serve(move |_| Answer::status(status).header("Location", format!("http://{thief}/stolen")));
        let (address, _) = guarded("Bearer t2", move |_| format!("Bearer realm=\"http://{service}/t\""));
        let error =
            pull_as(address, &address.to_string(), r#"{"identitytoken": "open sesame"}"#).unwrap_err();
        assert!(matches!(error, RegistryError::Answer { .. }), "{error:?}");
    }
    assert!(stolen.lock().unwrap().is_empty());
}

#[test]
fn a_token_service_elsewhere_does_not_get_the_password() {
    let (service, asked, _) = token_service("t0");
    // The same machine under another name is another host to us.
    let realm = format!("http://localhost:{}/t", service.port());
    let (address, _) = guarded("Bearer t0", move |_| format!("Bearer realm=\"{realm}\""));
    let error = pull_as(address, &address.to_string(), &password()).unwrap_err();
    assert!(matches!(error, RegistryError::ForeignRealm { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Refused);
    assert!(asked.lock().unwrap().is_empty());
    // Somebody without a password has nothing to lose.
    pull_with(access(), &address.to_string()).unwrap();
    assert_eq!(authorizations(&asked), [None]);

    for realm in ["http://192.0.2.1/t", "http://user:word@127.0.0.1/t", "file:///etc/passwd", "gopher"] {
        let (address, _) = guarded("Bearer t0", move |_| format!("Bearer realm=\"{realm}\""));
        let error = pull_with(access(), &address.to_string()).unwrap_err();
        assert_eq!(error.outcome(), Outcome::Refused, "{error:?}");
    }
}

#[test]
fn a_redirect_to_another_port_goes_without_credentials() {
    let log = Log::default();
    let (asked, honest) = (Arc::clone(&log), Honest::new());
    let image = format!("/blobs/{}", honest.image.digest);
    let elsewhere = serve(move |request| {
        asked.lock().unwrap().push(request.clone());
        honest.answer(request)
    });
    let (honest, wanted) = (Honest::new(), format!("Basic {SOMEBODY}"));
    let address = serve(move |request| match request.header("authorization") {
        Some(found) if found == wanted && request.path.ends_with(&image) => {
            Answer::status("307 Temporary Redirect")
                .header("Location", format!("http://{elsewhere}{}", request.path))
        }
        Some(found) if found == wanted => honest.answer(request),
        _ => Answer::status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"test\""),
    });
    pull_as(address, &address.to_string(), &password()).unwrap();
    assert_eq!(authorizations(&log), [None]);
    assert!(!log.lock().unwrap()[0].headers.values().any(|value| value.contains(SOMEBODY)));

    // One that asks for them there does not get them either.
    let log = Log::default();
    let asked = Arc::clone(&log);
    let thief = serve(move |request| {
        asked.lock().unwrap().push(request.clone());
        Answer::status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"test\"")
    });
    let (address, _) = Honest::new()
        .serve_image(move |_, _| Answer::status("302 Found").header("Location", format!("http://{thief}/x")));
    let error = pull_as(address, &address.to_string(), &password()).unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error:?}");
    assert_eq!(authorizations(&log), [None]);
}

#[test]
fn an_upload_to_another_port_goes_without_credentials() {
    let (shelf, wanted) = (Arc::new(Mutex::new(Shelf::default())), format!("Basic {SOMEBODY}"));
    let (other, log) = (Arc::clone(&shelf), Log::default());
    let asked = Arc::clone(&log);
    let elsewhere = serve_with_bodies(move |request, body| {
        asked.lock().unwrap().push(request.clone());
        other.lock().unwrap().answer(request, body)
    });
    let address = serve_with_bodies(move |request, body| {
        if request.header("authorization") != Some(&wanted) {
            return Answer::status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"test\"");
        }
        let mut answer = shelf.lock().unwrap().answer(request, body);
        for (name, value) in &mut answer.headers {
            if *name == "Location" {
                *value = format!("http://{elsewhere}{value}");
            }
        }
        answer
    });
    let (_dir, path) = file(&address.to_string(), &password());
    let access = Access { credentials: CredentialFiles::only(path), ..access() };
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    let registry = Registry::new(reference(address, "ext/hello:1.0.0"), access);
    registry.push(&store.layout().unwrap(), &Found::manifest(extension.clone()), &mut |_| {}).unwrap();
    assert!(!log.lock().unwrap().is_empty());
    assert!(authorizations(&log).iter().all(Option::is_none));
}

#[test]
fn a_broken_file_is_named_and_only_where_it_is_needed() {
    let (_dir, path) = file("r.example", "\"sesame\"");
    let access = Access { credentials: CredentialFiles::only(path), ..access() };
    let (address, _) = basic();
    let error = pull_with(access.clone(), &address.to_string()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("auth.json:1:"), "{source}");
    pull_with(access, &Honest::new().serve().to_string()).unwrap();
}

#[test]
fn a_real_registry_lets_somebody_in_and_nobody_else() {
    let registry = RealRegistry::start_with_password();
    let (_dir, path) = file(&registry.address.to_string(), &password());
    let somebody = Access { credentials: CredentialFiles::only(path), ..access() };
    let place = reference(registry.address, "ext/hello:1.0.0");
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    store.attach_signature(&extension, BUNDLE).unwrap();
    let layout = store.layout().unwrap();
    let error = Registry::new(place.clone(), access())
        .push(&layout, &Found::manifest(extension.clone()), &mut |_| {})
        .unwrap_err();
    assert!(matches!(error, RegistryError::Denied { user: None, .. }), "{error:?}");
    Registry::new(place.clone(), somebody.clone())
        .push(&layout, &Found::manifest(extension.clone()), &mut |_| {})
        .unwrap();
    let (_dir, copy) = new_store();
    let pulled = Registry::new(place, somebody).pull(copy.dir(), &mut |_| {}).unwrap();
    assert_eq!(pulled.signatures, 1);
}

/// A helper is found in `PATH`, which only another process can have as we like.
#[test]
fn a_helper_program_is_asked() {
    let (address, _) = basic();
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("docker-credential-tenon-test");
    // The argument list and the question are part of the answer only if they are right; no shell reads the host.
    let script = "#!/bin/sh\nread -r host\n[ \"$#$1\" = 1get ] && [ \"$host\" = \"$TENON_TEST_HOST\" ] &&\n\
        echo '{\"ServerURL\": \"x\", \"Username\": \"somebody\", \"Secret\": \"open sesame\"}'\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let host = address.to_string();
    for config in [
        format!(r#"{{"credHelpers": {{"{host}": "tenon-test"}}, "credsStore": "tenon-has-no-such"}}"#),
        r#"{"credsStore": "tenon-test"}"#.to_owned(),
    ] {
        let file = dir.path().join("config.json");
        std::fs::write(&file, config).unwrap();
        let variables = [
            ("PATH", path.as_ref()),
            ("TENON_TEST_HOST", host.as_ref()),
            ("TENON_TEST_FILE", file.as_os_str()),
        ];
        again("pulls_in_another_process", &variables);
    }
}

#[test]
#[ignore = "run by the test above"]
fn pulls_in_another_process() {
    let variable = |name| std::env::var(name).unwrap();
    let credentials = CredentialFiles::only(variable("TENON_TEST_FILE"));
    pull_with(Access { credentials, ..access() }, &variable("TENON_TEST_HOST")).unwrap();
}

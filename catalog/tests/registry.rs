//! Against the registry that Debian ships, and against registries that lie.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

#[path = "support/honest.rs"]
mod honest;
#[path = "support/server.rs"]
mod server;
mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use catalog::{CatalogError, Progress, Reference, Registry, RegistryError};
use honest::{Honest, access, bytes_of, pull, push, reference, refused, sent};
use server::{Answer, Body, RealRegistry, free_port, serve};
use spec::artifact::{limits, media};
use spec::{Diagnose, Digest, Outcome};
use support::{BUNDLE, add, add_with, blob_path, config, files_besides_index, image_bytes, new_store};

#[test]
fn what_is_pushed_is_pulled_with_equal_digests_and_signatures() {
    let registry = RealRegistry::start();
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    store.attach_signature(&extension, BUNDLE).unwrap();
    store.attach_signature(&extension, b"second").unwrap();
    let place = reference(registry.address, "ext/hello:1.0.0");
    // Twice: what is there already is neither an error nor sent again.
    for _ in 0..2 {
        let pushed = push(&store, &extension, &place).unwrap();
        assert_eq!((pushed.signatures, pushed.skipped.len()), (2, 0));
    }

    let by_digest = reference(registry.address, &format!("ext/hello@{}", extension.digest));
    for place in [&place, &by_digest] {
        let (_dir, copy) = new_store();
        let mut seen = Vec::new();
        let pulled = Registry::new(place.clone(), access())
            .pull(copy.dir(), &mut |progress: Progress| seen.push(progress))
            .unwrap();
        assert_eq!(pulled.descriptor, extension);
        assert_eq!((pulled.signatures, pulled.skipped.len()), (2, 0));
        let layout = copy.layout().unwrap();
        assert_eq!(layout.signatures(&extension.digest).bundles, [BUNDLE, b"second"]);
        let image = layout.read_extension(&extension).unwrap().image;
        assert_eq!(std::fs::read(blob_path(copy.dir(), &image.digest)).unwrap(), image_bytes());
        let last = seen.last().unwrap();
        assert_eq!(last.done, last.total);
        assert!(seen.is_sorted_by_key(|progress| progress.done));
        // A second pull finds everything there.
        assert_eq!(pull(place, &copy).unwrap().descriptor, extension);
    }
}

#[test]
fn a_signature_from_elsewhere_is_added_to_those_on_the_registry() {
    let registry = RealRegistry::start();
    let place = reference(registry.address, "ext/hello:1.0.0");
    let mut subject = None;
    for bundle in [BUNDLE, b"of another signer"] {
        let (_dir, store) = new_store();
        let extension = add(&store, "hello", "1.0.0");
        store.attach_signature(&extension, bundle).unwrap();
        push(&store, &extension, &place).unwrap();
        subject = Some(extension.digest);
    }
    let (_dir, copy) = new_store();
    assert_eq!(pull(&place, &copy).unwrap().signatures, 2);
    let found = copy.layout().unwrap().signatures(&subject.unwrap());
    assert_eq!(found.bundles, [BUNDLE, b"of another signer"]);
}

#[test]
fn a_push_names_what_it_pushes() {
    let registry = RealRegistry::start();
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    let other = reference(registry.address, &format!("ext/hello@{}", Digest::of(b"other")));
    let error = push(&store, &extension, &other).unwrap_err();
    assert!(matches!(error, RegistryError::OtherDigest { .. }), "{error}");

    let image = store.layout().unwrap().read_parts(&extension).unwrap().image;
    std::fs::write(blob_path(store.dir(), &image.digest), b"damaged").unwrap();
    let error = push(&store, &extension, &reference(registry.address, "ext/hello:1")).unwrap_err();
    assert!(matches!(error, RegistryError::Local(CatalogError::WrongSize { .. })), "{error}");

    let mut bytes = image_bytes();
    bytes[7] ^= 1;
    std::fs::write(blob_path(store.dir(), &image.digest), bytes).unwrap();
    let place = reference(registry.address, "ext/hello:1");
    let error = push(&store, &extension, &place).unwrap_err();
    assert!(matches!(error, RegistryError::Local(CatalogError::WrongDigest { .. })), "{error}");
    let (_dir, copy) = new_store();
    assert!(matches!(pull(&place, &copy), Err(RegistryError::NotFound { .. })));
}

#[test]
fn a_tag_that_is_not_there_is_unavailable() {
    let registry = RealRegistry::start();
    let (_dir, store) = new_store();
    let error = pull(&reference(registry.address, "ext/absent:1"), &store).unwrap_err();
    assert_eq!(error.to_string(), format!("registry {0} has no {0}/ext/absent:1", registry.address));
    assert_eq!(error.outcome(), Outcome::Unavailable);
    assert!(error.hint().is_some());
}

#[test]
fn a_registry_that_is_down_is_a_clear_error_and_a_quick_one() {
    let started = Instant::now();
    let address = free_port();
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    let place = reference(address, "ext/hello:1.0.0");
    for error in [pull(&place, &store).unwrap_err(), push(&store, &extension, &place).unwrap_err()] {
        let text = error.to_string();
        assert!(text.starts_with(&format!("registry {address} cannot be reached for ")), "{text}");
        assert!(text.ends_with(&format!("{address}/ext/hello:1.0.0")), "{text}");
        assert_eq!(error.outcome(), Outcome::Unavailable);
        assert_eq!(error.hint().unwrap(), format!("start the registry on {address}, or name another one"));
        assert!(std::error::Error::source(&error).is_some());
    }
    // RFC 6761: no name under `invalid` exists.
    let Ok(Reference::Registry(nowhere)) = "registry.invalid/ext/hello:1".parse() else { panic!() };
    assert!(matches!(pull(&nowhere, &store), Err(RegistryError::Unreachable { .. })));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_pull_without_an_extension_makes_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let empty = |answer: &mut Answer| answer.body = Body::Whole(b"{}".to_vec());
    let honest = Honest::new();
    let config = format!("blobs/{}", honest.config.digest);
    let addresses = [
        free_port(),
        serve(|_| Answer::status("404 Not Found")),
        Honest::new().change("manifests/1.0.0", empty).serve(),
        honest.change(&config, empty).serve(),
    ];
    for address in addresses {
        let place = reference(address, "ext/hello:1.0.0");
        Registry::new(place, access()).pull(&out, &mut |_| {}).expect_err("there is nothing to pull");
        assert!(!out.exists());
    }
    let place = reference(Honest::new().serve(), "ext/hello:1.0.0");
    Registry::new(place, access()).pull(&out, &mut |_| {}).unwrap();
    assert!(out.join("index.json").exists());
}

#[test]
fn a_pull_does_not_take_the_tag_of_another_build() {
    let (_dir, store) = new_store();
    let ours = add_with(&store, &config("hello", "1.0.0"), b"ours", Digest::of(b"ours")).unwrap();
    let before = files_besides_index(store.dir()).len();
    let error = pull(&reference(Honest::new().serve(), "ext/hello:1.0.0"), &store).unwrap_err();
    assert!(
        matches!(&error, RegistryError::Local(CatalogError::TagTaken { tag, holder, .. })
            if tag == "hello-1.0.0" && *holder == ours.digest),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::Refused);
    assert!(error.hint().unwrap().contains("another layout"));
    assert_eq!(store.layout().unwrap().extensions()[0].descriptor, ours);
    assert_eq!(files_besides_index(store.dir()).len(), before);
}

#[test]
fn the_honest_answers_are_believed() {
    // Otherwise the tests below would refuse everything and show nothing.
    let (_dir, store) = new_store();
    let pulled = pull(&reference(Honest::new().serve(), "ext/hello:1.0.0"), &store).unwrap();
    assert_eq!((pulled.signatures, pulled.skipped.len()), (1, 0));
}

#[test]
fn a_body_with_other_bytes_is_refused() {
    for small in [false, true] {
        let honest = Honest::new();
        let blob = if small { honest.config.digest } else { honest.image.digest };
        let flip = |answer: &mut Answer| {
            let mut bytes = bytes_of(answer);
            bytes[7] ^= 1;
            answer.body = Body::Whole(bytes);
        };
        let error = refused(honest.change(&format!("blobs/{blob}"), flip).serve(), "ext/hello:1.0.0");
        assert!(matches!(sent(&error), CatalogError::WrongDigest { wanted, .. } if *wanted == blob));
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_whether_it_ends_or_not() {
    for body in [|bytes: Vec<u8>| Body::Whole([bytes, vec![0]].concat()), Body::Endless] {
        let honest = Honest::new();
        let image = format!("blobs/{}", honest.image.digest);
        let address = honest.change(&image, |answer| answer.body = body(bytes_of(answer))).serve();
        let error = refused(address, "ext/hello:1.0.0");
        assert!(matches!(sent(&error), CatalogError::WrongSize { .. }), "{error:?}");
    }
    let honest = Honest::new();
    let config = format!("blobs/{}", honest.config.digest);
    let address = honest.change(&config, |answer| answer.body = Body::Endless(bytes_of(answer))).serve();
    assert!(matches!(sent(&refused(address, "ext/hello:1.0.0")), CatalogError::TooLarge { .. }));
}

#[test]
fn a_body_that_is_too_short_is_refused() {
    let honest = Honest::new();
    let image = format!("blobs/{}", honest.image.digest);
    let halve = |answer: &mut Answer| {
        let bytes = bytes_of(answer);
        answer.body = Body::Whole(bytes[..bytes.len() / 2].to_vec());
    };
    let error = refused(honest.change(&image, halve).serve(), "ext/hello:1.0.0");
    assert!(matches!(sent(&error), CatalogError::WrongSize { .. }), "{error:?}");
}

#[test]
fn a_connection_that_breaks_off_is_unavailable() {
    let honest = Honest::new();
    let image = format!("blobs/{}", honest.image.digest);
    let address = honest.change(&image, |answer| answer.body = Body::Cut(bytes_of(answer))).serve();
    let error = refused(address, "ext/hello:1.0.0");
    assert!(matches!(error, RegistryError::Interrupted { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unavailable);
}

#[test]
fn a_manifest_without_end_is_refused() {
    let endless = |answer: &mut Answer| answer.body = Body::Endless(vec![b' '; 1 << 16]);
    let error = refused(Honest::new().change("manifests/1.0.0", endless).serve(), "ext/hello:1.0.0");
    assert!(matches!(sent(&error), CatalogError::TooLarge { limit: limits::MANIFEST, .. }), "{error:?}");
}

#[test]
fn an_error_page_without_end_is_not_read() {
    let endless = |answer: &mut Answer| {
        *answer = Answer {
            body: Body::Endless(vec![b'x'; 1 << 16]),
            ..Answer::status("500 Internal Server Error")
        };
    };
    let error = refused(Honest::new().change("manifests/1.0.0", endless).serve(), "ext/hello:1.0.0");
    assert!(error.to_string().contains("answered 500 Internal Server Error"), "{error}");
}

#[test]
fn a_manifest_of_another_digest_or_kind_is_refused() {
    let honest = Honest::new();
    let (pinned, by_digest) = (format!("ext/hello@{}", honest.manifest.digest), honest.manifest.digest);
    let space = |answer: &mut Answer| answer.body = Body::Whole([bytes_of(answer), b" ".to_vec()].concat());
    let error = refused(honest.change(&format!("manifests/{by_digest}"), space).serve(), &pinned);
    assert!(matches!(sent(&error), CatalogError::WrongDigest { .. }), "{error:?}");

    for other in [media::INDEX, "text/html", ""] {
        let retype = |answer: &mut Answer| answer.headers = vec![("Content-Type", other.to_owned())];
        let error = refused(Honest::new().change("manifests/1.0.0", retype).serve(), "ext/hello:1.0.0");
        assert!(
            matches!(sent(&error), CatalogError::Malformed { .. } | CatalogError::Json { .. }),
            "{error:?}"
        );
    }

    let honest = Honest::new();
    let digest = honest.image.digest.to_string();
    let climb = |answer: &mut Answer| {
        let text = String::from_utf8(bytes_of(answer)).unwrap();
        answer.body = Body::Whole(text.replace(&digest, "sha256:../../../../etc/passwd").into_bytes());
    };
    let error = refused(honest.change("manifests/1.0.0", climb).serve(), "ext/hello:1.0.0");
    assert!(matches!(sent(&error), CatalogError::Json { .. }), "{error:?}");
}

#[test]
fn a_broken_signature_is_left_out_and_named() {
    let lie = |answer: &mut Answer| answer.body = Body::Whole(vec![b'x'; BUNDLE.len()]);
    let address = Honest::new().change(&format!("blobs/{}", Digest::of(BUNDLE)), lie).serve();
    let (_dir, store) = new_store();
    let pulled = pull(&reference(address, "ext/hello:1.0.0"), &store).unwrap();
    assert_eq!(pulled.signatures, 0);
    assert!(matches!(pulled.skipped.as_slice(), [CatalogError::WrongDigest { .. }]));
    assert!(store.layout().unwrap().signatures(&pulled.descriptor.digest).bundles.is_empty());
}

#[test]
fn a_registry_that_wants_a_name_says_so() {
    let address = serve(|_| Answer::status("401 Unauthorized"));
    let error = refused(address, "ext/hello:1.0.0");
    assert!(matches!(error, RegistryError::Denied { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("credentials"));
}

/// Wants the token `open-sesame`, which it gives to everybody in the way of `token`.
fn serve_with_token(token: Answer) -> SocketAddr {
    let Honest { answers, .. } = Honest::new();
    serve(move |request| match (request.path.split('?').next(), request.header("authorization")) {
        (Some("/token"), _) => {
            assert_eq!(request.path, "/token?service=test&scope=repository%3Aext%2Fhello%3Apull");
            token.clone()
        }
        (_, Some("Bearer open-sesame")) => {
            answers.get(&request.path).cloned().unwrap_or_else(|| Answer::status("404 Not Found"))
        }
        _ => {
            let realm = format!("Bearer realm=\"http://{}/token\",service=\"test\"", request.headers["host"]);
            let headers = vec![("WWW-Authenticate", realm)];
            Answer { headers, ..Answer::status("401 Unauthorized") }
        }
    })
}

#[test]
fn a_token_that_everybody_gets_is_fetched_and_used() {
    for field in ["token", "access_token"] {
        let token = Answer::ok("application/json", format!(r#"{{"{field}":"open-sesame"}}"#).as_bytes());
        let (_dir, store) = new_store();
        let place = reference(serve_with_token(token), "ext/hello:1.0.0");
        assert_eq!(pull(&place, &store).unwrap().signatures, 1);
    }
}

#[test]
fn a_token_that_is_wrong_or_without_end_is_refused() {
    let wrong = Answer::ok("application/json", br#"{"token":"other"}"#);
    assert!(matches!(refused(serve_with_token(wrong), "ext/hello:1.0.0"), RegistryError::Denied { .. }));
    let endless = Answer { body: Body::Endless(vec![b' '; 1 << 16]), ..Answer::status("200 OK") };
    let error = refused(serve_with_token(endless), "ext/hello:1.0.0");
    assert!(matches!(sent(&error), CatalogError::TooLarge { .. }), "{error:?}");
}

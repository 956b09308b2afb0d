//! Downloads that break off, and registries that take their time or lead away.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

#[path = "support/honest.rs"]
mod honest;
#[path = "support/server.rs"]
mod server;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use catalog::registry::Patience;
use catalog::{Access, CatalogError, Registry, RegistryError};
use honest::{Honest, PATIENCE, REPOSITORY, access, pull, reference, refused, refused_with, sent};
use server::{Answer, Body, Request, serve};
use spec::{Diagnose, Digest, Outcome};
use support::{BUNDLE, image_bytes, new_store};

const BYTES: &str = "application/octet-stream";

/// The first byte that a request wants.
fn first(request: &Request) -> usize {
    let range = request.header("range").map(|range| range.strip_prefix("bytes=").unwrap());
    range.map_or(0, |range| range.strip_suffix('-').unwrap().parse().unwrap())
}

/// The rest of `bytes` from `from` on, as RFC 9110 section 15.3.7 has it.
fn partial(bytes: &[u8], from: usize) -> Answer {
    let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
    Answer { status: "206 Partial Content", ..Answer::ok(BYTES, &bytes[from..]) }
        .header("Content-Range", range)
}

fn cut(answer: Answer) -> Answer {
    match answer.body {
        Body::Whole(bytes) => Answer { body: Body::Cut(bytes), ..answer },
        _ => panic!("only what is whole can be cut"),
    }
}

/// Pulls, and returns the place at which each request for the image began.
fn places(image: impl Fn(&Request, &[u8]) -> Answer + Send + Sync + 'static) -> Vec<usize> {
    let (address, asked) = Honest::new().serve_image(image);
    let (_dir, store) = new_store();
    let mut seen = Vec::new();
    let registry = Registry::new(reference(address, "ext/hello:1.0.0"), access());
    registry.pull(store.dir(), &mut |progress| seen.push(progress)).unwrap();
    let last = seen.last().unwrap();
    assert_eq!(last.done, last.total);
    assert!(seen.iter().all(|progress| progress.done <= progress.total));
    asked.lock().unwrap().iter().map(first).collect()
}

/// Cuts every answer until the request for less than `enough` bytes.
fn cutting(request: &Request, bytes: &[u8], enough: usize) -> Answer {
    let from = first(request);
    let answer = match from {
        0 => Answer::ok(BYTES, bytes),
        from => partial(bytes, from),
    };
    if bytes.len() - from < enough { answer } else { cut(answer) }
}

#[test]
fn a_download_that_breaks_goes_on_where_it_was() {
    let size = image_bytes().len();
    let places = places(move |request, bytes| cutting(request, bytes, size / 4));
    assert_eq!(places, [0, size / 2, size / 2 + size / 4, size / 2 + size / 4 + size / 8]);
}

#[test]
fn a_body_without_a_length_that_ends_early_goes_on() {
    let size = image_bytes().len();
    let places = places(|request, bytes| match first(request) {
        0 => Answer { body: Body::Unannounced(bytes[..1000].to_vec()), ..Answer::ok(BYTES, &[]) },
        from => partial(bytes, from),
    });
    assert_eq!(places, [0, 1000]);
    assert!(size > 1000);
}

#[test]
fn a_registry_that_gives_all_of_it_again_is_taken_at_its_word() {
    let tries = AtomicUsize::new(0);
    let half = image_bytes().len() / 2;
    let places = places(move |_, bytes| match tries.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => cut(Answer::ok(BYTES, bytes)),
        _ => Answer::ok(BYTES, bytes),
    });
    assert_eq!(places, [0, half, half]);
}

#[test]
fn a_part_that_is_not_the_one_asked_for_is_refused() {
    let size = image_bytes().len();
    let half = size / 2;
    for range in [
        format!("bytes 0-{}/{size}", size - 1),
        format!("bytes {}-{}/{size}", half - 1, size - 1),
        format!("bytes {}-{}/{size}", half + 1, size - 1),
        format!("bytes {half}-{}/{size}", size - 2),
        format!("bytes {half}-{size}/{}", size + 1),
        format!("bytes */{size}"),
        "bytes".into(),
        String::new(),
    ] {
        let (address, asked) = Honest::new().serve_image(move |request, bytes| match first(request) {
            0 => cut(Answer::ok(BYTES, bytes)),
            from => Answer { status: "206 Partial Content", ..Answer::ok(BYTES, &bytes[from..]) }
                .header("Content-Range", &range),
        });
        let error = refused(address, "ext/hello:1.0.0");
        assert!(matches!(sent(&error), CatalogError::Malformed { .. }), "{error:?}");
        assert_eq!(asked.lock().unwrap().len(), 2);
    }
}

#[test]
fn a_part_that_nobody_asked_for_is_refused() {
    let (address, _) = Honest::new().serve_image(|_, bytes| partial(bytes, 0));
    let error = refused(address, "ext/hello:1.0.0");
    assert!(matches!(sent(&error), CatalogError::Malformed { .. }), "{error:?}");
}

#[test]
fn a_part_with_other_bytes_is_refused() {
    let (address, _) = Honest::new().serve_image(|request, bytes| match first(request) {
        0 => cut(Answer::ok(BYTES, bytes)),
        from => {
            let mut bytes = bytes.to_vec();
            bytes[from + 5] ^= 1;
            partial(&bytes, from)
        }
    });
    let error = refused(address, "ext/hello:1.0.0");
    assert!(matches!(sent(&error), CatalogError::WrongDigest { .. }), "{error:?}");
}

#[test]
fn a_length_that_is_a_lie_is_refused_before_the_body_is_read() {
    for lie in [1u64, 1 << 40] {
        let (address, asked) = Honest::new().serve_image(move |_, bytes| {
            Answer { body: Body::Unannounced(bytes.to_vec()), ..Answer::ok(BYTES, &[]) }
                .header("Content-Length", lie)
        });
        let error = refused(address, "ext/hello:1.0.0");
        assert!(matches!(sent(&error), CatalogError::WrongSize { found, .. } if *found == lie), "{error:?}");
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_registry_that_never_gives_the_rest_is_given_up() {
    let (address, asked) = Honest::new().serve_image(|request, bytes| match first(request) {
        0 => cut(Answer::ok(BYTES, bytes)),
        _ => Answer::hang_up(),
    });
    let error = refused(address, "ext/hello:1.0.0");
    assert!(matches!(error, RegistryError::Interrupted { .. }), "{error:?}");
    assert_eq!(asked.lock().unwrap().len() as u32, PATIENCE.tries);
}

/// Answers `trouble` so many times before each honest answer.
fn troubled(times: usize, trouble: Answer) -> (std::net::SocketAddr, Arc<Mutex<Vec<Request>>>) {
    let honest = Honest::new();
    let asked = Arc::new(Mutex::new(Vec::<Request>::new()));
    let log = Arc::clone(&asked);
    let address = serve(move |request| {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|other| other.path == request.path).count();
        log.push(request.clone());
        if before < times { trouble.clone() } else { honest.answer(request) }
    });
    (address, asked)
}

#[test]
fn what_passes_by_itself_is_waited_for() {
    for trouble in [
        Answer::status("429 Too Many Requests"),
        Answer::status("500 Internal Server Error"),
        Answer::status("503 Service Unavailable").header("Retry-After", "0"),
        Answer::status("504 Gateway Timeout").header("Retry-After", "soon"),
        Answer::hang_up(),
    ] {
        let (address, _) = troubled(2, trouble);
        let (_dir, store) = new_store();
        let pulled = pull(&reference(address, "ext/hello:1.0.0"), &store).unwrap();
        assert_eq!((pulled.signatures, pulled.skipped.len()), (1, 0));
    }
}

#[test]
fn a_registry_is_left_alone_for_as_long_as_it_asks_and_not_for_any_time() {
    let path = format!("{REPOSITORY}/manifests/1.0.0");
    let honest = Honest::new();
    let asked = Mutex::new(0);
    let address = serve(move |request| {
        let mut asked = asked.lock().unwrap();
        *asked += usize::from(request.path == path);
        match *asked {
            1 if request.path == path => Answer::status("429 Too Many Requests").header("Retry-After", "1"),
            _ => honest.answer(request),
        }
    });
    let started = Instant::now();
    let (_dir, store) = new_store();
    pull(&reference(address, "ext/hello:1.0.0"), &store).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));

    let later = Answer::status("503 Service Unavailable").header("Retry-After", "3600");
    let (address, asked) = troubled(usize::MAX, later);
    let error = refused(address, "ext/hello:1.0.0");
    assert!(matches!(error, RegistryError::Busy { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unavailable);
    assert!(error.hint().unwrap().contains("3600 s"));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn tries_are_counted_and_only_what_can_pass_is_tried_again() {
    for (status, wanted) in [
        ("500 Internal Server Error", PATIENCE.tries as usize),
        ("400 Bad Request", 1),
        ("403 Forbidden", 1),
        ("404 Not Found", 1),
        ("501 Not Implemented", 1),
    ] {
        let (address, asked) = troubled(usize::MAX, Answer::status(status));
        refused(address, "ext/hello:1.0.0");
        assert_eq!(asked.lock().unwrap().len(), wanted, "{status}");
    }
}

#[test]
fn a_registry_that_says_next_to_nothing_is_given_up() {
    let patience = Patience { stall: Duration::from_millis(200), tries: 2, ..PATIENCE };
    for body in
        [Body::Silence(Duration::from_secs(60)), Body::Trickle(vec![b' '; 4096], Duration::from_millis(50))]
    {
        let answer = Answer { body, ..Answer::ok("text/plain", &[]) };
        let (address, asked) = troubled(usize::MAX, answer);
        let access = Access { patience, ..access() };
        let started = Instant::now();
        let error = refused_with(access, address, "ext/hello:1.0.0");
        assert!(matches!(error, RegistryError::Stalled { .. }), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(asked.lock().unwrap().len(), 2);
    }
}

/// Each byte comes in time, and all of them never would.
#[test]
fn a_document_that_comes_in_crumbs_is_given_up() {
    let patience = Patience { total: Duration::from_millis(500), tries: 1, ..PATIENCE };
    let body = Body::Trickle(vec![b' '; 4 << 20], Duration::from_millis(1));
    let (address, _) = troubled(usize::MAX, Answer { body, ..Answer::ok("text/plain", &[]) });
    let started = Instant::now();
    let error = refused_with(Access { patience, ..access() }, address, "ext/hello:1.0.0");
    assert!(matches!(error, RegistryError::Stalled { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_redirect_leads_to_this_machine_or_nowhere() {
    let target = Honest::new().serve();
    let (address, _) = Honest::new().serve_image(move |request, _| {
        Answer::status("307 Temporary Redirect")
            .header("Location", format!("http://{target}{}", request.path))
    });
    let (_dir, store) = new_store();
    pull(&reference(address, "ext/hello:1.0.0"), &store).unwrap();

    for place in ["http://192.0.2.1", "http://registry.invalid", "ftp://127.0.0.1"] {
        let (address, asked) = Honest::new().serve_image(move |_, _| {
            Answer::status("302 Found").header("Location", format!("{place}/x?secret"))
        });
        let error = refused(address, "ext/hello:1.0.0");
        assert!(matches!(error, RegistryError::LedAstray { .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::Refused);
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        assert_eq!(asked.lock().unwrap().len(), 1);
    }

    let (address, asked) =
        Honest::new().serve_image(|request, _| Answer::status("302 Found").header("Location", &request.path));
    let error = refused(address, "ext/hello:1.0.0");
    assert!(matches!(error, RegistryError::LedAstray { .. }), "{error:?}");
    assert!(asked.lock().unwrap().len() < 10);
}

#[test]
fn blobs_come_at_the_same_time() {
    let honest = Honest::new();
    let (waiting, arrived) = (Arc::new((Mutex::new(0), Condvar::new())), Duration::from_secs(10));
    let address = serve(move |request| {
        // Image, paths and kernel ABI record: none is given before all are asked for.
        let is_layer =
            request.path.contains("/blobs/") && !request.path.contains(&honest.config.digest.to_string());
        if is_layer && !request.path.contains(&Digest::of(BUNDLE).to_string()) {
            let (count, changed) = waiting.as_ref();
            let mut count = count.lock().unwrap();
            *count += 1;
            changed.notify_all();
            let (_count, late) = changed.wait_timeout_while(count, arrived, |count| *count < 3).unwrap();
            if late.timed_out() {
                return Answer::status("400 Bad Request");
            }
        }
        honest.answer(request)
    });
    let (_dir, store) = new_store();
    let mut seen = Vec::new();
    let registry = Registry::new(reference(address, "ext/hello:1.0.0"), access());
    registry.pull(store.dir(), &mut |progress| seen.push(progress)).unwrap();
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    assert_eq!(seen.last().map(|last| last.done), seen.last().map(|last| last.total));
}

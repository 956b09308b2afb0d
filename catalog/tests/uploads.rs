//! Uploads that break off, against a registry that breaks them and against the one that Debian ships.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

#[path = "support/breaker.rs"]
mod breaker;
#[path = "support/honest.rs"]
mod honest;
#[path = "support/server.rs"]
mod server;
#[path = "support/shelf.rs"]
mod shelf;
mod support;

use std::sync::{Arc, Mutex};

use breaker::Breaker;
use catalog::descriptor::Descriptor;
use catalog::{Found, Registry, RegistryError, Store};
use honest::{PATIENCE, access, pull, push, reference};
use server::{Answer, RealRegistry};
use shelf::{Fault, Shelf, look};
use spec::{Diagnose, Outcome};
use support::{BUNDLE, add, image_bytes, new_store};
use tempfile::TempDir;

fn signed() -> (TempDir, Store, Descriptor) {
    let (dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    store.attach_signature(&extension, BUNDLE).unwrap();
    (dir, store, extension)
}

/// Pushes to a registry with faults, which must have everything in the end.
fn pushed(faults: impl IntoIterator<Item = Fault>) -> Arc<Mutex<Shelf>> {
    let (address, shelf) = Shelf::serve(faults);
    let (_dir, store, extension) = signed();
    let place = reference(address, "ext/hello:1.0.0");
    let mut last = None;
    let report = &mut |progress: catalog::Progress| {
        assert!(progress.done <= progress.total);
        last = Some(progress);
    };
    let done = Registry::new(place.clone(), access())
        .push(&store.layout().unwrap(), &Found::manifest(extension.clone()), report)
        .unwrap();
    assert_eq!(done.signatures, 1);
    let last = last.unwrap();
    assert_eq!(last.done, last.total);

    let (_dir, copy) = new_store();
    assert_eq!(pull(&place, &copy).unwrap().descriptor, extension);
    assert_eq!(copy.layout().unwrap().signatures(&extension.digest).bundles, [BUNDLE]);
    assert!(look(&shelf).faults.is_empty(), "{:?}", look(&shelf).faults);
    shelf
}

/// Bytes of blobs that a push without faults sends.
fn all_bytes() -> usize {
    let shelf = pushed([]);
    let shelf = look(&shelf);
    shelf.blobs.values().map(Vec::len).sum()
}

fn failed(faults: impl IntoIterator<Item = Fault>) -> (RegistryError, Arc<Mutex<Shelf>>) {
    let (address, shelf) = Shelf::serve(faults);
    let (_dir, store, extension) = signed();
    let error = push(&store, &extension, &reference(address, "ext/hello:1.0.0")).unwrap_err();
    assert!(error.hint().is_some());
    // A manifest must not come before its blobs.
    assert!(look(&shelf).manifests.is_empty());
    (error, shelf)
}

#[test]
fn without_faults_every_blob_is_sent_once() {
    let shelf = pushed([]);
    let shelf = look(&shelf);
    assert_eq!(shelf.read, all_bytes());
    assert_eq!(shelf.uploads.len(), shelf.blobs.len());
    assert_eq!(shelf.count("GET", "uploads"), 0);
}

#[test]
fn an_upload_that_breaks_goes_on_where_it_was() {
    let size = image_bytes().len();
    let shelf = pushed([size / 2, size / 3, 10].map(Fault::Break));
    let shelf = look(&shelf);
    assert_eq!(shelf.read, all_bytes(), "bytes were sent twice");
    assert_eq!(shelf.uploads.len(), shelf.blobs.len(), "an upload began anew");
    assert_eq!(shelf.count("GET", "uploads"), 3);
}

#[test]
fn where_nobody_knows_how_far_an_upload_was_it_begins_anew() {
    let progress = |range: &str| {
        Fault::Progress(
            Answer::status("204 No Content").header("Location", "/elsewhere").header("Range", range),
        )
    };
    for fault in [
        Fault::Progress(Answer::status("404 Not Found")),
        Fault::Progress(Answer::status("204 No Content")),
        progress("0-0"),
        progress("0-99999999"),
        progress("5-9"),
        progress("half of it"),
    ] {
        let shelf = pushed([Fault::Break(5), fault]);
        let shelf = look(&shelf);
        assert_eq!(shelf.uploads.len(), shelf.blobs.len() + 1);
        assert_eq!(shelf.read, all_bytes() + 5);
    }
}

#[test]
fn what_passes_by_itself_is_waited_for() {
    for status in
        ["503 Service Unavailable", "429 Too Many Requests", "404 Not Found", "416 Range Not Satisfiable"]
    {
        pushed([Fault::Refuse(Answer::status(status)), Fault::Refuse(Answer::status(status))]);
    }
    pushed([Fault::Progress(Answer::hang_up()), Fault::Break(7)]);
}

#[test]
fn a_registry_that_has_taken_less_than_it_was_sent_is_sent_the_rest() {
    let shelf = pushed([Fault::Keep(20)]);
    let shelf = look(&shelf);
    assert_eq!(shelf.uploads.len(), shelf.blobs.len());
}

#[test]
fn a_blob_whose_answer_was_lost_is_not_sent_again() {
    let shelf = pushed([Fault::Swallow]);
    let shelf = look(&shelf);
    assert_eq!(shelf.read, all_bytes());
    assert_eq!(shelf.uploads.len(), shelf.blobs.len());
}

#[test]
fn a_registry_that_never_takes_a_blob_is_given_up() {
    let tries = PATIENCE.tries as usize;
    // Blobs go out at the same time, so that each may have its tries.
    let (error, shelf) = failed(vec![Fault::Break(0); 4 * tries]);
    assert!(matches!(error, RegistryError::Interrupted { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unavailable);
    assert!(error.to_string().contains("blob sha256:"), "{error}");
    assert!((tries..=4 * tries).contains(&look(&shelf).count("PATCH", "uploads")));

    let (error, shelf) = failed([Fault::Refuse(Answer::status("400 Bad Request"))]);
    assert!(matches!(error, RegistryError::Answer { .. }), "{error:?}");
    assert!((1..=4).contains(&look(&shelf).count("PATCH", "uploads")));
}

#[test]
fn an_upload_does_not_go_where_others_can_listen() {
    for place in
        ["http://192.0.2.1/x", "http://registry.invalid/x", "//registry.invalid/x", "ftp://127.0.0.1/x"]
    {
        let answer = Answer::status("202 Accepted").header("Location", place);
        let (error, _) = failed([Fault::Refuse(answer)]);
        assert!(matches!(error, RegistryError::LedAstray { .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::Refused);
    }
    let (error, _) = failed([Fault::Refuse(Answer::status("202 Accepted"))]);
    assert!(matches!(error, RegistryError::Sent { .. }), "{error:?}");
}

/// docker-registry 2.8 ends an upload whose request broke off with bytes of it received: the `_state` of the address, which
/// it has signed, has the offset before them, and GET and PATCH answer 404 from then on. Sending in chunks changes nothing,
/// because a break within any of them ends the upload as a whole. So the blob is sent anew; it gives parts of blobs as it
/// should.
#[test]
fn a_real_registry_is_sent_a_blob_anew_and_gives_the_rest_of_one() {
    let registry = RealRegistry::start();
    let (_dir, store, extension) = signed();
    let size = image_bytes().len();
    let breaker = Breaker::start(registry.address, size / 3, 2);
    push(&store, &extension, &reference(breaker.address, "ext/hello:1.0.0")).unwrap();
    assert_eq!(breaker.broken(), 2);

    let breaker = Breaker::start(registry.address, size / 3, 2);
    let (_dir, copy) = new_store();
    let place = reference(breaker.address, "ext/hello:1.0.0");
    assert_eq!(pull(&place, &copy).unwrap().descriptor, extension);
    assert_eq!(breaker.broken(), 2);
    let got = breaker.downward();
    assert!(got < size + size / 3, "{got} bytes for a blob of {size}: it was fetched again from its start");
}

#[test]
fn a_real_registry_takes_blobs_over_from_another_repository() {
    let registry = RealRegistry::start();
    let (_dir, store, extension) = signed();
    let size = image_bytes().len();
    push(&store, &extension, &reference(registry.address, "ext/first:1")).unwrap();
    let wire = Breaker::start(registry.address, usize::MAX, 0);
    let place = reference(wire.address, "ext/second:1");
    let second = Registry::new(place.clone(), access()).mounting_from(Some("ext/first".parse().unwrap()));
    let mut seen = Vec::new();
    second
        .push(&store.layout().unwrap(), &Found::manifest(extension.clone()), &mut |progress| {
            seen.push(progress)
        })
        .unwrap();
    assert!(wire.upward() < size / 10, "{} bytes were sent", wire.upward());
    assert_eq!(seen.last().map(|last| last.done), seen.last().map(|last| last.total));
    let (_dir, copy) = new_store();
    assert_eq!(pull(&place, &copy).unwrap().descriptor, extension);
}

#[test]
fn a_registry_that_does_not_take_a_blob_over_gets_its_bytes() {
    for status in ["404 Not Found", "403 Forbidden", "405 Method Not Allowed"] {
        let (address, shelf) = Shelf::serve([Fault::Mount(Answer::status(status))]);
        let (_dir, store, extension) = signed();
        let place = reference(address, "ext/hello:1.0.0");
        let registry = Registry::new(place, access()).mounting_from(Some("ext/other".parse().unwrap()));
        registry.push(&store.layout().unwrap(), &Found::manifest(extension.clone()), &mut |_| {}).unwrap();
        let shelf = look(&shelf);
        assert_eq!(shelf.read, all_bytes());
        assert_eq!(shelf.count("POST", "&from=ext/other"), shelf.blobs.len());
    }
}

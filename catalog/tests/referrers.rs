//! Where a registry keeps the list of signatures: by itself, or under the tag of the fallback scheme
//! (distribution-spec 1.1, "Referrers Tag Schema").

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

#[path = "support/honest.rs"]
mod honest;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/server.rs"]
mod server;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use catalog::descriptor::Descriptor;
use catalog::{CatalogError, RegistryError, RegistryReference, Store, Tag};
use honest::{Honest, pull, push, reference};
use memory::{Memory, index_of};
use server::{Answer, serve};
use spec::artifact::media;
use support::{BUNDLE, add, new_store};

const OTHER: &[u8] = b"of another signer";

/// The same extension with one signature, as each of several signers has it.
fn signed(bundle: &[u8]) -> (tempfile::TempDir, Store, Descriptor) {
    let (dir, store) = new_store();
    let extension = add(&store, "hello", "1.0.0");
    store.attach_signature(&extension, bundle).unwrap();
    (dir, store, extension)
}

fn fallback(memory: &Memory, subject: &Descriptor) -> Option<Vec<Descriptor>> {
    let tag = Tag::of_referrers(&subject.digest);
    memory.index("ext/hello", tag.as_str()).map(|index| index.manifests)
}

#[test]
fn a_registry_without_referrers_gets_their_list_under_a_tag() {
    let memory = Memory::without_api();
    let place = reference(memory.address, "ext/hello:1.0.0");
    let (_dir, store, extension) = signed(BUNDLE);
    for _ in 0..2 {
        push(&store, &extension, &place).unwrap();
        let [listed] = fallback(&memory, &extension).unwrap().try_into().unwrap();
        assert_eq!(listed.artifact_type.as_deref(), Some(media::BUNDLE));
        assert_eq!(listed.annotations["dev.sigstore.bundle.content"], "dsse-envelope");
    }
    let (_dir, copy) = new_store();
    assert_eq!(pull(&place, &copy).unwrap().signatures, 1);
    assert_eq!(copy.layout().unwrap().signatures(&extension.digest).bundles, [BUNDLE]);
}

#[test]
fn a_registry_with_referrers_gets_no_such_tag() {
    let memory = Memory::with_api();
    let place = reference(memory.address, "ext/hello:1.0.0");
    let (_dir, store, extension) = signed(BUNDLE);
    push(&store, &extension, &place).unwrap();
    assert_eq!(fallback(&memory, &extension), None);
    let (_dir, copy) = new_store();
    assert_eq!(pull(&place, &copy).unwrap().signatures, 1);
}

#[test]
fn what_others_have_listed_stays_listed() {
    let memory = Memory::without_api();
    let place = reference(memory.address, "ext/hello:1.0.0");
    let (_dir, store, extension) = signed(BUNDLE);
    let sbom = Descriptor {
        artifact_type: Some("application/spdx+json".into()),
        ..Descriptor::of(media::MANIFEST, b"somebody's list of materials")
    };
    let list = (media::INDEX.to_owned(), index_of(std::slice::from_ref(&sbom)));
    let tag = Tag::of_referrers(&extension.digest);
    let mut shelf = memory.shelf();
    shelf.documents.insert(format!("ext/hello/manifests/{tag}"), list);
    // A list names what is there.
    let there = (media::MANIFEST.to_owned(), b"somebody's list of materials".to_vec());
    shelf.documents.insert(format!("ext/hello/manifests/{}", sbom.digest), there);
    drop(shelf);
    push(&store, &extension, &place).unwrap();
    let (_dir, store, _) = signed(OTHER);
    push(&store, &extension, &place).unwrap();
    let listed = fallback(&memory, &extension).unwrap();
    assert_eq!((listed.len(), &listed[0]), (3, &sbom));

    let (_dir, copy) = new_store();
    assert_eq!(pull(&place, &copy).unwrap().signatures, 2, "and what is no signature is not brought");
    assert_eq!(copy.layout().unwrap().signatures(&extension.digest).bundles, [BUNDLE, OTHER]);
}

#[test]
fn another_writer_in_the_same_moment_loses_nothing_and_we_neither() {
    let memory = Memory::without_api();
    let place = reference(memory.address, "ext/hello:1.0.0");
    let (_dir, theirs, extension) = signed(OTHER);
    push(&theirs, &extension, &place).unwrap();
    let their_list = fallback(&memory, &extension).unwrap();
    let (_dir, ours, _) = signed(BUNDLE);
    // What they write after us is what they have read before us.
    memory.shelf().rivals = vec![index_of(&their_list)];
    push(&ours, &extension, &place).unwrap();
    let listed = fallback(&memory, &extension).unwrap();
    let our_entry = ours.attach_signature(&extension, BUNDLE).unwrap();
    assert_eq!(listed, [their_list, vec![our_entry]].concat());

    // A list that they empty for ever is no place for a signature.
    memory.shelf().rivals = vec![index_of(&[]); 50];
    let (_dir, third, _) = signed(b"a third");
    let error = push(&third, &extension, &place).unwrap_err();
    assert!(matches!(error, RegistryError::NotKept { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("the list of signatures of {}", extension.digest)),
        "{error}"
    );
}

/// A registry with a list of five signatures on pages of two, and where it is.
fn of_pages() -> (Memory, RegistryReference, Descriptor) {
    let memory = Memory::with_api();
    let place = reference(memory.address, "ext/hello:1.0.0");
    let (_dir, store, extension) = signed(BUNDLE);
    for number in 1..5 {
        store.attach_signature(&extension, format!("by signer {number}").as_bytes()).unwrap();
    }
    memory.shelf().page = Some(2);
    push(&store, &extension, &place).unwrap();
    (memory, place, extension)
}

#[test]
fn a_list_is_read_to_its_last_page() {
    let (memory, place, extension) = of_pages();
    let (_dir, copy) = new_store();
    let pulled = pull(&place, &copy).unwrap();
    assert_eq!((pulled.signatures, pulled.skipped.len()), (5, 0));
    assert_eq!(copy.layout().unwrap().signatures(&extension.digest).bundles.len(), 5);

    // The push of a sixth finds it in the list, wherever it is.
    let (_dir, store, _) = signed(OTHER);
    push(&store, &extension, &place).unwrap();
    assert_eq!(fallback(&memory, &extension), None);
    let (_dir, copy) = new_store();
    assert_eq!(pull(&place, &copy).unwrap().signatures, 6);
}

#[test]
fn pages_that_lead_astray_hide_none_that_came_before() {
    let port = |memory: &Memory| memory.address.port();
    let (memory, place, extension) = of_pages();
    let elsewhere = format!("<http://127.0.0.1:{}/v2/x>; rel=next", port(&memory).wrapping_add(1));
    for (link, sentence) in [
        (elsewhere.as_str(), "and not at the registry"),
        ("<https://registry.invalid/v2/x>; rel=next", "is at https://registry.invalid, and not"),
        ("<http://somebody@127.0.0.1/v2/x>; rel=next", "and not at the registry"),
        ("<file:///etc/passwd>; rel=next", "and not at the registry"),
        ("<http://[>; rel=next", "the address of its next page is none"),
        ("<?from=2>; rel=next", "lead in a circle"),
        ("<?from=0>; rel=next", "lead in a circle"),
        ("</v2/ext/hello/other/pages>; rel=next", "does not have it"),
    ] {
        memory.shelf().link = Some((2, link.to_owned()));
        let (_dir, copy) = new_store();
        let pulled = pull(&place, &copy).unwrap();
        let [skipped] = pulled.skipped.as_slice() else { panic!("{link}: {:?}", pulled.skipped) };
        assert!(skipped.to_string().contains(sentence), "{link}: {skipped}");
        assert_eq!(copy.layout().unwrap().signatures(&extension.digest).bundles.len(), pulled.signatures);
        assert!((4..=5).contains(&pulled.signatures), "{link}: {}", pulled.signatures);

        // Whether a new signature is listed cannot be found out.
        let (_dir, store, _) = signed(format!("for {link}").as_bytes());
        match push(&store, &extension, &place) {
            Ok(_) => {}
            Err(error) => assert!(matches!(error, RegistryError::Sent { .. }), "{error:?}"),
        }
    }
}

#[test]
fn there_is_an_end_to_pages() {
    let number = AtomicUsize::new(0);
    let honest = Honest::new();
    let address = serve(move |request| match request.path.contains("/referrers/") {
        true => Answer::ok(media::INDEX, &index_of(&[]))
            .header("Link", format!("<?n={}>; rel=next", number.fetch_add(1, Ordering::Relaxed))),
        false => honest.answer(request),
    });
    let (_dir, copy) = new_store();
    let pulled = pull(&reference(address, "ext/hello:1.0.0"), &copy).unwrap();
    let [skipped] = pulled.skipped.as_slice() else { panic!("{:?}", pulled.skipped) };
    assert!(skipped.to_string().contains("it has more than 64 pages"), "{skipped}");
}

#[test]
fn pages_are_no_longer_together_than_a_list_may_be() {
    let honest = Honest::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let number = Arc::clone(&asked);
    // A mebibyte of a page, and the next.
    let page = [index_of(&[]), vec![b' '; 1 << 20]].concat();
    let address = serve(move |request| match request.path.contains("/referrers/") {
        true => Answer::ok(media::INDEX, &page)
            .header("Link", format!("<?n={}>; rel=next", number.fetch_add(1, Ordering::Relaxed))),
        false => honest.answer(request),
    });
    let (_dir, copy) = new_store();
    let pulled = pull(&reference(address, "ext/hello:1.0.0"), &copy).unwrap();
    let [CatalogError::TooLarge { .. }] = pulled.skipped.as_slice() else { panic!("{:?}", pulled.skipped) };
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

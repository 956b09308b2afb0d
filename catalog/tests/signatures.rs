//! The signatures of a layout: all that are there are found, and what others put beside them hides none.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

mod support;

use std::fs;
use std::path::Path;

use catalog::descriptor::Descriptor;
use catalog::document::Index;
use catalog::{CatalogError, Layout, Tag};
use spec::artifact::{limits, media};
use spec::{Digest, ReasonCode};
use support::{BUNDLE, add, blob_path, new_store};

#[test]
fn a_signature_has_the_manifest_that_cosign_specifies() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let listed = store.attach_signature(&subject, BUNDLE).unwrap();
    let manifest = store.layout().unwrap().blob(&listed, limits::MANIFEST).unwrap();
    let expected = format!(
        concat!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","#,
            r#""config":{{"mediaType":"application/vnd.oci.empty.v1+json","#,
            r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}},"#,
            r#""layers":[{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"{}","size":{}}}],"#,
            r#""subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{}}},"#,
            r#""annotations":{{"dev.sigstore.bundle.content":"dsse-envelope","#,
            r#""dev.sigstore.bundle.predicateType":"https://tenon.dev/extension/v1"}}}}"#,
        ),
        Digest::of(BUNDLE),
        BUNDLE.len(),
        subject.digest,
        subject.size,
    );
    assert_eq!(String::from_utf8(manifest).unwrap(), expected);
}

#[test]
fn signatures_are_found_through_the_fallback_tag_each_once() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    store.attach_signature(&subject, BUNDLE).unwrap();
    store.attach_signature(&subject, b"second").unwrap();
    store.attach_signature(&subject, BUNDLE).unwrap();
    let layout = store.layout().unwrap();
    let found = layout.signatures(&subject.digest);
    assert_eq!(found.bundles, [BUNDLE, b"second"]);
    assert!(found.skipped.is_empty(), "{found:?}");
    assert_eq!(layout.tags(), ["hello-1.2.0"], "the list of referrers is not an artifact");
    assert!(layout.signatures(&Digest::of(b"other")).bundles.is_empty());
}

#[test]
fn signatures_that_the_index_lists_itself_are_found() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let other = add(&store, "other", "1.0.0");
    for (subject, bundle) in [(&subject, BUNDLE), (&other, b"of the other".as_slice())] {
        let listed = store.attach_signature(subject, bundle).unwrap();
        let manifest = store.layout().unwrap().blob(&listed, limits::MANIFEST).unwrap();
        store.put_manifest(&manifest, listed).unwrap();
    }
    drop_from_index(store.dir(), |listed| listed.tag().is_some_and(|tag| tag.starts_with("sha256-")));
    let layout = store.layout().unwrap();
    assert_eq!(layout.signatures(&subject.digest).bundles, [BUNDLE]);
    assert_eq!(layout.tags(), ["hello-1.2.0", "other-1.0.0"]);
}

#[test]
fn a_broken_signature_does_not_hide_a_whole_one() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    store.attach_signature(&subject, b"first").unwrap();
    store.attach_signature(&subject, BUNDLE).unwrap();
    fs::write(blob_path(store.dir(), &Digest::of(b"first")), b"fir5t").unwrap();
    let found = store.layout().unwrap().signatures(&subject.digest);
    assert_eq!(found.bundles, [BUNDLE]);
    assert!(matches!(found.skipped.as_slice(), [CatalogError::WrongDigest { .. }]), "{found:?}");
}

/// Bytes are read for so many of the largest bundles; what is as small as a signature is read before them.
#[test]
fn large_signatures_keep_out_no_small_one() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let fitting = (limits::BUNDLES_SIZE / limits::BUNDLE) as usize;
    for number in 0..=fitting {
        let mut large = vec![b' '; limits::BUNDLE as usize];
        large[..8].copy_from_slice(&number.to_le_bytes());
        store.attach_signature(&subject, &large).unwrap();
    }
    store.attach_signature(&subject, BUNDLE).unwrap();
    let found = store.layout().unwrap().signatures(&subject.digest);
    assert_eq!(found.bundles.len(), fitting, "one gives way to the small one, and one is too many");
    assert_eq!(found.bundles.last().unwrap(), BUNDLE);
    assert!(matches!(found.skipped.as_slice(), [CatalogError::SignaturesTooLarge { found: 2, .. }]));
}

/// Far more entries than are ever looked at, none of which has a blob.
fn flood() -> impl Iterator<Item = Descriptor> {
    (0..15_000u32).map(|number| Descriptor {
        artifact_type: Some(media::BUNDLE.into()),
        ..Descriptor::new(media::MANIFEST, Digest::of(&number.to_le_bytes()), 700)
    })
}

#[test]
fn a_flood_in_the_index_hides_no_signature_of_the_list_and_is_not_read() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let whole = store.attach_signature(&subject, BUNDLE).unwrap();
    rewrite_index(store.dir(), |index| {
        // The signature is in both lists, and counts once.
        index.manifests.splice(0..0, flood());
        index.manifests.push(whole);
    });
    let found = store.layout().unwrap().signatures(&subject.digest);
    assert_eq!(found.bundles, [BUNDLE]);
    assert!(
        matches!(found.skipped.as_slice(), [CatalogError::TooManySignatures { found: 15_001, .. }]),
        "what the index lists is some other artifact's trouble: {:?}",
        found.skipped
    );
}

#[test]
fn a_flood_in_the_index_is_cut_off_before_it_is_read() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let whole = store.attach_signature(&subject, BUNDLE).unwrap();
    let bundles_behind = |number: usize| {
        rewrite_index(store.dir(), |index| {
            index.manifests.retain(|listed| listed.digest == subject.digest);
            index.manifests.extend(flood().take(number));
            index.manifests.push(whole.clone());
        });
        store.layout().unwrap().signatures(&subject.digest).bundles
    };
    assert_eq!(bundles_behind(limits::BUNDLES - 1), [BUNDLE]);
    assert!(bundles_behind(limits::BUNDLES).is_empty(), "it would have been one more than is read");
}

/// Lists these as the referrers of `subject`.
fn list_referrers(store: &catalog::Store, subject: &Descriptor, list: impl Iterator<Item = Descriptor>) {
    let entries: Vec<String> = list.map(|listed| serde_json::to_string(&listed).unwrap()).collect();
    let (media_type, entries) = (media::INDEX, entries.join(","));
    let list = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[{entries}]}}"#);
    let listed = Descriptor::of(media_type, list.as_bytes()).tagged(&Tag::of_referrers(&subject.digest));
    store.put_manifest(list.as_bytes(), listed).unwrap();
}

#[test]
fn a_flood_in_the_list_of_referrers_is_cut_off_before_it_is_read() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    list_referrers(&store, &subject, flood());
    let found = store.layout().unwrap().signatures(&subject.digest);
    let missing = |error: &&CatalogError| matches!(error, CatalogError::BlobMissing { .. });
    assert_eq!(found.skipped.iter().filter(missing).count(), limits::BUNDLES);
    assert_eq!(found.skipped.len(), limits::BUNDLES + 1);
}

#[test]
fn of_more_signatures_than_are_looked_at_those_count_that_come_first() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let sound =
        [b"first", b"other", b"third"].map(|bundle| store.attach_signature(&subject, bundle).unwrap());
    list_referrers(&store, &subject, flood().take(limits::BUNDLES - 2).chain(sound));
    let found = store.layout().unwrap().signatures(&subject.digest);
    assert_eq!(found.bundles, [b"first", b"other"]);
    let cut = limits::BUNDLES + 1;
    assert!(
        matches!(found.skipped[0], CatalogError::TooManySignatures { found, .. } if found == cut),
        "{:?}",
        found.skipped[0]
    );
}

#[test]
fn a_manifest_that_no_signature_needs_is_not_read() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let sound = store.attach_signature(&subject, BUNDLE).unwrap();
    let mut bytes = store.layout().unwrap().blob(&sound, limits::MANIFEST).unwrap();
    // The same document with blanks behind it, which JSON allows.
    bytes.resize((64 << 10) + 1, b' ');
    let huge = Descriptor { artifact_type: sound.artifact_type, ..Descriptor::of(media::MANIFEST, &bytes) };
    store.put_manifest(&bytes, huge.clone()).unwrap();
    drop_from_index(store.dir(), |listed| listed.digest != huge.digest);
    assert!(store.layout().unwrap().signatures(&subject.digest).bundles.is_empty());

    bytes.pop();
    let largest = Descriptor { artifact_type: huge.artifact_type, ..Descriptor::of(media::MANIFEST, &bytes) };
    store.put_manifest(&bytes, largest).unwrap();
    assert_eq!(store.layout().unwrap().signatures(&subject.digest).bundles, [BUNDLE]);
}

#[test]
fn an_oversize_signature_is_skipped() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    store.attach_signature(&subject, &vec![b' '; 1 + usize::try_from(limits::BUNDLE).unwrap()]).unwrap();
    let found = store.layout().unwrap().signatures(&subject.digest);
    assert!(found.bundles.is_empty());
    assert!(matches!(found.skipped.as_slice(), [CatalogError::TooLarge { .. }]));
}

#[test]
fn a_signature_of_another_manifest_is_not_one_of_this() {
    let (_dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    let other = add(&store, "other", "1.0.0");
    store.attach_signature(&other, BUNDLE).unwrap();
    // The list of referrers of one manifest, served for the other.
    rewrite_index(store.dir(), |index| {
        for listed in &mut index.manifests {
            if listed.tag() == Some(Tag::of_referrers(&other.digest).as_str()) {
                *listed = listed.bare().tagged(&Tag::of_referrers(&subject.digest));
            }
        }
    });
    let found = store.layout().unwrap().signatures(&subject.digest);
    assert!(found.bundles.is_empty());
    assert_eq!(found.skipped[0].reason_code(), ReasonCode::MalformedArtifact);
}

fn drop_from_index(layout: &Path, drop: impl Fn(&Descriptor) -> bool) {
    rewrite_index(layout, |index| index.manifests.retain(|listed| !drop(listed)));
}

fn rewrite_index(layout: &Path, change: impl FnOnce(&mut Index)) {
    let mut index = Layout::open(layout).unwrap().index().clone();
    change(&mut index);
    fs::write(layout.join("index.json"), index.to_bytes()).unwrap();
}

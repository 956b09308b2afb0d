//! One version for several architectures: the tag names an index, and all of it travels together.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

#[path = "support/honest.rs"]
mod honest;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/server.rs"]
mod server;
mod support;

use catalog::descriptor::Descriptor;
use catalog::{
    CatalogError, Found, Layout, Registry, RegistryError, RegistryReference, Selector, Store, copy_found,
};
use honest::{access, pull, reference, sent};
use memory::{Memory, index_of};
use server::RealRegistry;
use spec::artifact::{limits, media};
use spec::{Arch, Diagnose, Digest, VersionRange};
use support::{BUNDLE, add_with, blob_path, config, files_besides_index, new_store};

/// Stores version 1.0.0 for an architecture; the image is as long as the others and has other bytes.
fn add(store: &Store, arch: Arch) -> Descriptor {
    add_image(store, arch, &[arch.as_str().as_bytes()[1]; 5000])
}

fn add_image(store: &Store, arch: Arch, image: &[u8]) -> Descriptor {
    let mut config = config("hello", "1.0.0");
    config.arch = arch;
    add_with(store, &config, image, Digest::of(image)).unwrap()
}

fn by_tag() -> Selector {
    Selector { tag: Some("hello-1.0.0".parse().unwrap()), digest: None }
}

fn find(store: &Store) -> Found {
    store.layout().unwrap().find(&by_tag()).unwrap()
}

/// Both architectures, everything signed with its own bytes for a bundle.
fn signed() -> (tempfile::TempDir, Store, Found) {
    let (dir, store) = new_store();
    add(&store, Arch::Amd64);
    add(&store, Arch::Arm64);
    let found = find(&store);
    for document in found.documents() {
        store.attach_signature(document, bundle_of(document).as_bytes()).unwrap();
    }
    (dir, store, found)
}

fn bundle_of(document: &Descriptor) -> String {
    format!("a signature of {}", document.digest)
}

/// Is all of it there, with its signatures?
fn assert_whole(layout: &Layout, found: &Found) {
    let copy = layout.find(&by_tag()).unwrap();
    assert_eq!(copy.index.as_ref().unwrap().digest, found.named().digest);
    assert_eq!((copy.manifests.len(), copy.absent.len()), (2, 0));
    for document in copy.documents() {
        assert_eq!(layout.signatures(&document.digest).bundles, [bundle_of(document).as_bytes()]);
    }
    for manifest in &copy.manifests {
        let artifact = layout.read_extension(manifest).unwrap();
        layout.check_blob(&artifact.image).unwrap();
    }
    assert_eq!(layout.extensions().len(), 2, "whoever looks for the extension finds both manifests");
}

fn push(store: &Store, found: &Found, to: &RegistryReference) -> Result<usize, RegistryError> {
    let pushed = Registry::new(to.clone(), access()).push(&store.layout().unwrap(), found, &mut |_| {})?;
    assert!(pushed.skipped.is_empty());
    Ok(pushed.signatures)
}

#[test]
fn a_tag_names_a_manifest_or_an_index_of_several() {
    let (_dir, store) = new_store();
    let amd64 = add(&store, Arch::Amd64);
    assert_eq!(find(&store), Found::manifest(amd64.clone()));
    let arm64 = add(&store, Arch::Arm64);
    let found = find(&store);
    let digests: Vec<Digest> = found.manifests.iter().map(|manifest| manifest.digest).collect();
    assert_eq!(digests, [amd64.digest, arm64.digest]);
    let layout = store.layout().unwrap();
    assert_eq!(layout.tags(), ["hello-1.0.0"]);
    assert_eq!(layout.find(&Selector::default()).unwrap(), found, "the directory has one extension");
    let candidates = layout.candidates(&"hello".parse().unwrap(), &VersionRange::any());
    assert_eq!(candidates.len(), 2);
    assert!(candidates.iter().all(|entry| entry.descriptor.media_type == media::MANIFEST));

    // Where one manifest is needed, it is named.
    let error = layout.resolve(&by_tag()).unwrap_err();
    assert!(matches!(error, CatalogError::SeveralArchitectures { .. }), "{error}");
    assert!(error.hint().unwrap().contains(&format!("{} for arm64", arm64.digest)));
    let by_digest = Selector { tag: None, digest: Some(arm64.digest) };
    assert_eq!(layout.resolve(&by_digest).unwrap().digest, arm64.digest);
}

#[test]
fn the_order_of_builds_does_not_show() {
    let index = |order: [Arch; 2]| {
        let (_dir, store) = new_store();
        order.into_iter().for_each(|arch| drop(add(&store, arch)));
        std::fs::read(store.dir().join("index.json")).unwrap()
    };
    assert_eq!(index([Arch::Amd64, Arch::Arm64]), index([Arch::Arm64, Arch::Amd64]));
}

#[test]
fn a_rebuild_takes_the_place_of_its_own_architecture_only() {
    let (_dir, store) = new_store();
    let old = add(&store, Arch::Amd64);
    let arm64 = add(&store, Arch::Arm64);
    let new = add_image(&store, Arch::Amd64, b"rebuilt");
    let digests: Vec<Digest> = find(&store).manifests.iter().map(|manifest| manifest.digest).collect();
    assert_eq!(digests, [new.digest, arm64.digest]);
    let listed = store.layout().unwrap().extensions();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|entry| entry.descriptor.digest != old.digest));
    // The same again changes nothing.
    let before = std::fs::read(store.dir().join("index.json")).unwrap();
    add(&store, Arch::Arm64);
    assert_eq!(std::fs::read(store.dir().join("index.json")).unwrap(), before);
}

#[test]
fn a_layout_in_which_two_manifests_share_a_tag_is_mended() {
    let (_dir, store) = new_store();
    let amd64 = add(&store, Arch::Amd64);
    let (_other_dir, other) = new_store();
    let arm64 = add(&other, Arch::Arm64);
    for digest in [arm64.digest, other.layout().unwrap().read_parts(&arm64).unwrap().config.digest] {
        std::fs::copy(blob_path(other.dir(), &digest), blob_path(store.dir(), &digest)).unwrap();
    }
    std::fs::write(store.dir().join("index.json"), index_of(&[amd64.clone(), arm64])).unwrap();
    assert!(matches!(store.layout().unwrap().find(&by_tag()), Err(CatalogError::Ambiguous { .. })));
    add(&store, Arch::Amd64);
    assert_eq!(find(&store).manifests.len(), 2);
}

#[test]
fn an_index_is_pushed_and_pulled_with_all_it_lists_and_every_signature() {
    let registry = RealRegistry::start();
    let with_api = Memory::with_api();
    let without = Memory::without_api();
    for address in [registry.address, with_api.address, without.address] {
        let (_dir, store, found) = signed();
        let place = reference(address, "ext/hello:1.0.0");
        for _ in 0..2 {
            assert_eq!(push(&store, &found, &place).unwrap(), 3);
        }
        let by_digest = reference(address, &format!("ext/hello@{}", found.named().digest));
        for place in [&place, &by_digest] {
            let (_dir, copy) = new_store();
            let pulled = pull(place, &copy).unwrap();
            assert_eq!((pulled.descriptor.digest, pulled.signatures), (found.named().digest, 3));
            assert_whole(&copy.layout().unwrap(), &found);
            // And again, into what is there.
            assert_eq!(pull(place, &copy).unwrap().signatures, 3);
            assert_whole(&copy.layout().unwrap(), &found);
        }
        // One manifest by its digest is as good as ever.
        let one = reference(address, &format!("ext/hello@{}", found.manifests[1].digest));
        let (_dir, copy) = new_store();
        assert_eq!(pull(&one, &copy).unwrap().signatures, 1);
        assert_eq!(copy.layout().unwrap().resolve(&by_tag()).unwrap().digest, found.manifests[1].digest);
    }
}

#[test]
fn what_the_registry_has_elsewhere_is_not_sent() {
    let memory = Memory::with_api();
    let (_dir, store, found) = signed();
    push(&store, &found, &reference(memory.address, "ext/hello:1.0.0")).unwrap();
    let other = reference(memory.address, "other/hello:1.0.0");
    let from = Some("ext/hello".parse().unwrap());
    let registry = Registry::new(other.clone(), access()).mounting_from(from);
    registry.push(&store.layout().unwrap(), &found, &mut |_| {}).unwrap();
    let layout = store.layout().unwrap();
    for manifest in &found.manifests {
        let image = layout.read_parts(manifest).unwrap().image.digest.to_string();
        assert!(memory.shelf().mounted.contains(&image));
    }
    let (_dir, copy) = new_store();
    pull(&other, &copy).unwrap();
    assert_whole(&copy.layout().unwrap(), &found);
}

#[test]
fn one_architecture_may_be_enough_and_the_index_comes_along() {
    let memory = Memory::without_api();
    let (_dir, store, found) = signed();
    let place = reference(memory.address, "ext/hello:1.0.0");
    push(&store, &found, &place).unwrap();
    let (_dir, copy) = new_store();
    let only = |arch| Registry::new(place.clone(), access()).only(Some(arch));
    assert_eq!(only(Arch::Arm64).pull(copy.dir(), &mut |_| {}).unwrap().signatures, 2);
    let part = find(&copy);
    assert_eq!(part.named().digest, found.named().digest);
    assert_eq!((part.manifests.len(), part.absent.len()), (1, 1));
    // Where one manifest is needed, it is the one that is there.
    assert_eq!(copy.layout().unwrap().resolve(&by_tag()).unwrap().digest, found.manifests[1].digest);
    // What is not there cannot be passed on.
    let error = push(&copy, &part, &reference(memory.address, "ext/other:1")).unwrap_err();
    assert!(matches!(error, RegistryError::Local(CatalogError::IndexNotWhole { .. })), "{error}");
    let (_dir, third) = new_store();
    let error = copy_found(&copy.layout().unwrap(), &part, &third).unwrap_err();
    assert!(error.to_string().contains("for amd64, which is not there"), "{error}");
    assert_eq!(files_besides_index(third.dir()), [""; 0]);
    // The other half makes it whole.
    only(Arch::Amd64).pull(copy.dir(), &mut |_| {}).unwrap();
    assert_whole(&copy.layout().unwrap(), &found);

    let single = reference(memory.address, &format!("ext/hello@{}", found.manifests[0].digest));
    let (_dir, copy) = new_store();
    let error =
        Registry::new(single, access()).only(Some(Arch::Arm64)).pull(copy.dir(), &mut |_| {}).unwrap_err();
    let RegistryError::Local(CatalogError::ArchMissing { there, .. }) = error else { panic!() };
    assert_eq!(there, ["amd64"]);
}

#[test]
fn a_copy_has_the_index_and_every_signature() {
    let (dir, store, found) = signed();
    let to = Store::create_or_open(dir.path().join("copy")).unwrap();
    for _ in 0..2 {
        assert!(copy_found(&store.layout().unwrap(), &found, &to).unwrap().is_empty());
        assert_whole(&to.layout().unwrap(), &found);
    }
    // By itself, a manifest of an index has the tag.
    let alone = Store::create_or_open(dir.path().join("alone")).unwrap();
    let one = Found::manifest(found.manifests[0].clone());
    copy_found(&store.layout().unwrap(), &one, &alone).unwrap();
    assert_eq!(alone.layout().unwrap().resolve(&by_tag()).unwrap().digest, found.manifests[0].digest);
    // A build for the other architecture joins it, and so does the index of both then.
    copy_found(&store.layout().unwrap(), &found, &alone).unwrap();
    assert_whole(&alone.layout().unwrap(), &found);
}

#[test]
fn an_index_does_not_take_the_tag_of_what_it_does_not_list() {
    let (dir, store, found) = signed();
    let to = Store::create_or_open(dir.path().join("copy")).unwrap();
    let ours = add_image(&to, Arch::Arm64, b"another build");
    let before = std::fs::read(to.dir().join("index.json")).unwrap();
    let error = copy_found(&store.layout().unwrap(), &found, &to).unwrap_err();
    assert!(matches!(error, CatalogError::TagTaken { holder, .. } if holder == ours.digest), "{error}");
    assert_eq!(std::fs::read(to.dir().join("index.json")).unwrap(), before);
    let memory = Memory::with_api();
    let place = reference(memory.address, "ext/hello:1.0.0");
    push(&store, &found, &place).unwrap();
    assert!(matches!(pull(&place, &to), Err(RegistryError::Local(CatalogError::TagTaken { .. }))));
    assert_eq!(std::fs::read(to.dir().join("index.json")).unwrap(), before);
}

/// Has a registry serve another index, `change`d from a sound one, and pulls it.
fn pull_changed(change: impl FnOnce(&mut Vec<Descriptor>, &Memory)) -> RegistryError {
    let memory = Memory::with_api();
    let (_dir, store, found) = signed();
    let place = reference(memory.address, "ext/hello:1.0.0");
    push(&store, &found, &place).unwrap();
    let mut list = memory.index("ext/hello", "1.0.0").unwrap().manifests;
    change(&mut list, &memory);
    let document = (media::INDEX.to_owned(), index_of(&list));
    memory.shelf().documents.insert("ext/hello/manifests/1.0.0".into(), document);
    let (_dir, copy) = new_store();
    let error = pull(&place, &copy).unwrap_err();
    assert_eq!(files_besides_index(copy.dir()), [""; 0]);
    error
}

#[test]
fn an_index_that_lies_is_refused() {
    let swapped = pull_changed(|list, _| {
        let platform = list[0].platform.take();
        list[0].platform = list[1].platform.take();
        list[1].platform = platform;
    });
    assert!(sent(&swapped).to_string().contains("index sha256:"), "{swapped}");
    assert!(sent(&swapped).to_string().ends_with("which is not what it is listed for"), "{swapped}");

    let nested = pull_changed(|list, _| list[0].media_type = media::INDEX.into());
    assert!(matches!(sent(&nested), CatalogError::Malformed { .. }), "{nested}");
    let doubled = pull_changed(|list, _| {
        let again = list[0].clone();
        list.push(again);
    });
    assert!(sent(&doubled).to_string().ends_with("two manifests for amd64"), "{doubled}");
    let oversize = pull_changed(|list, _| list[0].size = limits::MANIFEST + 1);
    assert!(matches!(sent(&oversize), CatalogError::TooLarge { .. }), "{oversize}");
    let absent = pull_changed(|_, memory| {
        memory.shelf().documents.retain(|path, _| !path.contains("manifests/sha256:"));
    });
    assert!(sent(&absent).to_string().contains("does not have it"), "{absent}");

    // A version in the place of another: each manifest is sound.
    let mixed = pull_changed(|list, memory| {
        let (_dir, store) = new_store();
        let mut config = config("hello", "2.0.0");
        config.arch = Arch::Arm64;
        let other = add_with(&store, &config, b"x", Digest::of(b"x")).unwrap();
        let place = reference(memory.address, "ext/hello:2.0.0");
        push(&store, &Found::manifest(other.clone()), &place).unwrap();
        list[1] = Descriptor { annotations: list[1].annotations.clone(), ..other };
    });
    assert!(
        sent(&mixed).to_string().ends_with("is of hello 2.0.0, and others are of hello 1.0.0"),
        "{mixed}"
    );
}

#[test]
fn one_broken_signature_of_an_index_does_not_hide_the_others() {
    let (_dir, store, found) = signed();
    let broken = bundle_of(found.named());
    std::fs::write(blob_path(store.dir(), &Digest::of(broken.as_bytes())), b"?").unwrap();
    store.attach_signature(found.named(), BUNDLE).unwrap();
    let to = Store::create_or_open(store.dir().join("../copy")).unwrap();
    assert_eq!(copy_found(&store.layout().unwrap(), &found, &to).unwrap().len(), 1);
    assert_eq!(to.layout().unwrap().signatures(&found.named().digest).bundles, [BUNDLE]);
}

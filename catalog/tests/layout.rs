//! A layout on disk: what goes in comes out, and what has been changed in between does not.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use catalog::descriptor::Descriptor;
use catalog::document::{Index, Manifest};
use catalog::{CatalogError, Layout, Selector, Store, copy_layout};
use spec::artifact::{limits, media};
use spec::{Diagnose, Digest, Outcome, ReasonCode, VersionRange};
use support::{BUNDLE, KABI, add, add_with, blob_path, config, files_besides_index, image_bytes, new_store};

fn by_tag(tag: &str) -> Selector {
    Selector { tag: Some(tag.parse().unwrap()), digest: None }
}

#[test]
fn an_extension_is_read_back_as_it_was_written() {
    let (_dir, store) = new_store();
    let written = add(&store, "hello", "1.2.0+build.5");
    let layout = store.layout().unwrap();
    assert_eq!(layout.tags(), ["hello-1.2.0_build.5"]);
    let found = layout.resolve(&by_tag("hello-1.2.0_build.5")).unwrap();
    assert_eq!(found, written);
    assert_eq!(layout.resolve(&Selector::default()).unwrap(), written);
    assert_eq!(layout.resolve(&Selector { tag: None, digest: Some(written.digest) }).unwrap(), written);

    let artifact = layout.read_extension(&found).unwrap();
    assert_eq!(artifact.config, config("hello", "1.2.0+build.5"));
    assert_eq!(artifact.kabi.as_deref(), Some(KABI));
    assert_eq!(artifact.paths.iter().count(), 3);
    assert_eq!(artifact.image.digest, Digest::of(&image_bytes()));
    let mut image = Vec::new();
    std::io::Read::read_to_end(&mut layout.open_blob(&artifact.image.digest).unwrap(), &mut image).unwrap();
    assert_eq!(image, image_bytes());
}

#[test]
fn the_bytes_of_an_artifact_never_change() {
    let (dir, store) = new_store();
    let subject = add(&store, "hello", "1.2.0");
    store.attach_signature(&subject, BUNDLE).unwrap();
    let index = fs::read(store.dir().join("index.json")).unwrap();
    // Golden: a change of these digests is a change of the format, for every artifact that is signed already.
    assert_eq!(
        subject.digest.to_string(),
        "sha256:9c0088ac3433157e15884d2e20c848517dda009263be40a7148aa7ebeffe9366"
    );
    assert_eq!(
        Digest::of(&index).to_string(),
        "sha256:0447f74eaca86eee5e12fa7026b3963c2ceaa747f917a12f5434400545179558"
    );

    let again = Store::create_or_open(dir.path().join("again")).unwrap();
    assert_eq!(add(&again, "hello", "1.2.0"), subject);
    again.attach_signature(&subject, BUNDLE).unwrap();
    assert_eq!(fs::read(again.dir().join("index.json")).unwrap(), index);
}

#[test]
fn changed_cut_and_missing_blobs_are_told_apart() {
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.2.0");
    let layout = store.layout().unwrap();
    let manifest = blob_path(store.dir(), &extension.digest);
    let sound = fs::read(&manifest).unwrap();

    let mut changed = sound.clone();
    changed[100] ^= 1;
    fs::write(&manifest, changed).unwrap();
    let error = layout.read_extension(&extension).unwrap_err();
    assert!(matches!(error, CatalogError::WrongDigest { wanted, .. } if wanted == extension.digest));
    assert_eq!(error.reason_code(), ReasonCode::DigestMismatch);
    assert_eq!(error.outcome(), Outcome::Refused);

    for wrong_size in [&sound[..50], &[sound.as_slice(), b" "].concat()] {
        fs::write(&manifest, wrong_size).unwrap();
        let error = layout.read_extension(&extension).unwrap_err();
        assert!(matches!(error, CatalogError::WrongSize { .. }), "{error}");
        assert_eq!(error.reason_code(), ReasonCode::DigestMismatch);
    }

    fs::remove_file(&manifest).unwrap();
    let error = layout.read_extension(&extension).unwrap_err();
    assert!(matches!(error, CatalogError::BlobMissing { .. }), "{error}");
    assert_eq!(error.reason_code(), ReasonCode::NotFound);
}

#[test]
fn every_small_blob_is_checked_before_it_is_used() {
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.2.0");
    let layout = store.layout().unwrap();
    let parts = layout.read_parts(&extension).unwrap();
    for part in [&parts.config, &parts.paths, parts.kabi.as_ref().unwrap()] {
        let path = blob_path(store.dir(), &part.digest);
        let sound = fs::read(&path).unwrap();
        let mut changed = sound.clone();
        changed[3] ^= 1;
        fs::write(&path, changed).unwrap();
        let error = layout.read_extension(&extension).unwrap_err();
        assert!(
            matches!(error, CatalogError::WrongDigest { wanted, .. } if wanted == part.digest),
            "{error}"
        );
        fs::write(&path, sound).unwrap();
    }
    layout.read_extension(&extension).unwrap();
}

#[test]
fn a_blob_that_is_a_link_or_a_directory_is_refused() {
    let (dir, store) = new_store();
    let extension = add(&store, "hello", "1.2.0");
    let path = blob_path(store.dir(), &extension.digest);
    // Even to the right bytes: what a link points to can change after it was looked at.
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(matches!(store.layout().unwrap().read_parts(&extension), Err(CatalogError::NotAFile { .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(store.layout().unwrap().read_parts(&extension), Err(CatalogError::NotAFile { .. })));
}

#[test]
fn a_pipe_in_place_of_a_file_does_not_hang_the_reader() {
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.2.0");
    let started = Instant::now();
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    };
    let layout = store.layout().unwrap();
    pipe(&blob_path(store.dir(), &extension.digest));
    assert!(matches!(layout.read_parts(&extension), Err(CatalogError::NotAFile { .. })));
    pipe(&store.dir().join("index.json"));
    assert!(matches!(store.layout(), Err(CatalogError::NotAFile { .. })));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_oversize_manifest_is_refused_unread() {
    let (_dir, store) = new_store();
    let size = limits::MANIFEST + 1;
    let huge = Descriptor::new(media::MANIFEST, Digest::of(b""), size);
    // The blob is not even there: its descriptor is enough.
    assert!(matches!(store.layout().unwrap().read_parts(&huge), Err(CatalogError::TooLarge { .. })));
    let bytes = vec![b' '; usize::try_from(size).unwrap()];
    let listed = Descriptor::of(media::MANIFEST, &bytes);
    assert!(matches!(store.put_manifest(&bytes, listed), Err(CatalogError::TooLarge { .. })));
    fs::write(store.dir().join("index.json"), bytes).unwrap();
    assert!(matches!(store.layout(), Err(CatalogError::TooLarge { .. })));
}

#[test]
fn a_digest_cannot_name_a_path() {
    let (dir, store) = new_store();
    add(&store, "hello", "1.2.0");
    fs::write(dir.path().join("secret"), b"x").unwrap();
    let sound = fs::read_to_string(store.dir().join("index.json")).unwrap();
    let digest = store.layout().unwrap().index().manifests[0].digest.to_string();
    for evil in
        ["sha256:../../../secret", "sha256:/etc/passwd", "../../secret", "sha512:00", &digest.to_uppercase()]
    {
        fs::write(store.dir().join("index.json"), sound.replace(&digest, evil)).unwrap();
        assert!(matches!(store.layout(), Err(CatalogError::Json { .. })), "{evil}");
    }
}

#[test]
fn an_artifact_of_another_kind_is_not_an_extension() {
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.2.0");
    let layout = store.layout().unwrap();
    let sound = String::from_utf8(layout.blob(&extension, limits::MANIFEST).unwrap()).unwrap();
    let changes = [
        (r#""artifactType":"application/vnd.tenon.extension.v1","#, ""),
        (media::ARTIFACT, "application/vnd.example"),
        (media::CONFIG, "application/vnd.oci.image.config.v1+json"),
        (media::IMAGE, media::KABI),
        (media::PATHS, media::KABI),
        (r#""schemaVersion":2"#, r#""schemaVersion":1"#),
        (r#""mediaType":"application/vnd.oci.image.manifest.v1+json","#, ""),
        (media::MANIFEST, media::INDEX),
        (r#"{"schemaVersion":2"#, r#"{"manifests":null,"schemaVersion":2"#),
        (r#"{"schemaVersion":2"#, r#"{"schemaVersion":2,"schemaVersion":2"#),
    ];
    for (from, to) in changes {
        let bytes = sound.replacen(from, to, 1).into_bytes();
        assert_ne!(bytes, sound.as_bytes(), "{from}");
        let listed = store.put_manifest(&bytes, Descriptor::of(media::MANIFEST, &bytes)).unwrap();
        let error = store.layout().unwrap().read_extension(&listed).unwrap_err();
        assert_eq!(error.reason_code(), ReasonCode::MalformedArtifact, "{from} -> {to}: {error}");
        assert_eq!(error.outcome(), Outcome::Refused);
    }
    let as_index = Descriptor { media_type: media::INDEX.into(), ..extension };
    assert!(layout.read_extension(&as_index).is_err());
}

#[test]
fn a_config_of_a_later_version_asks_for_a_later_program() {
    let (_dir, store) = new_store();
    let mut config = config("hello", "1.2.0");
    config.schema_version = 2;
    let image = image_bytes();
    let extension = add_with(&store, &config, &image, Digest::of(&image)).unwrap();
    let error = store.layout().unwrap().read_extension(&extension).unwrap_err();
    assert!(matches!(error, CatalogError::UnknownSchema { found: 2, .. }), "{error}");
    assert!(error.hint().unwrap().contains("newer version"));
}

#[test]
fn an_image_that_is_not_the_one_announced_is_not_stored() {
    let (_dir, store) = new_store();
    let image = image_bytes();
    let result = add_with(&store, &config("hello", "1.2.0"), &image[1..], Digest::of(&image));
    assert!(matches!(result, Err(CatalogError::WrongDigest { .. })));
    assert_eq!(files_besides_index(store.dir()), [""; 0]);
    assert!(store.layout().unwrap().index().manifests.is_empty());
}

#[test]
fn an_extension_that_cannot_be_stored_leaves_nothing_behind() {
    let (_dir, store) = new_store();
    let image = image_bytes();
    let long = config("hello", &format!("1.0.0-{}", "x".repeat(200)));
    let error = add_with(&store, &long, &image, Digest::of(&image)).unwrap_err();
    assert!(error.to_string().ends_with("is too long for a tag"), "{error}");
    let mut wordy = config("hello", "1.0.0");
    wordy.description = "x".repeat(usize::try_from(limits::CONFIG).unwrap());
    let error = add_with(&store, &wordy, &image, Digest::of(&image)).unwrap_err();
    assert!(matches!(error, CatalogError::TooLarge { limit: limits::CONFIG, .. }), "{error}");
    assert_eq!(files_besides_index(store.dir()), [""; 0]);
}

#[test]
fn an_image_that_would_fill_a_disk_is_refused_by_its_descriptor() {
    let (_dir, store) = new_store();
    let extension = add(&store, "hello", "1.2.0");
    let layout = store.layout().unwrap();
    let mut parts = layout.read_parts(&extension).unwrap();
    parts.image.size = limits::IMAGE + 1;
    let bytes = parts.to_manifest().to_bytes();
    let huge = store.put_manifest(&bytes, Descriptor::of(media::MANIFEST, &bytes)).unwrap();
    let error = layout.read_parts(&huge).unwrap_err();
    assert!(matches!(error, CatalogError::TooLarge { limit: limits::IMAGE, .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Refused);
}

#[test]
fn concurrent_writers_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let out = &out;
            scope.spawn(move || {
                let store = Store::create_or_open(out).unwrap();
                let extension = add(&store, &format!("ext-{number}"), "1.0.0");
                store.attach_signature(&extension, BUNDLE).unwrap();
            });
        }
    });
    let layout = Layout::open(&out).unwrap();
    assert_eq!(layout.tags().len(), 8);
    for entry in layout.extensions() {
        assert_eq!(layout.signatures(&entry.descriptor.digest).bundles, [BUNDLE]);
    }
}

#[test]
fn the_newest_candidate_in_range_comes_first() {
    let (_dir, store) = new_store();
    for version in ["1.2.0", "1.10.0", "2.0.0", "1.9.3"] {
        add(&store, "hello", version);
    }
    add(&store, "hello-tools", "1.11.0");
    let layout = store.layout().unwrap();
    let versions = |range: &str| -> Vec<String> {
        let range: VersionRange = range.parse().unwrap();
        let found = layout.candidates(&"hello".parse().unwrap(), &range);
        found.into_iter().map(|entry| entry.version.to_string()).collect()
    };
    assert_eq!(versions("1"), ["1.10.0", "1.9.3", "1.2.0"]);
    assert_eq!(versions("=2.0.0"), ["2.0.0"]);
    assert_eq!(versions("3"), [""; 0]);
}

#[test]
fn a_rebuilt_version_takes_the_place_of_the_old_one() {
    let (_dir, store) = new_store();
    add(&store, "hello", "1.0.0");
    let rebuilt = add_with(&store, &config("hello", "1.0.0"), b"other", Digest::of(b"other")).unwrap();
    let layout = store.layout().unwrap();
    assert_eq!(layout.resolve(&by_tag("hello-1.0.0")).unwrap(), rebuilt);
    assert_eq!(layout.extensions().len(), 1);
}

#[test]
fn what_cannot_be_resolved_says_what_is_there() {
    let (_dir, store) = new_store();
    let empty = store.layout().unwrap().resolve(&Selector::default()).unwrap_err();
    assert!(matches!(empty, CatalogError::Empty { .. }));
    add(&store, "hello", "1.0.0");
    add(&store, "world", "1.0.0");
    let layout = store.layout().unwrap();
    let missing = layout.resolve(&by_tag("hallo")).unwrap_err();
    assert_eq!(missing.hint().unwrap(), "the tags are hello-1.0.0, world-1.0.0");
    assert_eq!(missing.outcome(), Outcome::Unavailable);
    assert!(matches!(layout.resolve(&Selector::default()), Err(CatalogError::Ambiguous { .. })));
    let unlisted = Selector { tag: None, digest: Some(Digest::of(b"")) };
    assert!(matches!(layout.resolve(&unlisted), Err(CatalogError::NotListed { .. })));
}

#[test]
fn a_directory_with_other_things_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    assert!(matches!(Store::create_or_open(dir.path()), Err(CatalogError::Occupied { .. })));
    assert!(matches!(Store::open(dir.path()), Err(CatalogError::NotALayout { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(Store::open(dir.path().join("absent")).is_err());
    assert!(!dir.path().join("absent").exists());
}

#[test]
fn a_copy_has_the_same_digests_and_signatures() {
    let (dir, store) = new_store();
    let hello = add(&store, "hello", "1.0.0");
    add(&store, "left-behind", "1.0.0");
    store.attach_signature(&hello, BUNDLE).unwrap();
    let to = Store::create_or_open(dir.path().join("copy")).unwrap();
    for _ in 0..2 {
        let skipped = copy_layout(&store.layout().unwrap(), std::slice::from_ref(&hello), &to).unwrap();
        assert!(skipped.is_empty());
    }
    let copy = to.layout().unwrap();
    assert_eq!(copy.tags(), ["hello-1.0.0"]);
    assert_eq!(copy.resolve(&Selector::default()).unwrap(), hello);
    assert_eq!(copy.signatures(&hello.digest).bundles, [BUNDLE]);
    let image = copy.read_extension(&hello).unwrap().image;
    assert_eq!(fs::read(blob_path(to.dir(), &image.digest)).unwrap(), image_bytes());
}

#[test]
fn a_damaged_image_is_not_copied_and_a_damaged_copy_is_healed() {
    let (dir, store) = new_store();
    let hello = add(&store, "hello", "1.0.0");
    let image = store.layout().unwrap().read_parts(&hello).unwrap().image;
    let to = Store::create_or_open(dir.path().join("copy")).unwrap();
    let damage = |layout: &Path| {
        let mut bytes = image_bytes();
        bytes[1_100_000] ^= 1;
        fs::write(blob_path(layout, &image.digest), bytes).unwrap();
    };
    damage(store.dir());
    let error = copy_layout(&store.layout().unwrap(), std::slice::from_ref(&hello), &to).unwrap_err();
    assert!(error.to_string().contains(&image.digest.to_string()), "{error}");
    assert_eq!(files_besides_index(to.dir()), [""; 0]);
    assert!(to.layout().unwrap().index().manifests.is_empty());

    fs::write(blob_path(store.dir(), &image.digest), image_bytes()).unwrap();
    damage(to.dir());
    copy_layout(&store.layout().unwrap(), &[hello], &to).unwrap();
    assert_eq!(fs::read(blob_path(to.dir(), &image.digest)).unwrap(), image_bytes());
}

#[test]
fn a_copy_does_not_take_the_tag_of_another_build() {
    let (dir, store) = new_store();
    let ours = add(&store, "hello", "1.0.0");
    let foreign = Store::create_or_open(dir.path().join("foreign")).unwrap();
    let theirs = add_with(&foreign, &config("hello", "1.0.0"), b"other", Digest::of(b"other")).unwrap();
    let before = files_besides_index(store.dir()).len();
    let error = copy_layout(&foreign.layout().unwrap(), &[theirs], &store).unwrap_err();
    assert!(matches!(error, CatalogError::TagTaken { holder, .. } if holder == ours.digest), "{error}");
    assert_eq!(store.layout().unwrap().resolve(&Selector::default()).unwrap(), ours);
    assert_eq!(files_besides_index(store.dir()).len(), before);
}

#[test]
fn what_others_wrote_into_the_index_stays() {
    let (_dir, store) = new_store();
    let foreign = format!(
        concat!(
            r#"{{"schemaVersion":2,"x-tool":{{"a":[1]}},"manifests":[{{"mediaType":"{}","digest":"{}","size":7,"#,
            r#""urls":["https://example.org/"],"platform":{{"architecture":"arm","os":"linux","variant":"v7"}}}}]}}"#
        ),
        media::MANIFEST,
        Digest::of(b"foreign"),
    );
    fs::write(store.dir().join("index.json"), foreign).unwrap();
    add(&store, "hello", "1.0.0");
    let text = fs::read_to_string(store.dir().join("index.json")).unwrap();
    for kept in
        [r#""x-tool":{"a":[1]}"#, r#""urls":["https://example.org/"]"#, r#""variant":"v7""#, "hello-1.0.0"]
    {
        assert!(text.contains(kept), "{kept} in {text}");
    }
}

#[test]
fn a_document_of_both_kinds_is_refused() {
    let both = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"layers":[]}"#;
    assert!(Index::parse(both, &Descriptor::of(media::INDEX, both)).is_err());
    assert!(Manifest::parse(both, &Descriptor::of(media::MANIFEST, both)).is_err());
    let sound =
        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    assert!(Index::parse(sound, &Descriptor::of(media::INDEX, sound)).is_ok());
    assert!(Index::parse(sound, &Descriptor::of(media::MANIFEST, sound)).is_err());
}

#[test]
fn a_layout_of_another_version_is_refused() {
    let (_dir, store) = new_store();
    fs::write(store.dir().join("oci-layout"), br#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(matches!(store.layout(), Err(CatalogError::Malformed { .. })));
    fs::write(store.dir().join("oci-layout"), b"{}").unwrap();
    assert!(matches!(store.layout(), Err(CatalogError::Json { .. })));
}

#[test]
fn what_is_exported_can_be_read_elsewhere() {
    let (dir, store) = new_store();
    let hello = add(&store, "hello", "1.2.0");
    add(&store, "other", "1.0.0");
    store.attach_signature(&hello, BUNDLE).unwrap();
    let layout = store.layout().unwrap();
    let export = layout.export(std::slice::from_ref(&hello)).unwrap();
    assert!(export.skipped.is_empty());

    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("blobs/sha256")).unwrap();
    for blob in &export.blobs {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut blob.open(&layout).unwrap(), &mut bytes).unwrap();
        assert_eq!((Digest::of(&bytes), bytes.len() as u64), (blob.descriptor.digest, blob.descriptor.size));
        fs::write(elsewhere.join("blobs/sha256").join(blob.descriptor.digest.hex()), bytes).unwrap();
    }
    let index = dir.path().join("elsewhere.json");
    fs::write(&index, &export.index).unwrap();
    let kept = Layout::with_index(&elsewhere, &index).unwrap();
    assert_eq!(kept.extensions().len(), 1);
    assert_eq!(kept.read_extension(&hello).unwrap().config, config("hello", "1.2.0"));
    assert_eq!(kept.signatures(&hello.digest).bundles, [BUNDLE]);
    assert!(kept.check_blob(&layout.read_extension(&hello).unwrap().image).is_ok());
}

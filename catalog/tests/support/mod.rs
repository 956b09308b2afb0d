//! A small extension with fixed bytes, in a layout of its own.

#![allow(dead_code, reason = "not every test uses everything")]

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use catalog::descriptor::Descriptor;
use catalog::{NewExtension, Store};
use spec::Digest;
use spec::artifact::ExtensionConfig;
use spec::listing::Listing;

/// What stands for a squashfs image: long enough for several reads.
pub(crate) fn image_bytes() -> Vec<u8> {
    (0..300_000u32).flat_map(|i| (i % 251).to_le_bytes()).collect()
}

pub(crate) const KABI: &[u8] = br#"{"schemaVersion":1,"modules":[]}"#;
pub(crate) const BUNDLE: &[u8] = br#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","n":1}"#;

pub(crate) fn config(name: &str, version: &str) -> ExtensionConfig {
    serde_json::from_value(serde_json::json!({
        "schemaVersion": 1, "name": name, "version": version, "arch": "amd64",
        "description": "a test", "content": {"inodes": 4, "bytes": 5},
    }))
    .unwrap()
}

/// Stores the extension `name` in `version`, with modules.
pub(crate) fn add(store: &Store, name: &str, version: &str) -> Descriptor {
    let bytes = image_bytes();
    add_with(store, &config(name, version), &bytes, Digest::of(&bytes)).unwrap()
}

pub(crate) fn add_with(
    store: &Store,
    config: &ExtensionConfig,
    image: &[u8],
    image_digest: Digest,
) -> Result<Descriptor, catalog::CatalogError> {
    let mut file = file_of(image);
    store.assemble(NewExtension {
        config,
        image: &mut file,
        image_digest,
        image_size: image.len() as u64,
        paths: &Listing::parse("/usr/\n/usr/bin/\n/usr/bin/hello\n").unwrap(),
        kabi: Some(KABI),
    })
}

pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// Where a blob lies.
pub(crate) fn blob_path(layout: &Path, digest: &Digest) -> std::path::PathBuf {
    layout.join("blobs/sha256").join(digest.hex())
}

/// Every file of a layout that is a blob or is being written.
pub(crate) fn files_besides_index(layout: &Path) -> Vec<String> {
    let names = |dir: &Path| -> Vec<String> {
        std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let mut found = names(&layout.join("blobs/sha256"));
    found.extend(
        names(layout)
            .into_iter()
            .filter(|name| !matches!(name.as_str(), "blobs" | "index.json" | "oci-layout")),
    );
    found
}

/// An empty store, and the directory that it is in.
pub(crate) fn new_store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create_or_open(dir.path().join("out")).unwrap();
    (dir, store)
}

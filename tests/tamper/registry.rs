//! A registry that has the extension of a world, and lies where a test wants it to.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use catalog::Descriptor;
use spec::Digest;

use crate::server::{Answer, Request, serve};
use crate::world::{Extension, World};

/// A world with a signed extension `tool` 1.0.0 in its store.
pub fn world() -> (World, Descriptor) {
    let world = World::new();
    let manifest = world.publish(&Extension::new("tool"));
    (world, manifest)
}

/// Serves the store as `ext/tool`, each honest answer after `lie` had it. The second result has all requests.
pub fn registry(
    world: &World,
    manifest: &Descriptor,
    lie: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<Request>>>) {
    let (store, manifest) = (world.store_dir(), manifest.digest);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let address = serve(move |request| {
        log.lock().expect("no test thread panics with it").push(request.clone());
        lie(request, honest(&store, &manifest, &request.path))
    });
    (address, asked)
}

/// The file of a blob in a layout.
pub fn blob(store: &Path, digest: &Digest) -> PathBuf {
    store.join("blobs/sha256").join(digest.hex())
}

fn honest(store: &Path, manifest: &Digest, path: &str) -> Answer {
    let missing = Answer::status("404 Not Found");
    let Some((kind, name)) = path.strip_prefix("/v2/ext/tool/").and_then(|rest| rest.split_once('/')) else {
        return missing;
    };
    let digest = match name {
        "1.0.0" => Some(*manifest),
        name if name.starts_with("sha256-") => list_of_referrers(store, name),
        name => name.parse().ok(),
    };
    let Some(bytes) = digest.and_then(|digest| fs::read(blob(store, &digest)).ok()) else { return missing };
    match kind {
        "blobs" => Answer::ok("application/octet-stream", &bytes),
        "manifests" => {
            let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            Answer::ok(document["mediaType"].as_str().unwrap_or_default(), &bytes)
        }
        _ => missing,
    }
}

/// What the tag of a list of referrers means in the index of the store.
fn list_of_referrers(store: &Path, tag: &str) -> Option<Digest> {
    let index: serde_json::Value = serde_json::from_slice(&fs::read(store.join("index.json")).ok()?).ok()?;
    let named = |listed: &&serde_json::Value| {
        listed["annotations"]["org.opencontainers.image.ref.name"].as_str() == Some(tag)
    };
    index["manifests"].as_array()?.iter().find(named)?["digest"].as_str()?.parse().ok()
}

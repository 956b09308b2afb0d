//! Layers of OCI images on top of each other.
#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use spec::Digest;

/// Most layers of one input: two have all that can be between layers, and a third sees what they left.
const LAYERS_MAX: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    let Ok(dir) = tempfile::tempdir() else { return };
    let Ok(image) = write_layout(dir.path(), bytes) else { return };
    if let Ok(entries) = sources::list_oci(dir.path(), &image) {
        fuzz::check_entries(&entries);
    }
});

/// Makes a layout of the layers in the input, and returns the digest of the image.
fn write_layout(dir: &Path, bytes: &[u8]) -> io::Result<Digest> {
    std::fs::create_dir_all(dir.join("blobs/sha256"))?;
    let add = |blob: &[u8]| {
        let digest = Digest::of(blob);
        std::fs::write(dir.join("blobs/sha256").join(digest.hex()), blob).map(|()| digest)
    };
    let mut layers = Vec::new();
    for layer in split(bytes) {
        let (digest, size) = (add(layer)?, layer.len());
        layers.push(format!(
            r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{size}}}"#
        ));
    }
    let manifest = format!(r#"{{"schemaVersion":2,"config":{{}},"layers":[{}]}}"#, layers.join(","));
    add(manifest.as_bytes())
}

/// Each layer stands behind its number of blocks of 512 bytes; the last takes what is left.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut layers = Vec::new();
    while let [low, high, rest @ ..] = bytes {
        let wanted = usize::from(u16::from_le_bytes([*low, *high])) * 512;
        let is_last = layers.len() + 1 == LAYERS_MAX;
        let (layer, later) = rest.split_at(if is_last { rest.len() } else { wanted.min(rest.len()) });
        layers.push(layer);
        bytes = later;
    }
    layers
}

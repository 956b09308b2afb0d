//! The list of signatures of an artifact, and the manifest of one of them: everybody may add to it.
#![no_main]

use std::io;
use std::path::Path;

use catalog::{Layout, Tag};
use libfuzzer_sys::fuzz_target;
use spec::Digest;
use spec::artifact::{limits, media};

/// What every artifact here is: its bytes are nobody's business.
const SUBJECT: &[u8] = b"an artifact";

fuzz_target!(|bytes: &[u8]| {
    let Ok(dir) = tempfile::tempdir() else { return };
    if write_layout(dir.path(), bytes).is_err() {
        return;
    }
    let layout = Layout::open(dir.path()).expect("all but the list is sound");
    let found = layout.signatures(&Digest::of(SUBJECT));
    assert!(found.bundles.len() <= limits::BUNDLES);
    // One word for each that was looked at, and one for too many.
    assert!(found.bundles.len() + found.skipped.len() <= limits::BUNDLES + 1);
});

/// A layout with the list in the input, and behind a line of its own the manifest that `DIGEST` in the list stands for,
/// whose `BUNDLE` and `SIZE` are those of a bundle.
fn write_layout(dir: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(dir.join("blobs/sha256"))?;
    let add = |blob: &[u8]| {
        let digest = Digest::of(blob);
        std::fs::write(dir.join("blobs/sha256").join(digest.hex()), blob).map(|()| digest)
    };
    let text = String::from_utf8_lossy(bytes);
    let (list, manifest) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let bundle = add(b"a bundle")?;
    let manifest = manifest.replace("SUBJECT", &Digest::of(SUBJECT).to_string());
    let manifest = manifest.replace("BUNDLE", &bundle.to_string()).replace("EMPTY", &add(b"{}")?.to_string());
    let listed = add(manifest.as_bytes())?;
    let list = list.replace("DIGEST", &listed.to_string()).replace("\"SIZE\"", &manifest.len().to_string());
    let (digest, size) = (add(list.as_bytes())?, list.len());
    let tag = Tag::of_referrers(&Digest::of(SUBJECT));
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{digest}","size":{size},
            "annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}]}}"#,
        media::INDEX
    );
    std::fs::write(dir.join("index.json"), index)?;
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
}

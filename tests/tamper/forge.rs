//! Images that our builder does not make, by `mksquashfs` and `sqfstar`, and attestations that our signer does not.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::Signer as _;
use serde_json::json;
use spec::Digest;
use spec::artifact::ContentFacts;
use spec::listing::{Kind, Listing};

use crate::world::Extension;

/// An image of `/usr/bin/tool` and what the definitions of pseudo files add (mksquashfs(1), "-p").
pub fn image(definitions: &[&str], more: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("there is room for an image");
    fs::create_dir(dir.path().join("tree")).expect("the directory is new");
    let mut mksquashfs = Command::new("mksquashfs");
    mksquashfs.args(["tree", "image", "-noappend", "-quiet", "-no-progress", "-all-root", "-all-time", "0"]);
    mksquashfs.args(["-root-mode", "755", "-p", "usr d 755 0 0", "-p", "usr/bin d 755 0 0"]);
    mksquashfs.args(["-p", "usr/bin/tool f 755 0 0 echo the program tool"]);
    for definition in definitions {
        mksquashfs.args(["-p", definition]);
    }
    let output = mksquashfs.args(more).current_dir(dir.path()).output().expect("mksquashfs is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(dir.path().join("image")).expect("mksquashfs has written it")
}

/// An image of `/usr/bin/tool` whose `/usr/bin` has an extended attribute, which pseudo files cannot have.
pub fn image_with_attribute(name: &str, value: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("there is room for an image");
    let mut archive = tar::Builder::new(Vec::new());
    let mut entry = |path: &str, kind, mode, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        if path == "usr/bin/" {
            let key = format!("SCHILY.xattr.{name}");
            archive.append_pax_extensions([(key.as_str(), value)]).expect("memory takes it");
        }
        archive.append_data(&mut header, path, content).expect("memory takes it");
    };
    entry("usr/", tar::EntryType::Directory, 0o755, b"");
    entry("usr/bin/", tar::EntryType::Directory, 0o755, b"");
    entry("usr/bin/tool", tar::EntryType::Regular, 0o755, b"the program tool");
    let (file, image) = (dir.path().join("a.tar"), dir.path().join("image"));
    fs::write(&file, archive.into_inner().expect("memory takes it")).expect("there is room");
    let mut sqfstar = Command::new("sqfstar");
    sqfstar.args(["-quiet", "-no-progress", "-all-root", "-all-time", "0", "-root-mode", "755"]).arg(&image);
    let opened = fs::File::open(&file).expect("it was just written");
    let output = sqfstar.stdin(opened).output().expect("sqfstar of squashfs-tools is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(image).expect("sqfstar has written it")
}

/// The extension `tool` with this image, which says of itself that it holds `leaves` beside `/usr/bin/tool`.
pub fn extension(image: Vec<u8>, leaves: &[&str]) -> Extension {
    let mut listing = Listing::parse("/usr/\n/usr/bin/\n/usr/bin/tool\n").expect("a sound list");
    for path in leaves {
        listing.insert(path.parse().expect("a sound path"), Kind::Leaf);
    }
    let mut tool = Extension::new("tool");
    tool.config.content = ContentFacts { inodes: 100, bytes: 1 << 20 };
    Extension { forged: Some((image, listing)), ..tool }
}

/// A statement of any type about a manifest, signed as sigstore signs. `claims` is the seed of the key that it names,
/// `signs` that of the key that has signed it.
pub fn attestation(claims: u8, signs: u8, predicate_type: &str, name: &str, manifest: &Digest) -> Vec<u8> {
    let payload = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": manifest.hex()}}],
        "predicateType": predicate_type,
        "predicate": {},
    });
    let payload = payload.to_string();
    let message = format!("DSSEv1 28 application/vnd.in-toto+json {} {payload}", payload.len());
    let key = ed25519_dalek::SigningKey::from_bytes(&[signs; 32]);
    let hint = signing::SigningKey::from_seed([claims; 32]).public_key().to_string();
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": {
            "payload": BASE64.encode(&payload),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": BASE64.encode(key.sign(message.as_bytes()).to_bytes()), "keyid": hint}],
        },
    });
    bundle.to_string().into_bytes()
}

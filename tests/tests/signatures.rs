//! Signatures that our program writes, judged by programs of others: the JavaScript verifier of the sigstore project, and
//! OpenSSL.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog::Layout;
use serde_json::Value;
use tests::{Context, Said, from_xtask, signed_extension};

/// The bundle that `extbuild sign` has put into the layout.
fn bundle(context: &Context) -> Value {
    let layout = Layout::open(context.dir().join("out")).unwrap();
    let manifest = layout.extensions().remove(0).descriptor;
    let [bundle] = layout.signatures(&manifest.digest).bundles.try_into().unwrap();
    serde_json::from_slice(&bundle).unwrap()
}

fn field<'a>(bundle: &'a mut Value, pointer: &str) -> &'a mut Value {
    bundle.pointer_mut(pointer).unwrap()
}

/// Another payload, signature or key with one bit changed, in base64.
fn flip(value: &mut Value, at: usize) {
    let mut bytes = BASE64.decode(value.as_str().unwrap()).unwrap();
    bytes[at] ^= 1;
    *value = BASE64.encode(bytes).into();
}

/// What `@sigstore/verify` says about a bundle and `key.pem.pub`.
fn sigstore(context: &Context, bundle: &Value) -> Said {
    context.write("bundle.json", serde_json::to_vec(bundle).unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sigstore/verify.cjs");
    let modules = PathBuf::from(from_xtask("TENON_INPUTS")).join("sigstore");
    assert!(modules.is_dir(), "{} is missing: run `cargo xtask test`", modules.display());
    context.run(Command::new("node").arg(script).arg(modules).args(["bundle.json", "key.pem.pub"]))
}

#[test]
fn the_verifier_of_sigstore_accepts_what_we_sign_and_nothing_that_was_changed() {
    let context = signed_extension();
    let sound = bundle(&context);
    assert_eq!(sigstore(&context, &sound).ok(), "verified");

    let payload = BASE64.decode(sound["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    for at in [0, payload.len() / 2, payload.len() - 1] {
        let mut changed = sound.clone();
        flip(field(&mut changed, "/dsseEnvelope/payload"), at);
        let said = sigstore(&context, &changed);
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.stderr.starts_with("SIGNATURE_ERROR"), "{said}");
    }
    let mut changed = sound.clone();
    flip(field(&mut changed, "/dsseEnvelope/signatures/0/sig"), 10);
    assert!(sigstore(&context, &changed).stderr.starts_with("SIGNATURE_ERROR"));
    // Somebody else's key.
    std::fs::remove_file(context.dir().join("key.pem")).unwrap();
    std::fs::remove_file(context.dir().join("key.pem.pub")).unwrap();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    assert!(sigstore(&context, &sound).stderr.starts_with("SIGNATURE_ERROR"));
}

#[test]
fn openssl_accepts_what_we_sign_and_nothing_that_was_changed() {
    let context = signed_extension();
    let bundle = bundle(&context);
    let envelope = &bundle["dsseEnvelope"];
    let decode = |value: &Value| BASE64.decode(value.as_str().unwrap()).unwrap();
    let payload = decode(&envelope["payload"]);
    let kind = envelope["payloadType"].as_str().unwrap();
    // The encoding of DSSE, protocol.md.
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    let mut message = [head.as_bytes(), &payload].concat();
    context.write("message", &message);
    context.write("signature", decode(&envelope["signatures"][0]["sig"]));
    let verify = || {
        let arguments = "pkeyutl -verify -pubin -inkey key.pem.pub -rawin -sigfile signature -in message";
        context.run(Command::new("openssl").args(arguments.split(' ')))
    };
    assert_eq!(verify().ok(), "Signature Verified Successfully");
    *message.last_mut().unwrap() ^= 1;
    context.write("message", &message);
    assert_ne!(verify().code, Some(0));
}

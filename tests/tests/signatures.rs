//! Signatures that our program writes, judged by programs of others: the JavaScript verifier of the sigstore project, and
//! OpenSSL.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::path::Path;
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
    let modules = from_xtask("TENON_INPUTS").join("sigstore");
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

const NAME: &str = "registry.example/ext/acme:1.0.0";

/// Signs the extension in cosign's older form too.
fn signed_for_others() -> Context {
    let context = signed_extension();
    context.extbuild(&["sign", "oci:out", "--key", "key.pem", "--legacy", NAME]).ok();
    context
}

/// The layers of the artifact `sha256-HEX.sig`: what was signed, and the signature in base64.
fn simple_signatures(context: &Context, layout: &str) -> Vec<(Vec<u8>, String)> {
    let layout = Layout::open(context.dir().join(layout)).unwrap();
    let manifest = layout.extensions().remove(0).descriptor;
    let tag = format!("sha256-{}.sig", manifest.digest.hex());
    let index = layout.index();
    let Some(listed) = index.manifests.iter().find(|listed| listed.tag() == Some(&tag)) else {
        return Vec::new();
    };
    let artifact: Value = serde_json::from_slice(&layout.blob(listed, 1 << 20).unwrap()).unwrap();
    assert_eq!(artifact["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
    let layers = artifact["layers"].as_array().unwrap().iter();
    layers
        .map(|layer| {
            assert_eq!(layer["mediaType"], "application/vnd.dev.cosign.simplesigning.v1+json");
            let descriptor = serde_json::from_value(layer.clone()).unwrap();
            let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str().unwrap();
            (layout.blob(&descriptor, 1 << 20).unwrap(), signature.to_owned())
        })
        .collect()
}

#[test]
fn the_older_form_of_cosign_is_signed_over_its_payload_alone() {
    let context = signed_for_others();
    let [(mut payload, signature)] = simple_signatures(&context, "out").try_into().unwrap();
    let document: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(document["critical"]["identity"]["docker-reference"], NAME);
    context.write("signature", BASE64.decode(signature).unwrap());
    let verify = |payload: &[u8]| {
        context.write("message", payload);
        let arguments = "pkeyutl -verify -pubin -inkey key.pem.pub -rawin -sigfile signature -in message";
        context.run(Command::new("openssl").args(arguments.split(' ')))
    };
    assert_eq!(verify(&payload).ok(), "Signature Verified Successfully");
    payload[100] ^= 1;
    assert_ne!(verify(&payload).code, Some(0));
    // Once more is not one more; under another name it is.
    context.extbuild(&["sign", "oci:out", "--key", "key.pem", "--legacy", NAME]).ok();
    assert_eq!(simple_signatures(&context, "out").len(), 1);
    context.extbuild(&["sign", "oci:out", "--key", "key.pem", "--legacy", "r.example/acme:1"]).ok();
    assert_eq!(simple_signatures(&context, "out").len(), 2);
    let said = context.extbuild(&["sign", "oci:out", "--key", "key.pem", "--legacy", "r.example/acme"]);
    assert!(said.stderr.contains("is no name with a tag alone"), "{said}");
}

#[test]
fn the_older_form_is_no_approval() {
    let context = signed_for_others();
    let key = std::fs::read_to_string(context.dir().join("key.pem.pub")).unwrap().replace('\n', "\n      ");
    let policy = format!(
        "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n  - name: acme\n    extensions: [\"*\"]\n    publicKey: |\n      {key}"
    );
    context.write("trust.yaml", policy);
    let verify = || context.extbuild(&["verify", "oci:out:acme-1.0.0", "--trust", "trust.yaml"]);
    verify().ok();

    // Only the list of bundles goes away.
    let path = context.dir().join("out/index.json");
    let mut index: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let tag = |listed: &Value| {
        let tag = &listed["annotations"]["org.opencontainers.image.ref.name"];
        tag.as_str().unwrap_or_default().to_owned()
    };
    let listed = index["manifests"].as_array_mut().unwrap();
    listed.retain(|listed| !tag(listed).starts_with("sha256-") || tag(listed).ends_with(".sig"));
    assert_eq!(listed.len(), 2);
    std::fs::write(&path, index.to_string()).unwrap();
    assert_eq!(simple_signatures(&context, "out").len(), 1);
    let said = verify();
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("(signature-missing)"), "{said}");
    // The boot program asks the same of the layout.
    let layout = Layout::open(context.dir().join("out")).unwrap();
    let manifest = layout.extensions().remove(0).descriptor;
    assert!(layout.signatures(&manifest.digest).bundles.is_empty());
}

//! A version for several architectures, as people see it: what there is of it, and whether all of it is believed.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::fs;

use catalog::{Found, Layout, Selector, Tag};
use serde_json::Value;
use spec::Digest;
use tests::{Context, Said, signed_extension};

const REFERENCE: &str = "oci:out:acme-1.0.0";

/// The extension `acme` for both architectures, of which the one for amd64 is signed, and a policy that trusts its key.
fn half_signed() -> Context {
    let context = signed_extension();
    context.extbuild(&["build", "extension.yaml", "--arch", "arm64", "-o", "oci:out"]).ok();
    policy(&context, "");
    context
}

fn signed() -> Context {
    let context = half_signed();
    context.extbuild(&["sign", REFERENCE, "--key", "key.pem"]).ok();
    context
}

/// The policy, with further fields.
fn policy(context: &Context, rest: &str) {
    let key = fs::read_to_string(context.dir().join("key.pem.pub")).unwrap().replace('\n', "\n      ");
    let roles = "roles: [publisher, operator]\n    extensions: [acme]";
    let text = format!(
        "apiVersion: v1alpha1\nkind: TrustPolicy\n{rest}keys:\n  - name: acme\n    {roles}\n    publicKey: |\n      {key}"
    );
    context.write("trust.yaml", text);
}

fn verify(context: &Context, more: &[&str]) -> Said {
    context.extbuild(&[&["verify", REFERENCE, "--trust", "trust.yaml"], more].concat())
}

fn found(context: &Context) -> Found {
    let layout = Layout::open(context.dir().join("out")).unwrap();
    layout.find(&Selector { tag: Some("acme-1.0.0".parse().unwrap()), digest: None }).unwrap()
}

/// Takes the signatures of a document out of the layout.
fn strip(context: &Context, document: &Digest) {
    let path = context.dir().join("out/index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let tag = Tag::of_referrers(document);
    let is_list = |listed: &Value| {
        listed["annotations"]["org.opencontainers.image.ref.name"].as_str() == Some(tag.as_str())
    };
    let manifests = index["manifests"].as_array_mut().unwrap();
    let before = manifests.len();
    manifests.retain(|listed| !is_list(listed));
    assert_eq!(manifests.len() + 1, before);
    fs::write(&path, index.to_string()).unwrap();
}

/// Digests depend on how images are written and keys on chance: neither is what these tests are about.
fn plain(context: &Context, said: &Said) -> String {
    let found = found(context);
    let mut text = said.to_string();
    for (place, document) in found.documents().enumerate() {
        text = text.replace(&document.digest.to_string(), &format!("[DIGEST {place}]"));
    }
    let shown = context.extbuild(&["key", "show", "--json", "key.pem.pub"]).ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    text.replace(shown["hint"].as_str().unwrap(), "[HINT]")
}

#[test]
fn every_manifest_and_the_index_must_be_good() {
    let context = signed();
    insta::assert_snapshot!("verify_all_architectures", plain(&context, &verify(&context, &[])));
    let json: Value = serde_json::from_str(&verify(&context, &["--json"]).ok()).unwrap();
    let both = found(&context);
    assert_eq!(json["digest"], both.named().digest.to_string());
    assert_eq!((&json["signers"][0], &json["absent"]), (&"acme".into(), &Value::Array(vec![])));
    for (place, (arch, manifest)) in ["amd64", "arm64"].iter().zip(&both.manifests).enumerate() {
        let one = &json["manifests"][place];
        assert_eq!((&one["arch"], &one["signers"][0]), (&(*arch).into(), &"acme".into()));
        assert_eq!(one["digest"], manifest.digest.to_string());
    }

    // Each document in turn without its signatures.
    for (place, document) in both.documents().enumerate() {
        let context = signed();
        strip(&context, &document.digest);
        let said = verify(&context, &[]);
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.stderr.contains(&format!("no signature bundle for {}", document.digest)), "{said}");
        assert_eq!(said.stderr.contains("of the index:"), place == 2, "{said}");
        for (other, arch) in ["amd64", "arm64"].into_iter().enumerate() {
            let code = if other == place { 1 } else { 0 };
            assert_eq!(verify(&context, &["--arch", arch]).code, Some(code), "{arch} without {place}");
        }
    }
}

#[test]
fn an_index_that_strangers_have_signed() {
    let context = half_signed();
    context.extbuild(&["key", "new", "-o", "other.pem", "--no-passphrase"]).ok();
    context.extbuild(&["sign", REFERENCE, "--key", "other.pem"]).ok();
    let said = verify(&context, &[]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("of the index: acme is signed by no key of the trust policy"), "{said}");
    verify(&context, &["--arch", "amd64"]).ok();
    assert_eq!(verify(&context, &["--arch", "arm64"]).code, Some(1));
}

/// A set is of manifests: one for one architecture, and so it is for one kind of machine.
#[test]
fn a_set_has_one_architecture() {
    let context = signed();
    let manifest = found(&context).manifests[0].digest;
    let member = format!("oci:out@{manifest}");
    policy(&context, "set: {class: edge}\n");
    let document = context.extbuild(&["trust", "set", "updates", "--class", "edge", &member]).ok();
    context.extbuild(&["trust", "sign", &document, "--key", "key.pem"]).ok();
    let verify = |more: &[&str]| verify(&context, &[&["--trust-updates", "updates"], more].concat());
    verify(&["--arch", "amd64"]).ok();
    let said = verify(&[]);
    assert!(said.code == Some(1) && said.stderr.contains("not-in-set"), "{said}");
}

#[test]
fn an_architecture_that_is_not_there() {
    let context = signed();
    context.extbuild(&["copy", REFERENCE, "oci:one", "--arch", "amd64"]).ok();
    for command in [
        &["inspect", "oci:one", "--arch", "arm64"][..],
        &["verify", "oci:one", "--trust", "trust.yaml", "--arch", "arm64"],
    ] {
        let said = context.extbuild(command);
        assert_eq!(said.code, Some(2), "{said}");
        assert!(
            said.stderr.contains("is not for arm64") && said.stderr.contains("it is for amd64"),
            "{said}"
        );
    }
    context.extbuild(&["verify", "oci:one", "--trust", "trust.yaml", "--arch", "amd64"]).ok();

    // An index of which one manifest is not here says nothing bad of the other.
    let absent = found(&context).manifests[1].digest;
    fs::remove_file(context.dir().join("out/blobs/sha256").join(absent.hex())).unwrap();
    let said = verify(&context, &[]);
    assert!(said.stderr.contains(&format!("{absent} is in the index and not here")), "{said}");
    let json: Value = serde_json::from_str(&verify(&context, &["--json"]).ok()).unwrap();
    assert_eq!(json["absent"][0], absent.to_string());
    assert_eq!(json["manifests"].as_array().unwrap().len(), 1);
}

#[test]
fn what_there_is_of_a_version_is_shown() {
    let context = half_signed();
    insta::assert_snapshot!(
        "inspect_architectures",
        plain(&context, &context.extbuild(&["inspect", REFERENCE]))
    );
    let show = |more: &[&str]| -> Value {
        let args = [&["inspect", REFERENCE, "--json"], more].concat();
        serde_json::from_str(&context.extbuild(&args).ok()).unwrap()
    };
    let (json, both) = (show(&[]), found(&context));
    assert_eq!(json["digest"], both.named().digest.to_string());
    assert_eq!(json["signatures"].as_array().unwrap().len(), 0, "nobody has signed the index yet");
    for (place, arch) in ["amd64", "arm64"].into_iter().enumerate() {
        let one = show(&["--arch", arch]);
        assert_eq!(one["config"]["arch"], arch);
        let listed = &json["manifests"][place];
        assert_eq!((&listed["arch"], &listed["digest"]), (&arch.into(), &one["digest"]));
        assert_eq!((&listed["image"], &listed["signatures"]), (&one["image"], &one["signatures"]));
    }
}

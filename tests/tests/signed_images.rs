//! Composed images and their detached signatures, which minisign itself judges; and the signatures of extensions on them.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::fs;
use std::process::Command;

use catalog::Layout;
use tests::{Context, Said, boot_program, inputs, signed_extension};

/// A base, the extension `acme` signed for both architectures, and all else that an image is made of.
fn world() -> Context {
    let context = signed_extension();
    context.extbuild(&["build", "extension.yaml", "--arch", "arm64", "-o", "oci:out"]).ok();
    context.extbuild(&["sign", "oci:out:acme-1.0.0", "--key", "key.pem"]).ok();
    context.write(
        "base.yaml",
        "\
apiVersion: v1alpha1
kind: Base
name: small
version: 1.0.0
sources: {root: {dir: root}}
contents: [{from: root, to: /}]
directories: [/proc, /sys]
bootModules: [loop]
",
    );
    context.write("root/usr/share/base/readme", "the base's own\n");
    let kernel = inputs().join("kernel").display().to_string();
    context.extbuild(&["base", "base.yaml", "--kernel", &kernel, "-o", "base"]).ok();
    context
        .write("machine.yaml", "apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions: [{name: acme}]\n");
    let key = fs::read_to_string(context.dir().join("key.pem.pub")).unwrap().replace('\n', "\n      ");
    context.write(
        "trust.yaml",
        format!(
            "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n  - name: acme\n    extensions: [\"*\"]\n    publicKey: |\n      {key}"
        ),
    );
    context.write("extruntime", boot_program());
    context.write(
        "schematic.yaml",
        "apiVersion: v1alpha1\nkind: Schematic\nbase: base/\nmachineConfig: machine.yaml\ntrust: trust.yaml\nextensions: oci:out\n",
    );
    context
}

fn compose(context: &Context, more: &[&str]) -> Said {
    let stub = inputs().join("stub/linuxx64.efi.stub").display().to_string();
    let common = [
        "compose",
        "schematic.yaml",
        "-o",
        "x.iso",
        "--runtime",
        "extruntime",
        "--stub",
        &stub,
        "--epoch",
        "1700000000",
    ];
    context.extfactory(&[&common, more].concat())
}

fn minisign(context: &Context) -> Said {
    context.run(Command::new("minisign").args(["-V", "-p", "key.minisign", "-m", "x.iso"]))
}

/// Changes one byte, to one that base64 has too, and asks minisign; then all is as it was.
fn refused_with(context: &Context, file: &str, at: usize) -> String {
    let path = context.dir().join(file);
    let sound = fs::read(&path).unwrap();
    let mut changed = sound.clone();
    changed[at] = if sound[at] == b'A' { b'B' } else { b'A' };
    fs::write(&path, changed).unwrap();
    let said = minisign(context);
    fs::write(&path, sound).unwrap();
    assert_eq!(said.code, Some(1), "byte {at} of {file}: {said}");
    said.stderr
}

#[test]
fn minisign_accepts_a_signed_image_and_nothing_that_was_changed() {
    let context = world();
    context.extbuild(&["key", "export", "key.pem", "--minisign", "-o", "key.minisign"]).ok();
    let said = compose(&context, &["--sign-key", "key.pem"]);
    assert!(said.stderr.contains("x.iso.minisig is its signature"), "{said}");
    said.ok();
    let said = minisign(&context);
    assert!(said.stdout.contains("Signature and comment signature verified"), "{said}");
    assert!(said.ok().contains("timestamp:1700000000\tfile:x.iso\thashed"));

    let image = fs::metadata(context.dir().join("x.iso")).unwrap().len() as usize;
    for at in [0, image / 2, image - 1] {
        assert!(refused_with(&context, "x.iso", at).contains("Signature verification failed"));
    }
    let signature = fs::read_to_string(context.dir().join("x.iso.minisig")).unwrap();
    let place = |part: &str| signature.find(part).unwrap() + part.len();
    let first = place("\n");
    assert!(refused_with(&context, "x.iso.minisig", first + 40).contains("Signature verification failed"));
    let comment = place("timestamp:170");
    assert!(
        refused_with(&context, "x.iso.minisig", comment).contains("Comment signature verification failed")
    );
    // Equal inputs, equal signatures; one that is there is replaced.
    compose(&context, &["--sign-key", "key.pem"]).ok();
    assert_eq!(fs::read_to_string(context.dir().join("x.iso.minisig")).unwrap(), signature);
    // A program that signs is as good as a key.
    let signer = "openssl pkeyutl -sign -rawin -inkey key.pem -in /dev/stdin";
    compose(&context, &["--signer-cmd", signer, "--public-key", "key.pem.pub"]).ok();
    assert_eq!(fs::read_to_string(context.dir().join("x.iso.minisig")).unwrap(), signature);
}

#[test]
fn without_its_key_nothing_is_composed() {
    let context = world();
    let said = compose(&context, &["--sign-key", "absent.pem"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(!context.dir().join("x.iso").exists(), "the key is read before the work");
    let said = compose(&context, &["--signer-cmd", "true"]);
    assert!(said.stderr.contains("--public-key"), "{said}");
}

/// Strict composing asks the code of the boot program.
#[test]
fn an_extension_signed_only_in_the_older_form_is_unsigned_at_boot() {
    let context = world();
    let name = "registry.example/acme:1.0.0";
    context.extbuild(&["sign", "oci:out:acme-1.0.0", "--key", "key.pem", "--legacy", name]).ok();
    let path = context.dir().join("out/index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    index["manifests"].as_array_mut().unwrap().retain(|listed| {
        let tag = listed["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default();
        !tag.starts_with("sha256-") || tag.ends_with(".sig")
    });
    assert!(index.to_string().contains(".sig"));
    fs::write(&path, index.to_string()).unwrap();
    let said = compose(&context, &["--strict"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("the machine will refuse acme"), "{said}");
    assert!(said.stderr.contains("(signature-missing)"), "{said}");
}

#[test]
fn compose_takes_the_manifest_for_its_machine_with_its_signature() {
    let context = world();
    compose(&context, &["--strict"]).ok();
    let said = context.run(Command::new("xorriso").args([
        "-osirrox",
        "on",
        "-indev",
        "x.iso",
        "-extract",
        "/tenon/store",
        "store",
    ]));
    assert_eq!(said.code, Some(0), "{said}");
    let store = Layout::open(context.dir().join("store")).unwrap();
    let [entry] = store.extensions().try_into().unwrap();
    let artifact = store.read_extension(&entry.descriptor).unwrap();
    assert_eq!(artifact.config.arch.to_string(), "amd64");
    assert!(!store.signatures(&entry.descriptor.digest).bundles.is_empty());
}

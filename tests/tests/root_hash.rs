//! A signature of the root hash for the kernel, made by OpenSSL as an operator would make it.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::process::Command;

use tests::Context;

/// A key with a certificate in DER, `NAME.key` and `NAME.der`.
fn key(context: &Context, name: &str) {
    let subject = format!("/CN={name}");
    let options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "1", "-subj", &subject];
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    openssl(context, &[&["req"], &options[..], &["-keyout", &key, "-out", &certificate]].concat());
    openssl(context, &["x509", "-in", &certificate, "-outform", "der", "-out", &format!("{name}.der")]);
}

/// Signs a text.
fn sign(context: &Context, name: &str, text: &str, output: &str) {
    context.write("text", text);
    let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
    let how = ["smime", "-sign", "-binary", "-noattr", "-nocerts", "-md", "sha256", "-outform", "der"];
    let files = ["-in", "text", "-signer", &certificate, "-inkey", &key, "-out", output];
    openssl(context, &[&how[..], &files].concat());
}

fn openssl(context: &Context, arguments: &[&str]) {
    let said = Command::new("openssl").args(arguments).current_dir(context.dir()).output().unwrap();
    assert!(said.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn a_signature_for_the_kernel_goes_along_if_it_is_of_this_image() {
    let context = Context::new();
    context.write("files/readme", "acme");
    context.write(
        "extension.yaml",
        "apiVersion: v1alpha1\nkind: Extension\nname: acme\nversion: 1.0.0\nsources: {files: {dir: files}}\n\
         contents: [{from: files, to: /usr/share/acme}]\n",
    );
    let build = |output: &str, more: &[&str]| {
        context.extbuild(&[&["build", "extension.yaml", "-o", output, "--json"], more].concat())
    };
    let signed = |file: &'static str, certificate: &'static str| {
        build("oci:signed", &["--root-hash-signature", file, "--root-hash-cert", certificate])
    };
    let plain: serde_json::Value = serde_json::from_str(&build("oci:plain", &[]).ok()).unwrap();
    let root_hash = plain["image"]["verity"]["rootHash"].as_str().unwrap().trim_start_matches("sha256:");
    for name in ["ours", "theirs"] {
        key(&context, name);
        sign(&context, name, root_hash, &format!("{name}.p7s"));
    }
    sign(&context, "ours", &root_hash.replace('a', "b"), "other.p7s");

    let facts: serde_json::Value = serde_json::from_str(&signed("ours.p7s", "ours.der").ok()).unwrap();
    assert_eq!(facts["image"], plain["image"], "the image is the same");
    let config: serde_json::Value =
        serde_json::from_str(&context.extbuild(&["inspect", "oci:signed", "--json"]).ok()).unwrap();
    let carried = config["config"]["rootHashSignature"].as_str().unwrap();
    let made = std::fs::read(context.dir().join("ours.p7s")).unwrap();
    assert_eq!(carried, made.iter().map(|byte| format!("{byte:02x}")).collect::<String>());

    for (file, certificate, expected) in [
        ("theirs.p7s", "ours.der", "was not made by this key"),
        ("other.p7s", "ours.der", "was not made by this key"),
        ("ours.p7s", "ours.crt", "is no certificate in DER"),
        ("extension.yaml", "ours.der", "extension.yaml cannot be used"),
    ] {
        let said = signed(file, certificate);
        assert!(said.code == Some(1) && said.stderr.contains(expected), "{file}: {said}");
    }
    let hint = signed("theirs.p7s", "ours.der").stderr;
    assert!(hint.contains(&format!("printf %s {root_hash} | openssl smime")), "{hint}");
}

//! Trust from beginning to end, with the programs: policies made and changed, rotated and revoked, and verdicts that
//! follow them. What can be forged about the bytes is in `signing/tests`.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::fs;

use tests::{Context, Said};

const MANIFEST: &str = "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.0.0
sources:
  files:
    dir: files
contents:
  - from: files
    to: /usr/share/acme
";

/// An extension that is signed, and a policy that trusts publisher, operator and root.
fn world() -> Context {
    let context = Context::new();
    context.write("extension.yaml", MANIFEST);
    context.write("files/readme", "read me\n");
    context.extbuild(&["build", "extension.yaml", "-o", "oci:out"]).ok();
    for key in ["acme", "ops", "root", "next"] {
        context.extbuild(&["key", "new", "-o", &format!("{key}.pem"), "--no-passphrase"]).ok();
    }
    context.extbuild(&["sign", "oci:out", "--key", "acme.pem"]).ok();
    init(&context, "trust.yaml", &["--extensions", "acme*"]);
    for (name, role) in [("ops", "operator"), ("root", "root")] {
        add(&context, "trust.yaml", name, &["--role", role]).ok();
    }
    context
}

fn init(context: &Context, file: &str, rights: &[&str]) {
    let args = ["trust", "init", file, "--name", "acme", "--public-key", "acme.pem.pub"];
    context.extbuild(&[&args[..], rights].concat()).ok();
}

fn add(context: &Context, file: &str, name: &str, rights: &[&str]) -> Said {
    let key = format!("{name}.pem.pub");
    context.extbuild(&[&["trust", "add", file, "--name", name, "--public-key", &key], rights].concat())
}

/// Has a document of `updates/` signed.
fn sign(context: &Context, document: &str, key: &str) {
    context.extbuild(&["trust", "sign", &format!("updates/{document}"), "--key", &format!("{key}.pem")]).ok();
}

fn verify(context: &Context) -> Said {
    context.extbuild(&["verify", "oci:out", "--trust", "trust.yaml", "--trust-updates", "updates"])
}

fn digest(context: &Context) -> String {
    let facts = context.extbuild(&["inspect", "--json", "oci:out"]).ok();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    facts["digest"].as_str().unwrap().to_owned()
}

fn text(context: &Context, name: &str) -> String {
    fs::read_to_string(context.dir().join(name)).unwrap()
}

fn append(context: &Context, name: &str, more: &str) {
    context.write(name, text(context, name) + more);
}

#[test]
fn a_policy_that_was_made_lets_in_what_it_says() {
    let context = world();
    verify(&context).ok();
    insta::assert_snapshot!(context.extbuild(&["trust", "explain", "--trust", "trust.yaml"]));
    insta::assert_snapshot!(context.extbuild(&["trust", "explain", "--trust", "trust.yaml", "acme"]));
    insta::assert_snapshot!(context.extbuild(&["trust", "explain", "--trust", "trust.yaml", "other"]));
}

#[test]
fn rotation_takes_both_root_keys() {
    let context = world();
    context.extbuild(&["trust", "rotate", "trust.yaml", "-o", "updates", "--drop", "root"]).ok();
    add(&context, "updates/policy-2.yaml", "next", &["--role", "root"]).ok();
    let version = || {
        let args = ["trust", "explain", "--trust", "trust.yaml", "--trust-updates", "updates", "--json"];
        let facts: serde_json::Value = serde_json::from_str(&context.extbuild(&args).ok()).unwrap();
        facts["version"].as_u64().unwrap()
    };
    sign(&context, "policy-2.yaml", "root");
    assert_eq!(version(), 1);
    sign(&context, "policy-2.yaml", "next");
    assert_eq!(version(), 2);
    append(&context, "updates/policy-2.yaml", "# a remark that nobody signed\n");
    assert_eq!(version(), 1);
}

#[test]
fn a_policy_that_is_left_without_a_root_key_is_worth_a_warning() {
    let context = world();
    let rotate = |drops: &[&str]| {
        context.extbuild(&[&["trust", "rotate", "trust.yaml", "-o", "updates"], drops].concat())
    };
    insta::assert_snapshot!(rotate(&["--drop", "root"]));
    assert!(!rotate(&["--drop", "acme"]).stderr.contains("warning"));
}

#[test]
fn remarks_and_order_of_a_policy_stay() {
    let context = world();
    let remarked =
        text(&context, "trust.yaml").replace("  - name: \"ops\"", "  # the night shift\n  - name: \"ops\"");
    context
        .write("trust.yaml", format!("# who we trust\n{remarked}thresholds: {{publisher: 1}} # for now\n"));
    add(&context, "trust.yaml", "next", &["--extensions", "next"]).ok();
    context.extbuild(&["trust", "rotate", "trust.yaml", "-o", "updates", "--drop", "acme"]).ok();
    let text = text(&context, "updates/policy-2.yaml");
    let shown: Vec<&str> = text.lines().filter(|line| !line.starts_with("      ")).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn policies_that_cannot_be_changed_by_lines_are_left_alone() {
    let context = world();
    let flow = text(&context, "trust.yaml").replace("keys:\n", "keys: !!seq\n");
    context.write("trust.yaml", &flow);
    let said = add(&context, "trust.yaml", "next", &["--extensions", "next"]);
    assert_eq!(said.code, Some(1));
    let wanted = "error: trust.yaml is laid out in a way that this program cannot change safely\n\n\
                  hint: change it by hand, below keys:\n- name: \"next\"\n  extensions: [\"next\"]\n";
    assert!(said.stderr.starts_with(wanted), "{said}");
    assert_eq!(text(&context, "trust.yaml"), flow);
}

#[test]
fn keys_that_make_no_sense_change_nothing() {
    let context = world();
    let before = text(&context, "trust.yaml");
    insta::assert_snapshot!(add(&context, "trust.yaml", "acme", &["--extensions", "x"]));
    insta::assert_snapshot!(add(&context, "trust.yaml", "next", &[]));
    insta::assert_snapshot!(add(&context, "trust.yaml", "next", &["--role", "root", "--may", "units"]));
    insta::assert_snapshot!(add(&context, "trust.yaml", "next", &["--extensions", "x", "--may", "unit"]));
    assert_eq!(text(&context, "trust.yaml"), before);
    let again =
        ["trust", "init", "trust.yaml", "--name", "a", "--public-key", "acme.pem.pub", "--extensions", "a"];
    insta::assert_snapshot!(context.extbuild(&again));
}

/// C12, and the rule that floors only rise.
#[test]
fn what_is_revoked_does_not_run() {
    let context = world();
    context.extbuild(&["trust", "revoke", "updates", "--generation", "acme=2"]).ok();
    verify(&context).ok();
    sign(&context, "revocation-1.yaml", "acme");
    verify(&context).ok();
    sign(&context, "revocation-1.yaml", "ops");
    insta::assert_snapshot!(verify(&context));
    context
        .extbuild(&["trust", "revoke", "updates", "--generation", "acme=1", "--generation", "other=1"])
        .ok();
    assert_eq!(
        text(&context, "updates/revocation-2.yaml"),
        "apiVersion: v1alpha1\nkind: Revocation\nversion: 2\ngenerations:\n  acme: 2\n  other: 1\n"
    );
}

#[test]
fn a_denied_digest_does_not_run() {
    let context = world();
    let digest = digest(&context);
    context.extbuild(&["trust", "revoke", "updates", "--deny", &digest]).ok();
    sign(&context, "revocation-1.yaml", "ops");
    let said = verify(&context);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("(digest-denied)"), "{said}");
}

/// A2: signed by its publisher, and not in the set.
#[test]
fn a_machine_class_runs_its_set() {
    let context = world();
    append(&context, "trust.yaml", "set: {class: edge}\n");
    insta::assert_snapshot!(verify(&context));
    context.extbuild(&["trust", "set", "updates", "--class", "edge", "oci:out"]).ok();
    assert_eq!(verify(&context).code, Some(1));
    sign(&context, "set-edge-1.yaml", "ops");
    verify(&context).ok();

    context.write("extension.yaml", MANIFEST.replace("1.0.0", "1.1.0"));
    context.extbuild(&["build", "extension.yaml", "-o", "oci:newer"]).ok();
    context.extbuild(&["sign", "oci:newer", "--key", "acme.pem"]).ok();
    let said =
        context.extbuild(&["verify", "oci:newer", "--trust", "trust.yaml", "--trust-updates", "updates"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("(not-in-set)"), "{said}");
}

#[test]
fn two_keys_where_two_are_demanded() {
    let context = world();
    add(&context, "trust.yaml", "next", &["--extensions", "*"]).ok();
    append(&context, "trust.yaml", "thresholds: {publisher: 2}\n");
    insta::assert_snapshot!(verify(&context));
    context.extbuild(&["sign", "oci:out", "--key", "next.pem"]).ok();
    let said = context.extbuild(&["verify", "oci:out", "--trust", "trust.yaml", "--json"]).ok();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let mut signers: Vec<&str> =
        said["signers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    signers.sort_unstable();
    assert_eq!(signers, ["acme", "next"]);
}

#[test]
fn an_expired_policy_lets_nothing_in() {
    let context = world();
    append(&context, "trust.yaml", "expires: 2020-01-01\n");
    insta::assert_snapshot!(verify(&context));
}

#[test]
fn a_developer_override_is_said_aloud() {
    let context = world();
    context.extbuild(&["build", "extension.yaml", "-o", "oci:unsigned"]).ok();
    let verify = || context.extbuild(&["verify", "oci:unsigned", "--trust", "trust.yaml"]);
    assert_eq!(verify().code, Some(1));
    append(&context, "trust.yaml", "developer: {name: bench-7, extensions: [acme]}\n");
    insta::assert_snapshot!(verify());
}

//! "Does it fit my kernel?", asked wherever a person can still act: before building, afterwards about any kernel, before
//! signing and sending, and while a medium is composed.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::process::Command;

use serde_json::Value;
use tests::{Context, Said, inputs, root};

const BASE: &str = "\
apiVersion: v1alpha1
kind: Base
name: small
version: 1.0.0
sources: {root: {dir: root}}
contents: [{from: root, to: /}]
directories: [/proc, /sys]
modules: [udp_tunnel]
bootModules: [loop]
";

/// Of 6.12 it is a module; 6.1 has it built in.
const MODULE_OF_THE_NEWER_KERNEL: &str =
    "apiVersion: v1alpha1\nkind: Extension\nname: newer\nversion: 1.0.0\nmodules: [crypto_null]\n";

const BARE: &str = "\
apiVersion: v1alpha1
kind: Extension
name: bare
version: 1.0.0
sources: {modules: {dir: modules}}
contents: [{from: modules, to: \"/usr/lib/modules/${kernel.release}/extra/bare\"}]
";

fn kernel(name: &str) -> String {
    inputs().join(name).display().to_string()
}

/// The extension wireguard, built for the first kernel into `oci:out`, and a base of that kernel.
fn with_wireguard() -> Context {
    let context = Context::new();
    context.write("base.yaml", BASE);
    context.write("root/usr/share/acme/readme", "the base's own\n");
    context.extbuild(&["base", "base.yaml", "--kernel", &kernel("kernel"), "-o", "base"]).ok();
    let manifest = root().join("extensions/wireguard/extension.yaml").display().to_string();
    let kernel = kernel("kernel");
    context.extbuild(&["build", &manifest, "--kernel", &kernel, "--base", "base", "-o", "oci:out"]).ok();
    context
}

fn verdicts(said: &Said) -> Vec<(String, bool, Vec<String>)> {
    let value: Value = serde_json::from_str(&said.stdout).unwrap();
    let code = |reason: &Value| reason["code"].as_str().unwrap().to_owned();
    let kernels = value.as_array().unwrap().iter();
    kernels
        .map(|kernel| {
            let extension = &kernel["extensions"][0];
            let mut codes: Vec<String> = extension["reasons"].as_array().unwrap().iter().map(code).collect();
            codes.dedup();
            (kernel["source"].as_str().unwrap().to_owned(), extension["fits"].as_bool().unwrap(), codes)
        })
        .collect()
}

#[test]
fn an_extension_is_held_against_bases_kernels_and_profiles() {
    let context = with_wireguard();
    context.extbuild(&["kernel", "profile", &kernel("kernel"), "-o", "one.db"]).ok();
    context.extbuild(&["kernel", "profile", &kernel("other-kernel"), "-o", "other.db"]).ok();
    let on = ["--kernel", "base", "--kernel", "one.db", "--kernel", "other.db", "--json"];
    let said = context.extbuild(&[&["fits", "oci:out"], &on[..]].concat());
    assert_eq!(said.code, Some(1), "{said}");
    let verdicts = verdicts(&said);
    assert_eq!(verdicts[0], ("base".into(), true, vec![]));
    assert_eq!(verdicts[1], ("one.db".into(), true, vec![]));
    let (source, fits, codes) = &verdicts[2];
    assert!(source == "other.db" && !fits, "{verdicts:?}");
    assert_eq!(codes[0], "kernel-mismatch");
    assert!(codes.contains(&"symbol-crc-mismatch".to_owned()), "{codes:?}");
    // For people it is a table.
    let said = context.extbuild(&["fits", "oci:out", "--kernel", "base", "--kernel", "other.db"]);
    assert_eq!(said.code, Some(1), "{said}");
    for part in ["6.1.", "6.12.", "fits", "no: kernel-mismatch", "hint: build it against 6.12."] {
        assert!(said.stdout.contains(part), "{part} is missing: {said}");
    }
    context.extbuild(&["fits", "oci:out", "--kernel", "base"]).ok();
}

#[test]
fn a_manifest_is_checked_for_several_kernels_at_once() {
    let context = Context::new();
    let manifest = root().join("extensions/wireguard/extension.yaml").display().to_string();
    let (one, other) = (kernel("kernel"), kernel("other-kernel"));
    let said = context.extbuild(&["check", &manifest, "--kernel", &one, "--kernel", &other, "--json"]).ok();
    let plans: Value = serde_json::from_str(&said).unwrap();
    let kernels: Vec<&str> =
        plans.as_array().unwrap().iter().map(|plan| plan["config"]["kernel"].as_str().unwrap()).collect();
    assert!(kernels[0].starts_with("6.1.") && kernels[1].starts_with("6.12."), "{kernels:?}");
    // One that cannot be built for is named, and the others are checked all the same.
    let path = context.write("newer.yaml", MODULE_OF_THE_NEWER_KERNEL);
    let on = ["check", path.to_str().unwrap(), "--kernel", &one, "--kernel", &other];
    let said = context.extbuild(&on);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("module crypto_null is built into the kernel 6.1."), "{said}");
    assert!(said.stderr.contains("\nhint: for this kernel, do not ask for it\n"), "{said}");
    assert!(said.stderr.contains("for 1 of 2 kernels"), "{said}");
    let said = context.extbuild(&[&on[..], &["--json"]].concat());
    assert_eq!(said.code, Some(1), "{said}");
    let plans: Value = serde_json::from_str(&said.stdout).unwrap();
    let kernels = [&plans[0], &plans[1]].map(|plan| plan["kernel"].as_str().unwrap());
    assert!(kernels[0].ends_with("/kernel") && kernels[1].ends_with("/other-kernel"), "{kernels:?}");
    assert!(plans[0]["refused"].as_str().unwrap().starts_with("module crypto_null is built into"));
    assert_eq!(plans[1]["config"]["name"], "newer");
}

#[test]
fn a_profile_is_kernel_enough_for_modules_from_elsewhere() {
    let context = with_wireguard();
    context.extbuild(&["kernel", "profile", &kernel("kernel"), "-o", "one.db"]).ok();
    context.extbuild(&["kernel", "profile", &kernel("other-kernel"), "-o", "other.db"]).ok();
    let release = release_of(&kernel("kernel"));
    let of = |file: &str| inputs().join(format!("kernel/lib/modules/{release}/kernel/drivers/{file}"));
    context.write("modules/vxlan.ko", std::fs::read(of("net/vxlan/vxlan.ko")).unwrap());
    context.write(
        "vxlan.yaml",
        "apiVersion: v1alpha1\nkind: Extension\nname: vxlan\nversion: 1.0.0\nsources: {modules: {dir: modules}}\n\
         contents: [{from: modules, to: \"/usr/lib/modules/${kernel.release}/extra/vxlan\"}]\n",
    );
    let check = |kernel: &str| context.extbuild(&["check", "vxlan.yaml", "--kernel", kernel]);
    // As `fits` has it: whatever the kernel has may be in a base, and that is said.
    let said = check("one.db");
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("module vxlan needs ip6_udp_tunnel, udp_tunnel of the kernel"), "{said}");
    assert_eq!(check(&kernel("kernel")).stderr, said.stderr);
    assert_eq!(check("other.db").code, Some(1));
    // A profile has no modules to ship.
    let manifest = root().join("extensions/wireguard/extension.yaml").display().to_string();
    let said = context.extbuild(&["check", &manifest, "--kernel", "one.db"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stderr.contains("there is no lib/modules/RELEASE/kernel"), "{said}");
    // Nor is there a base in a registry.
    let said = context.extbuild(&["fits", "oci:out", "--kernel", "oci:bases:one"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stderr.contains("hint: kernels and bases are named by directory or by profile"), "{said}");
}

#[test]
fn what_does_not_fit_is_neither_signed_nor_sent() {
    let context = with_wireguard();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    let (key, other) = ("key.pem", kernel("other-kernel"));
    let said = context.extbuild(&["sign", "oci:out", "--key", key, "--require-fit", &other]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("extension wireguard does not fit 6.12."), "{said}");
    let facts: Value =
        serde_json::from_str(&context.extbuild(&["inspect", "--json", "oci:out"]).ok()).unwrap();
    assert_eq!(facts["signatures"], serde_json::json!([]));
    // Nobody listens there: it is refused before anybody is asked.
    let said = context.extbuild(&["push", "oci:out", "127.0.0.1:9/x:y", "--require-fit", &other]);
    assert_eq!(said.code, Some(1), "{said}");
    context.extbuild(&["sign", "oci:out", "--key", key, "--require-fit", "base"]).ok();
    context.extbuild(&["sign", "oci:out", "--key", key, "--require-fit", "base", "--sig-enforce"]).ok();
}

#[test]
fn what_needs_another_extension_is_signed_where_that_is_named() {
    let context = with_wireguard();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    context.write(
        "vxlan.yaml",
        "apiVersion: v1alpha1\nkind: Extension\nname: vxlan\nversion: 1.0.0\nmodules: [vxlan]\n",
    );
    let kernel = kernel("kernel");
    let build = ["build", "vxlan.yaml", "--kernel", &kernel, "--base", "base", "--with", "oci:out"];
    context.extbuild(&[&build[..], &["-o", "oci:vxlan"]].concat()).ok();
    let sign = ["sign", "oci:vxlan", "--key", "key.pem", "--require-fit", "base"];
    let said = context.extbuild(&sign);
    assert_eq!(said.code, Some(1), "{said}");
    context.extbuild(&[&sign[..], &["--with", "oci:out"]].concat()).ok();
    // The kernel's own key signed them, and a module of somebody else is not signed at all.
    context.write("bare.yaml", BARE);
    strip_signature(&context, "modules/vxlan.ko");
    let check = ["check", "bare.yaml", "--kernel", &kernel, "--base", "base", "--with", "oci:out"];
    let said = context.extbuild(&check);
    assert!(said.stderr.contains("note: module vxlan is not signed, which taints the kernel"), "{said}");
    let said = context.extbuild(&[&check[..], &["--sig-enforce"]].concat());
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.stderr.contains("module vxlan is not signed, and the kernel loads signed modules only"),
        "{said}"
    );
}

/// The module vxlan of the first kernel without its signature.
fn strip_signature(context: &Context, to: &str) {
    let release = release_of(&kernel("kernel"));
    let file = inputs().join(format!("kernel/lib/modules/{release}/kernel/drivers/net/vxlan/vxlan.ko"));
    let bytes = std::fs::read(file).unwrap();
    // `struct module_signature` (linux/module_signature.h): its last field is the length before it, big-endian.
    let end = bytes.len() - b"~Module signature appended~\n".len();
    let length = u32::from_be_bytes(bytes[end - 4..end].try_into().unwrap()) as usize;
    context.write(to, &bytes[..end - 12 - length]);
}

fn release_of(kernel: &str) -> String {
    let dir = std::fs::read_dir(format!("{kernel}/lib/modules")).unwrap().next().unwrap().unwrap();
    dir.file_name().into_string().unwrap()
}

#[test]
fn modules_of_another_extension_are_not_shipped_again() {
    let context = with_wireguard();
    // ip6_udp_tunnel is in the extension wireguard; vxlan needs it too.
    context.write(
        "vxlan.yaml",
        "apiVersion: v1alpha1\nkind: Extension\nname: vxlan\nversion: 1.0.0\nmodules: [vxlan]\n\
         requires: [{name: wireguard}]\n",
    );
    let kernel = kernel("kernel");
    let common = ["build", "vxlan.yaml", "--kernel", &kernel, "--base", "base"];
    context.extbuild(&[&common[..], &["-o", "oci:alone"]].concat()).ok();
    context.extbuild(&[&common[..], &["--with", "oci:out", "-o", "oci:with"]].concat()).ok();
    let modules = |layout: &str| {
        let facts: Value =
            serde_json::from_str(&context.extbuild(&["inspect", "--json", layout]).ok()).unwrap();
        let names = facts["modules"].as_array().unwrap().iter();
        names.map(|module| module["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(modules("oci:alone"), ["ip6_udp_tunnel", "vxlan"]);
    assert_eq!(modules("oci:with"), ["vxlan"]);
    // Together they fit; two of a kind do not.
    context.extbuild(&["fits", "oci:out", "oci:with", "--kernel", "base"]).ok();
    let said = context.extbuild(&["fits", "oci:out", "oci:alone", "--kernel", "base"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("module ip6_udp_tunnel is in extension wireguard already"), "{said}");
    // What lies beside it in the layout and would help is named.
    let with = ["--with", "oci:out:wireguard-1.0.0", "-o", "oci:out"];
    context.extbuild(&[&common[..], &with[..]].concat()).ok();
    let said = context.extbuild(&["fits", "oci:out:vxlan-1.0.0", "--kernel", "base"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("extension wireguard exports it, which was not chosen"), "{said}");
    assert!(said.stdout.contains("hint: add extension wireguard"), "{said}");
}

#[test]
fn a_record_that_says_something_else_than_the_modules_is_not_signed() {
    let context = with_wireguard();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    // A blob of the same size, and whatever points to it.
    let (mut from, mut to) = ("\"license\":\"GPL v2\"".to_owned(), "\"license\":\"GPL v3\"".to_owned());
    for _ in ["record", "manifest"] {
        (from, to) = forge(&context, &from, &to);
    }
    let index = context.dir().join("out/index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    assert!(text.contains(&from));
    std::fs::write(index, text.replace(&from, &to)).unwrap();
    let said = context.extbuild(&["sign", "oci:out", "--key", "key.pem"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("the kernel ABI record says something else about module"), "{said}");
}

/// Replaces text in the blob of `oci:out` that has it; returns the digest of the blob before and after.
fn forge(context: &Context, from: &str, to: &str) -> (String, String) {
    let blobs = context.dir().join("out/blobs/sha256");
    let texts = std::fs::read_dir(&blobs).unwrap().filter_map(|blob| {
        let path = blob.unwrap().path();
        Some((String::from_utf8(std::fs::read(&path).unwrap()).ok()?, path))
    });
    let (text, path) = texts.into_iter().find(|(text, _)| text.contains(from)).unwrap();
    let new = context.write("forged", text.replace(from, to));
    let digest = context.run(Command::new("sha256sum").arg(&new)).ok()[..64].to_owned();
    std::fs::rename(new, blobs.join(&digest)).unwrap();
    (path.file_name().unwrap().to_str().unwrap().to_owned(), digest)
}

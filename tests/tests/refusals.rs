//! Bad input at every door: a clear error with its place, the right exit code, and nothing left behind.
//!
//! The snapshots are the messages as people read them; they are reviewed like code.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::fs;
use std::os::unix::net::UnixListener;

use tests::{Context, Said, inputs, root};

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

/// A directory with a manifest that builds; each test breaks one thing.
fn author() -> Context {
    let context = Context::new();
    context.write("extension.yaml", MANIFEST);
    context.write("files/readme", "read me\n");
    context
}

fn build(context: &Context) -> Said {
    context.extbuild(&["build", "extension.yaml", "-o", "oci:out"])
}

/// Builds, expects a refusal, and checks that it left nothing but what was there.
#[track_caller]
fn refused(context: &Context) -> Said {
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(context.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let said = build(context);
    assert!(matches!(said.code, Some(1 | 2)), "{said}");
    assert_eq!(names(), before, "something was left behind: {said}");
    said
}

#[track_caller]
fn refused_manifest(text: &str) -> Said {
    let context = author();
    context.write("extension.yaml", text);
    refused(&context)
}

#[test]
fn what_the_tests_break_builds_when_it_is_whole() {
    let digest = build(&author()).ok();
    assert!(digest.starts_with("sha256:"), "{digest}");
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(refused_manifest("apiVersion: v1alpha1\nkind: [Extension\n"));
}

#[test]
fn unknown_field() {
    insta::assert_snapshot!(refused_manifest(
        &MANIFEST.replace("version: 1.0.0", "version: 1.0.0\ncolour: red")
    ));
}

#[test]
fn version_that_no_tag_can_hold() {
    let long = format!("version: 1.0.0-{}", "x".repeat(150));
    insta::assert_snapshot!(refused_manifest(&MANIFEST.replace("version: 1.0.0", &long)));
}

#[test]
fn extension_that_requires_itself() {
    insta::assert_snapshot!(refused_manifest(&format!("{MANIFEST}requires: [{{name: acme}}]\n")));
}

#[test]
fn module_to_load_that_is_nowhere() {
    insta::assert_snapshot!(refused_manifest(&format!("{MANIFEST}load: [nosuch]\n")));
}

#[test]
fn duplicate_key() {
    insta::assert_snapshot!(refused_manifest(
        &MANIFEST.replace("version: 1.0.0", "version: 1.0.0\nname: other")
    ));
}

#[test]
fn alias_bomb() {
    let mut bomb =
        String::from("apiVersion: v1alpha1\nkind: Extension\nrequires:\n- &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let item = format!("*a{}", level - 1);
        bomb += &format!("- &a{level} [{}]\n", [item.as_str(); 9].join(", "));
    }
    insta::assert_snapshot!(refused_manifest(&bomb));
}

#[test]
fn manifest_that_is_missing() {
    let context = Context::new();
    insta::assert_snapshot!(refused(&context));
}

#[test]
fn pipes_and_devices_in_the_place_of_files() {
    let context = author();
    build(&context).ok();
    context.run(std::process::Command::new("mkfifo").arg("pipe")).ok();
    insta::assert_snapshot!("manifest_is_a_pipe", context.extbuild(&["check", "pipe"]));
    insta::assert_snapshot!("key_is_a_pipe", context.extbuild(&["sign", "oci:out", "--key", "pipe"]));
    let said = context.extfactory(&["compose", "/dev/zero", "--runtime", "x", "-o", "out.iso"]);
    insta::assert_snapshot!("schematic_is_a_device", said);
}

#[test]
fn manifest_that_is_not_text() {
    let context = author();
    context.write("extension.yaml", [0xff, 0xfe, 0x00, 0x80]);
    insta::assert_snapshot!(refused(&context));
}

#[test]
fn source_that_is_missing() {
    insta::assert_snapshot!(refused_manifest(&MANIFEST.replace("dir: files", "dir: elsewhere")));
}

#[test]
fn source_with_another_sha256() {
    let context = author();
    context.write("a.txt", "not what was pinned");
    let source = format!("file: a.txt\n    sha256: {}", "0".repeat(64));
    context.write("extension.yaml", MANIFEST.replace("dir: files", &source));
    insta::assert_snapshot!(refused(&context));
}

#[test]
fn content_that_is_not_in_its_source() {
    insta::assert_snapshot!(refused_manifest(
        &MANIFEST.replace("from: files", "from: files\n    path: /bin/acme")
    ));
}

#[test]
fn two_contents_with_the_same_path() {
    let context = author();
    context.write("more/readme", "another one\n");
    let more = MANIFEST.replace("    dir: files\n", "    dir: files\n  more:\n    dir: more\n");
    context.write("extension.yaml", more + "  - from: more\n    to: /usr/share/acme\n");
    insta::assert_snapshot!(refused(&context));
}

#[test]
fn path_outside_the_allowed_roots() {
    insta::assert_snapshot!(refused_manifest(&MANIFEST.replace("to: /usr/share/acme", "to: /etc/acme")));
}

#[test]
fn path_that_only_starts_like_an_allowed_root() {
    insta::assert_snapshot!(refused_manifest(&MANIFEST.replace("to: /usr/share/acme", "to: /usrlocal/acme")));
}

/// A tar archive with one entry, as a source.
fn author_with_tar(kind: tar::EntryType, mode: u32, link: Option<&str>) -> Context {
    let context = author();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    match link {
        Some(target) => builder.append_link(&mut header, "thing", target).unwrap(),
        None => builder.append_data(&mut header, "thing", &[][..]).unwrap(),
    }
    let archive = context.write("a.tar", builder.into_inner().unwrap());
    let sum = context.run(std::process::Command::new("sha256sum").arg(archive)).ok();
    let source = format!("tar: a.tar\n    sha256: {}", &sum[..64]);
    context.write("extension.yaml", MANIFEST.replace("dir: files", &source));
    context
}

#[test]
fn setuid_file() {
    insta::assert_snapshot!(refused(&author_with_tar(tar::EntryType::Regular, 0o4755, None)));
}

#[test]
fn file_that_everybody_may_write() {
    insta::assert_snapshot!(refused(&author_with_tar(tar::EntryType::Regular, 0o666, None)));
}

#[test]
fn device_node() {
    insta::assert_snapshot!(refused(&author_with_tar(tar::EntryType::Char, 0o600, None)));
}

#[test]
fn socket_in_a_directory() {
    let context = author();
    let _listening = UnixListener::bind(context.dir().join("files/socket")).unwrap();
    insta::assert_snapshot!(refused(&context));
}

#[test]
fn absolute_symlink() {
    insta::assert_snapshot!(refused(&author_with_tar(tar::EntryType::Symlink, 0o777, Some("/usr/bin/env"))));
}

#[test]
fn escaping_symlink() {
    insta::assert_snapshot!(refused(&author_with_tar(
        tar::EntryType::Symlink,
        0o777,
        Some("../../../etc/shadow")
    )));
}

#[test]
fn hard_link_to_nothing() {
    insta::assert_snapshot!(refused(&author_with_tar(tar::EntryType::Link, 0o644, Some("elsewhere"))));
}

#[test]
fn several_things_at_once() {
    let context = author();
    let _listening = UnixListener::bind(context.dir().join("files/socket")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", context.dir().join("files/passwd")).unwrap();
    insta::assert_snapshot!(refused(&context));
}

#[test]
fn package_that_is_none() {
    let context = author();
    context.write("a.deb", "not a package");
    let sum = context.run(std::process::Command::new("sha256sum").arg("a.deb")).ok();
    context.write(
        "extension.yaml",
        MANIFEST.replace("dir: files", &format!("deb: a.deb\n    sha256: {}", &sum[..64])),
    );
    insta::assert_snapshot!(refused(&context));
}

const MODULE_MANIFEST: &str = "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.0.0
modules: [wireguard]
";

#[test]
fn modules_without_a_kernel() {
    insta::assert_snapshot!(refused_manifest(MODULE_MANIFEST));
}

#[test]
fn module_that_the_kernel_does_not_have() {
    let context = author();
    context.write("extension.yaml", MODULE_MANIFEST.replace("wireguard", "wireguards"));
    let kernel = inputs().join("kernel").display().to_string();
    insta::assert_snapshot!(context.extbuild(&["check", "extension.yaml", "--kernel", &kernel]));
}

#[test]
fn truncated_module() {
    let context = author();
    let module = inputs().join("kernel/lib/modules");
    let release = fs::read_dir(&module).unwrap().next().unwrap().unwrap().file_name();
    let release = release.to_str().unwrap();
    let bytes = fs::read(module.join(release).join("kernel/drivers/net/wireguard/wireguard.ko")).unwrap();
    context.write("files/wireguard.ko", &bytes[..bytes.len() / 2]);
    let to = "to: /usr/lib/modules/${kernel.release}/extra/acme";
    context.write("extension.yaml", MANIFEST.replace("to: /usr/share/acme", to));
    fs::remove_file(context.dir().join("files/readme")).unwrap();
    let kernel = inputs().join("kernel").display().to_string();
    let said = context.extbuild(&["build", "extension.yaml", "--kernel", &kernel, "-o", "oci:out"]);
    assert!(!context.dir().join("out").exists());
    insta::assert_snapshot!(said.to_string().replace(release, "[RELEASE]"));
}

#[test]
fn kernel_directory_that_is_none() {
    let context = author();
    context.write("extension.yaml", MODULE_MANIFEST);
    insta::assert_snapshot!(context.extbuild(&["check", "extension.yaml", "--kernel", "files"]));
}

#[test]
fn registry_that_is_down() {
    let context = author();
    build(&context).ok();
    // Port 9 is "discard", which nobody listens on.
    let said = context.extbuild(&["push", "oci:out:acme-1.0.0", "127.0.0.1:9/acme:1.0.0"]);
    assert_eq!(said.code, Some(2), "{said}");
    let said = context.extbuild(&["pull", "127.0.0.1:9/acme:1.0.0", "-o", "oci:pulled"]);
    assert!(!context.dir().join("pulled").exists());
    insta::assert_snapshot!(said);
}

#[test]
fn key_file_that_is_not_a_key() {
    let context = author();
    build(&context).ok();
    context.write("key.pem", "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n");
    insta::assert_snapshot!(context.extbuild(&["sign", "oci:out:acme-1.0.0", "--key", "key.pem"]));
}

#[test]
fn public_key_in_the_place_of_a_private_one() {
    let context = author();
    build(&context).ok();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    insta::assert_snapshot!(context.extbuild(&["sign", "oci:out:acme-1.0.0", "--key", "key.pem.pub"]));
}

#[test]
fn key_that_would_be_overwritten() {
    let context = Context::new();
    context.write("key.pem", "precious");
    let said = context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]);
    assert_eq!(fs::read_to_string(context.dir().join("key.pem")).unwrap(), "precious");
    assert!(!context.dir().join("key.pem.pub").exists());
    insta::assert_snapshot!(said);
}

#[test]
fn extension_without_a_signature() {
    let context = author();
    build(&context).ok();
    trust(&context, "[acme]");
    insta::assert_snapshot!(
        context.extbuild(&["verify", "oci:out:acme-1.0.0", "--trust", "trust.yaml"]).to_string()
    );
}

#[test]
fn key_that_may_not_sign_the_name() {
    let context = author();
    build(&context).ok();
    trust(&context, "[\"other-*\"]");
    context.extbuild(&["sign", "oci:out:acme-1.0.0", "--key", "key.pem"]).ok();
    insta::assert_snapshot!(context.extbuild(&["verify", "oci:out:acme-1.0.0", "--trust", "trust.yaml"]));
}

/// Makes a key and a policy that lets it sign `names`.
fn trust(context: &Context, names: &str) {
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    let key = fs::read_to_string(context.dir().join("key.pem.pub")).unwrap();
    let key: String = key.lines().map(|line| format!("      {line}\n")).collect();
    let policy = format!(
        "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n  - name: publisher\n    extensions: {names}\n    publicKey: |\n{key}"
    );
    context.write("trust.yaml", policy);
}

#[test]
fn tag_that_is_not_there() {
    let context = author();
    build(&context).ok();
    insta::assert_snapshot!(context.extbuild(&["inspect", "oci:out:acme-2.0.0"]));
}

#[test]
fn reference_that_is_none() {
    insta::assert_snapshot!(Context::new().extbuild(&["inspect", "oci:"]));
}

const SCHEMATIC: &str = "\
apiVersion: v1alpha1
kind: Schematic
base: base
machineConfig: machine.yaml
trust: trust.yaml
extensions: oci:out
";

#[test]
fn image_without_a_machine_config() {
    let context = author();
    context.write("schematic.yaml", SCHEMATIC);
    let args = ["compose", "schematic.yaml", "--runtime", "x", "-o", "out.iso"];
    insta::assert_snapshot!("config_file_missing", context.extfactory(&args));
    context.write("schematic.yaml", SCHEMATIC.replace("machineConfig: machine.yaml\n", ""));
    insta::assert_snapshot!("config_field_missing", context.extfactory(&args));
    context.write("schematic.yaml", SCHEMATIC);
    context.write("machine.yaml", "apiVersion: v1alpha1\nkind: SomethingElse\n");
    insta::assert_snapshot!("config_document_missing", context.extfactory(&args));
    assert!(!context.dir().join("out.iso").exists());
}

#[test]
fn patch_that_names_an_extension_twice() {
    let context = author();
    context.write("schematic.yaml", SCHEMATIC);
    context
        .write("machine.yaml", "apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions: [{name: acme}]\n");
    context.write(
        "p.yaml",
        "apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions: [{name: x}, {name: x}]\n",
    );
    let args = ["compose", "schematic.yaml", "--config-patch", "@p.yaml", "--runtime", "x", "-o", "out.iso"];
    insta::assert_snapshot!(context.extfactory(&args));
}

/// The examples in this checkout are inputs like any other.
#[test]
fn every_manifest_of_the_checkout_is_sound() {
    let folders = ["extensions", "examples/refused"].map(|folder| root().join(folder));
    let kernel = inputs().join("kernel").display().to_string();
    let debs = inputs().join("debs").display().to_string();
    let context = Context::new();
    let mut seen = 0;
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let manifest = entry.unwrap().path().join("extension.yaml").display().to_string();
            context.extbuild(&["check", &manifest, "--kernel", &kernel, "--source-dir", &debs]).ok();
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
}

/// What is signed has been read to its last byte (design rule: the signer judges the final bytes again).
#[test]
fn signing_an_image_that_has_changed() {
    let context = author();
    build(&context).ok();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    let facts = context.extbuild(&["inspect", "--json", "oci:out"]).ok();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let digest = facts["image"]["digest"].as_str().unwrap().trim_start_matches("sha256:");
    let blob = context.dir().join("out/blobs/sha256").join(digest);
    let mut bytes = fs::read(&blob).unwrap();
    bytes[200] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    let said = context.extbuild(&["sign", "oci:out", "--key", "key.pem"]);
    assert_eq!(said.code, Some(1), "{said}");
    fs::remove_file(&blob).unwrap();
    let said = context.extbuild(&["sign", "oci:out", "--key", "key.pem"]);
    assert_ne!(said.code, Some(0), "{said}");
    let facts = context.extbuild(&["inspect", "--json", "oci:out"]).ok();
    assert!(facts.contains("\"signatures\": []"), "{facts}");
}

/// A manifest whose only source is a file of this kind, name and content.
fn author_with(kind: &str, name: &str, bytes: impl AsRef<[u8]>) -> Context {
    let context = author();
    let file = context.write(name, bytes);
    let sum = context.run(std::process::Command::new("sha256sum").arg(file)).ok();
    let source = format!("{kind}: {name}\n    sha256: {}", &sum[..64]);
    context.write("extension.yaml", MANIFEST.replace("dir: files", &source));
    context
}

#[test]
fn source_outside_the_directory_of_the_manifest() {
    insta::assert_snapshot!(refused_manifest(&MANIFEST.replace("dir: files", "dir: files/../../etc")));
    let digest = "0".repeat(64);
    for origin in ["dir: /etc/apt".to_owned(), format!("file: /etc/passwd\n    sha256: {digest}")] {
        let said = refused_manifest(&MANIFEST.replace("dir: files", &origin));
        assert!(said.stderr.contains("is not below the directory of the manifest"), "{said}");
    }
}

#[test]
fn source_that_is_a_fifo() {
    let context = author();
    context.run(std::process::Command::new("mkfifo").arg("pipe")).ok();
    let source = format!("file: pipe\n    sha256: {}", "0".repeat(64));
    context.write("extension.yaml", MANIFEST.replace("dir: files", &source));
    insta::assert_snapshot!(refused(&context));
}

#[test]
fn file_with_capabilities() {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\0\0\x02"[..])]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(0);
    builder.append_data(&mut header, "ping", &[][..]).unwrap();
    insta::assert_snapshot!(refused(&author_with("tar", "a.tar", builder.into_inner().unwrap())));
}

/// A gigabyte of name in a few bytes of archive.
#[test]
fn archive_with_an_endless_name() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(1 << 30);
    header.set_cksum();
    insta::assert_snapshot!(refused(&author_with("tar", "a.tar", header.as_bytes())));
}

#[test]
fn a_single_file_can_be_a_program() {
    let context = author_with("file", "tool", "#!/bin/sh\n");
    let manifest = fs::read_to_string(context.dir().join("extension.yaml")).unwrap();
    let mode = |more: &str| {
        context.write("extension.yaml", format!("{manifest}{more}"));
        build(&context).ok();
        let facts = context.extbuild(&["inspect", "--json", "oci:out"]).ok();
        let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        let digest = facts["image"]["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let image = format!("out/blobs/sha256/{digest}");
        let listing = context.run(std::process::Command::new("unsquashfs").args(["-lls", &image])).ok();
        fs::remove_dir_all(context.dir().join("out")).unwrap();
        let file = listing.lines().find(|line| line.ends_with("/usr/share/acme")).unwrap();
        file.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(mode(""), "-rw-r--r--");
    assert_eq!(mode("    executable: true\n"), "-rwxr-xr-x");
}

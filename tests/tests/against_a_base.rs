//! An extension held against a base while it is built: what the base has is not shipped again, and what does not fit
//! is refused before it leaves the author's desk.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::process::Command;

use tests::{Context, inputs, root};

/// A base of the real kernel with two modules and one file, enough to be held against.
fn with_base(kernel: &str) -> Context {
    let context = Context::new();
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
modules: [udp_tunnel]
bootModules: [loop]
",
    );
    context.write("root/usr/share/acme/readme", "the base's own\n");
    let kernel = inputs().join(kernel).display().to_string();
    context.extbuild(&["base", "base.yaml", "--kernel", &kernel, "-o", "base"]).ok();
    context
}

fn names(modules: &serde_json::Value) -> Vec<&str> {
    modules.as_array().unwrap().iter().map(|module| module["name"].as_str().unwrap()).collect()
}

#[test]
fn modules_come_with_what_they_need_and_the_base_lacks() {
    let context = with_base("kernel");
    let manifest = root().join("extensions/wireguard/extension.yaml").display().to_string();
    let kernel = inputs().join("kernel").display().to_string();
    context.extbuild(&["build", &manifest, "--kernel", &kernel, "--base", "base", "-o", "oci:out"]).ok();
    let facts = context.extbuild(&["inspect", "--json", "oci:out"]).ok();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let modules = names(&facts["modules"]);
    assert!(modules.contains(&"wireguard") && modules.contains(&"ip6_udp_tunnel"), "{modules:?}");
    assert!(!modules.contains(&"udp_tunnel"), "the base has it: {modules:?}");
    // modprobe's own reader agrees about what wireguard.ko needs.
    let release = facts["config"]["kernel"].as_str().unwrap();
    let file = format!("{kernel}/lib/modules/{release}/kernel/drivers/net/wireguard/wireguard.ko");
    let needs = context.run(Command::new("modinfo").args(["-F", "depends", &file])).ok().replace('-', "_");
    for module in needs.split(',').filter(|module| *module != "udp_tunnel") {
        assert!(modules.contains(&module), "{module} is missing from {modules:?}");
    }
}

#[test]
fn the_base_keeps_its_facts_inside_its_root_image() {
    let context = with_base("kernel");
    let image = context.path("base/root.squashfs");
    for name in ["kabi.db", "paths", "modules.json"] {
        let place = format!("usr/lib/tenon/{name}");
        let inside = Command::new("unsquashfs").args(["-cat", &image, &place]).output().unwrap();
        let beside = std::fs::read(context.path(&format!("base/{name}"))).unwrap();
        assert!(inside.status.success() && inside.stdout == beside, "{name}");
    }
    let paths = std::fs::read_to_string(context.path("base/paths")).unwrap();
    for path in ["/usr/lib/tenon/paths", "/usr/share/acme/readme", "/proc/"] {
        assert!(paths.lines().any(|line| line == path), "{path} is not in the list");
    }
}

#[test]
fn a_path_that_the_base_has_is_refused() {
    let context = with_base("kernel");
    context.write("files/readme", "another one\n");
    context.write(
        "extension.yaml",
        "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.0.0
sources: {files: {dir: files}}
contents: [{from: files, to: /usr/share/acme}]
",
    );
    let said = context.extbuild(&["build", "extension.yaml", "--base", "base", "-o", "oci:out"]);
    assert!(!context.dir().join("out").exists());
    insta::assert_snapshot!(said);
}

/// A grant that nothing uses lets in something later that nobody looked at.
#[test]
fn a_grant_to_replace_what_the_base_lacks_is_refused() {
    let context = with_base("kernel");
    context.write("files/readme", "another one\n");
    context.write("files/notes", "new\n");
    let build = |grants: &str, base: &[&str]| {
        context.write(
            "extension.yaml",
            format!(
                "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.0.0
grants: [{grants}]
sources: {{files: {{dir: files}}}}
contents: [{{from: files, to: /usr/share/acme}}]
"
            ),
        );
        context.extbuild(&[&["build", "extension.yaml", "-o", "oci:out"], base].concat())
    };
    let (readme, notes) = ("\"replaces:/usr/share/acme/readme\"", "\"replaces:/usr/share/acme/notes\"");
    let said = build(&format!("{readme}, {notes}"), &["--base", "base"]);
    assert!(!context.dir().join("out").exists());
    insta::assert_snapshot!(said);
    // A directory is shared, and none can be replaced.
    let said = build(&format!("{readme}, \"replaces:/usr/share/acme\""), &["--base", "base"]);
    assert!(said.stderr.contains("the base small has no file"), "{said}");
    // Without a base nobody knows better.
    build(&format!("{readme}, {notes}"), &[]).ok();
    build(readme, &["--base", "base"]).ok();
}

#[test]
fn a_kernel_that_is_not_the_bases_is_refused() {
    let context = with_base("kernel");
    let manifest = root().join("extensions/wireguard/extension.yaml").display().to_string();
    let other = inputs().join("other-kernel").display().to_string();
    let said = context.extbuild(&["build", &manifest, "--kernel", &other, "--base", "base", "-o", "oci:out"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("but the base small runs 6.1."), "{said}");
}

#[test]
fn a_base_replaces_a_base_and_nothing_else() {
    let context = with_base("kernel");
    let build = |output: &str| {
        let kernel = inputs().join("kernel").display().to_string();
        context.extbuild(&["base", "base.yaml", "--kernel", &kernel, "-o", output])
    };
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(context.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let digest = build("base").ok();
    assert_eq!(build("base").ok(), digest);
    context.write("notes.txt", "precious");
    context.write("full/notes.txt", "precious");
    context.write("project/base.json", "{}");
    context.write("project/src/main.rs", "precious");
    std::fs::create_dir(context.dir().join("empty")).unwrap();
    let before = names();
    for occupied in ["notes.txt", "full", "project"] {
        let said = build(occupied);
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.stderr.contains(&format!("{occupied} is not empty and no base")), "{said}");
    }
    build("empty").ok();
    assert_eq!(names(), before, "something was left behind");
    assert!(context.dir().join("project/src/main.rs").exists());
    assert_eq!(std::fs::read_to_string(context.dir().join("notes.txt")).unwrap(), "precious");
}

#[test]
fn a_base_that_runs_alone_finds_its_modules_by_itself() {
    let context = with_base("kernel");
    let image = context.path("base/root.squashfs");
    context.run(Command::new("unsquashfs").args(["-d", "unpacked", &image])).ok();
    let base = std::fs::read(context.dir().join("base/base.json")).unwrap();
    let base: serde_json::Value = serde_json::from_slice(&base).unwrap();
    let release = base["kernel"].as_str().unwrap();
    // kmod looks into /lib; a base links that to /usr/lib.
    let root = context.path("unpacked/usr");
    let modprobe = |name: &str| {
        let mut modprobe = Command::new("modprobe");
        context
            .run(modprobe.args(["-C", "/dev/null", "-d", &root, "-S", release, "--show-depends", name]))
            .ok()
    };
    assert!(modprobe("udp_tunnel").contains("/udp_tunnel.ko"));
    assert!(modprobe("devname:loop-control").contains("/loop.ko"));
    assert_eq!(modprobe("ext4"), "builtin ext4");
}

/// Debian builds virtio into 6.12 and not into 6.1; one manifest does for both.
#[test]
fn a_module_that_is_built_in_needs_no_file() {
    for (kernel, is_file) in [("kernel", true), ("other-kernel", false)] {
        let context = with_base(kernel);
        let manifest = std::fs::read_to_string(context.dir().join("base.yaml")).unwrap();
        context.write("base.yaml", manifest.replace("[loop]", "[loop, virtio_pci]"));
        let kernel = inputs().join(kernel).display().to_string();
        context.extbuild(&["base", "base.yaml", "--kernel", &kernel, "-o", "base"]).ok();
        let json = std::fs::read(context.dir().join("base/base.json")).unwrap();
        let description: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let boots_with = |name: &str| description["bootModules"].as_array().unwrap().contains(&name.into());
        assert!(boots_with("loop") && boots_with("virtio_pci") == is_file, "{description}");
    }
}

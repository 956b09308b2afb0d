//! Files that run or steer something, through the builder as its users see it: refused where nobody declared them, with
//! the line to add, and named wherever an extension is looked at.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use tests::{Context, Said};

/// A file, what is in it, and the grants that it needs.
const HOOKS: [(&str, &str, &[&str]); 16] = [
    ("/usr/lib/udev/rules.d/70-acme.rules", "KERNEL==\"acme\", MODE=\"0660\"\n", &["udev-rules"]),
    (
        "/usr/lib/udev/rules.d/71-acme.rules",
        "RUN+=\"/usr/bin/acme\"\n",
        &["udev-rules", "udev-run:/usr/bin/acme"],
    ),
    ("/usr/lib/modprobe.d/acme.conf", "options acme x=1\n", &["modprobe-options:acme"]),
    ("/usr/lib/modprobe.d/evil.conf", "install acme /bin/sh\n", &["modprobe-install:acme"]),
    ("/usr/lib/modules-load.d/acme.conf", "acme\n", &["modules-load:acme"]),
    ("/usr/lib/systemd/system/acme.service", "[Service]\n", &["units:acme.service"]),
    ("/usr/lib/systemd/system/sshd.service.d/acme.conf", "[Service]\n", &["units:sshd.service"]),
    ("/usr/lib/systemd/system-generators/acme", "#!/bin/sh\n", &["generators:acme"]),
    ("/usr/lib/sysctl.d/acme.conf", "net.core.bpf_jit_harden = 1\n", &["sysctl:net.core.bpf_jit_harden"]),
    ("/usr/lib/tmpfiles.d/acme.conf", "d /run/acme 0755 root root -\n", &["tmpfiles:/run/acme"]),
    ("/usr/lib/sysusers.d/acme.conf", "u acme -\n", &["sysusers:acme"]),
    ("/usr/lib/binfmt.d/acme.conf", ":acme:E::acme::/usr/bin/acme:\n", &["binfmt:acme"]),
    ("/usr/etc/ld.so.conf.d/acme.conf", "/opt/acme/lib\n", &["ld-path:/opt/acme/lib"]),
    ("/usr/share/containers/containers.conf.d/acme.conf", "[engine]\n", &["cri:acme.conf"]),
    ("/opt/cni/bin/acme", "#!/bin/sh\n", &["cni:acme"]),
    (
        "/usr/share/dbus-1/system.d/acme.conf",
        "<busconfig/>\n",
        &["hooks:/usr/share/dbus-1/system.d/acme.conf"],
    ),
];

/// A manifest of one file at `path`, which declares these grants.
fn extension(context: &Context, path: &str, text: &str, grants: &[&str]) -> Said {
    context.write("file", text);
    let grants: Vec<String> = grants.iter().map(|grant| format!("\"{grant}\"")).collect();
    context.write(
        "extension.yaml",
        format!(
            "apiVersion: v1alpha1\nkind: Extension\nname: acme\nversion: 1.0.0\ngrants: [{}]\ngenerations: {{acme: 2}}\n\
             sources:\n  files: {{dir: .}}\ncontents:\n  - {{from: files, path: /file, to: {path}}}\n",
            grants.join(", ")
        ),
    );
    context.extbuild(&["build", "extension.yaml", "-o", "oci:out"])
}

#[test]
fn each_kind_of_hook_needs_its_grant() {
    for (path, text, grants) in HOOKS {
        let context = Context::new();
        let said = extension(&context, path, text, &[]);
        assert_eq!(said.code, Some(1), "{path}: {said}");
        for grant in grants {
            assert!(said.stderr.contains(grant), "{path} {grant}: {said}");
        }
        extension(&context, path, text, grants).ok();
        let facts = context.extbuild(&["inspect", "--json", "oci:out"]).ok();
        let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        assert_eq!(facts["config"]["grants"], serde_json::json!(grants), "{path}");
    }
}

#[test]
fn what_is_not_declared_is_said_with_its_place_and_the_line_to_add() {
    let context = Context::new();
    let rules = "# acme\nKERNEL==\"acme\", \\\n  RUN+=\"/usr/bin/acme --now\"\n";
    insta::assert_snapshot!(extension(&context, "/usr/lib/udev/rules.d/70-acme.rules", rules, &[]));
    let conf = "kernel.sysrq = 1\n";
    insta::assert_snapshot!(extension(&context, "/usr/lib/sysctl.d/acme.conf", conf, &[]));
}

#[test]
fn what_is_declared_for_nothing_is_refused() {
    let context = Context::new();
    let said = extension(&context, "/usr/share/acme/readme", "x", &["udev-rules", "units:acme.service"]);
    insta::assert_snapshot!(said);
}

#[test]
fn what_nobody_can_judge_is_refused_whatever_is_declared() {
    let context = Context::new();
    let path = "/usr/lib/modprobe.d/acme.conf";
    insta::assert_snapshot!(extension(&context, path, "\n include /etc/x\n", &["modprobe-options:x"]));
}

#[test]
fn who_signs_sees_what_it_carries() {
    let context = Context::new();
    extension(&context, "/usr/lib/sysctl.d/acme.conf", "kernel.sysrq=1", &["sysctl:kernel.sysrq"]).ok();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    let said = context.extbuild(&["sign", "oci:out", "--key", "key.pem"]);
    let summary = said.stderr.lines().next().unwrap_or_default().to_owned();
    assert!(summary.contains("carries sysctl:kernel.sysrq; generations acme 2"), "{said}");
}

#[test]
fn what_is_run_or_told_is_declared_too() {
    let context = Context::new();
    let manifest = |grants: &str, probes: &str| {
        context.write("file", "x");
        context.write(
            "extension.yaml",
            format!(
                "apiVersion: v1alpha1\nkind: Extension\nname: acme\nversion: 1.0.0\ngrants: [{grants}]\n\
                 sources:\n  files: {{dir: .}}\ncontents:\n  - {{from: files, path: /file, to: /usr/bin/acme}}\n\
                 probes:\n{probes}"
            ),
        );
        context.extbuild(&["build", "extension.yaml", "-o", "oci:out"])
    };
    let probes =
        "  - {run: [/usr/bin/acme, --works], within: 30}\n  - path: /sys/class/acme\n  - device: /dev/acme\n";
    insta::assert_snapshot!(manifest("", probes));
    insta::assert_snapshot!(manifest("\"probe-run:/usr/bin/other\"", "  - path: /usr/bin/acme\n"));
    manifest("\"probe-run:/usr/bin/acme\"", probes).ok();
    let facts = context.extbuild(&["inspect", "oci:out"]).ok();
    let shown = facts.lines().skip_while(|line| !line.contains("works if")).take(3);
    let shown: Vec<&str> = shown.map(|line| line.trim().trim_start_matches("works if").trim()).collect();
    let expected = ["/usr/bin/acme --works succeeds", "/sys/class/acme exists", "/dev/acme is a device"];
    assert_eq!(shown, expected);
}

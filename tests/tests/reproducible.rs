//! Same inputs, same bytes: whoever builds, wherever, in whatever mood.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tests::{Context, Said, from_xtask, inputs, root};

/// Builds in a directory of its own with another umask, time zone, language and order of files.
fn build(context: &Context, args: &str, umask: &str, zone: &str, locale: &str) -> Said {
    let script =
        format!("umask {umask}; exec {} build {args} -o oci:out", from_xtask("TENON_EXTBUILD").display());
    context.run(
        Command::new("sh").args(["-c", &script]).env("TZ", zone).env("LC_ALL", locale).env("LANG", locale),
    )
}

const MANIFEST: &str = "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.2.3
sources:
  files: {dir: files}
contents:
  - {from: files, to: /opt/acme}
";

fn author(context: &Context, names: &[&str], umask: u32) {
    context.write("extension.yaml", MANIFEST);
    for name in names {
        let file = context.write(&format!("files/{name}"), format!("content of {name}\n").repeat(500));
        let mode = if name.ends_with(".sh") { 0o777 } else { 0o666 };
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode & !umask)).expect("our own file");
    }
}

#[test]
fn a_build_does_not_depend_on_directory_umask_time_zone_locale_or_file_order() {
    let names = ["b/two", "a/one", "zebra.sh", "Äpfel", "c"];
    let (here, there) = (Context::new(), Context::new());
    author(&here, &names, 0o077);
    let mut backwards = names;
    backwards.reverse();
    author(&there, &backwards, 0o000);
    let one = build(&here, "extension.yaml", "077", "UTC", "C").ok();
    let two = build(&there, "extension.yaml", "000", "Pacific/Kiritimati", "tr_TR.UTF-8").ok();
    assert!(one.starts_with("sha256:"), "{one}");
    assert_eq!(one, two);
    // The comparison means something only if another content gives another digest.
    there.write("files/c", "other");
    assert_ne!(build(&there, "extension.yaml", "000", "UTC", "C").ok(), one);
}

#[test]
fn an_extension_with_modules_is_reproducible_too() {
    let args = format!(
        "{} --kernel {}",
        root().join("extensions/wireguard/extension.yaml").display(),
        inputs().join("kernel").display()
    );
    let (here, there) = (Context::new(), Context::new());
    let one = build(&here, &args, "077", "UTC", "C").ok();
    let two = build(&there, &args, "022", "Asia/Tokyo", "C.UTF-8").ok();
    assert_eq!(one, two);
}

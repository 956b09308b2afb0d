//! `extbuild kernel index` beside depmod.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tests::{Context, inputs};

/// The index of what one directory holds: some modules of the kernel and some of nobody's.
#[test]
fn the_index_of_a_directory_is_that_of_depmod() {
    let context = Context::new();
    let kernels = inputs().join("kernel/lib/modules");
    let kernel = fs::read_dir(kernels).unwrap().next().unwrap().unwrap().path().canonicalize().unwrap();
    let release = kernel.file_name().unwrap().to_str().unwrap();
    let modules = context.dir().join("lib/modules").join(release);
    fs::create_dir_all(modules.join("extra")).unwrap();
    symlink(kernel.join("modules.order"), modules.join("modules.order")).unwrap();
    symlink(kernel.join("modules.builtin"), modules.join("modules.builtin")).unwrap();
    copy(&kernel.join("kernel/crypto"), &modules.join("kernel/crypto"));
    copy(&kernel.join("kernel/net/ipv4"), &modules.join("kernel/net/ipv4"));
    // A link to a file is a module as well, and a link to a directory leads away.
    symlink(kernel.join("kernel/drivers/net/tun.ko"), modules.join("extra/tun.ko")).unwrap();
    symlink(kernel.join("kernel"), modules.join("build")).unwrap();

    let directory = modules.display().to_string();
    context.extbuild(&["kernel", "index", &directory, "-o", "index"]).ok();
    let depmod =
        Command::new("depmod").args(["-C", "/dev/null", "-b"]).arg(context.dir()).arg(release).status();
    assert!(depmod.unwrap().success());
    let mut compared = 0;
    for entry in fs::read_dir(context.dir().join("index")).unwrap() {
        let path = entry.unwrap().path();
        let theirs = fs::read(modules.join(path.file_name().unwrap())).unwrap();
        assert!(fs::read(&path).unwrap() == theirs, "{} differs from depmod's", path.display());
        compared += 1;
    }
    assert_eq!(compared, 9);
    let devices = fs::read_to_string(context.dir().join("index/modules.devname")).unwrap();
    assert!(devices.contains("tun net/tun c10:200\n"), "{devices}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_directory_that_is_called_otherwise_is_refused() {
    let context = Context::new();
    fs::create_dir(context.dir().join("some modules")).unwrap();
    let said = context.extbuild(&["kernel", "index", "some modules", "-o", "index"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("some modules is not named after a kernel release"), "{}", said.stderr);
    assert!(!context.dir().join("index").exists());
}

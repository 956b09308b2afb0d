//! The system's tools that the chores use, and the Debian packages that have them.

use std::fmt;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::LastLines;
use crate::progress::Task;
use crate::{Error, command};

/// Something of the system that a chore uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// How its presence shows.
    pub shows: Shows,
    /// The Debian package that has it.
    pub package: &'static str,
}

/// How the presence of a [`Tool`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// A program in `PATH` or an `sbin` directory.
    Program(&'static str),
    /// A file.
    File(&'static str),
}

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shows::Program(name) | Shows::File(name) => f.write_str(name),
        }
    }
}

const fn program(name: &'static str, package: &'static str) -> Tool {
    Tool { shows: Shows::Program(name), package }
}

/// To boot what `extfactory` composes.
pub const DEMO: &[Tool] = &[
    program("qemu-system-x86_64", "qemu-system-x86"),
    Tool { shows: Shows::File(crate::vm::FIRMWARE_CODE), package: "ovmf" },
    program("mkfs.ext4", "e2fsprogs"),
];

/// The independent readers and writers that the tests compare ours with.
pub const TEST: &[Tool] = &[
    program("bsdtar", "libarchive-tools"),
    program("cpio", "cpio"),
    program("gensquashfs", "squashfs-tools-ng"),
    program("mksquashfs", "squashfs-tools"),
    program("minisign", "minisign"),
    program("modinfo", "kmod"),
    program("mcopy", "mtools"),
    program("objcopy", "binutils"),
    program("openssl", "openssl"),
    program("sbsign", "sbsigntool"),
    program("sqfstar", "squashfs-tools"),
    program("strace", "strace"),
    program("tar", "tar"),
    program("unsquashfs", "squashfs-tools"),
    program("veritysetup", "cryptsetup-bin"),
    program("xorriso", "xorriso"),
    program("xz", "xz-utils"),
    program("zstd", "zstd"),
];

/// The writers of images that ours is measured against, and what measures them.
pub const BENCH: &[Tool] = &[
    Tool { shows: Shows::File("/usr/bin/time"), package: "time" },
    program("gensquashfs", "squashfs-tools-ng"),
    program("mkfs.erofs", "erofs-utils"),
    program("mksquashfs", "squashfs-tools"),
];

/// To load modules from images in a virtual machine, beside what [`BENCH`] has.
pub const BENCH_GUEST: &[Tool] =
    &[program("cpio", "cpio"), program("depmod", "kmod"), program("qemu-system-x86_64", "qemu-system-x86")];

/// The maker of module indexes that ours is measured against, and what measures them.
pub const BENCH_KABI: &[Tool] =
    &[Tool { shows: Shows::File("/usr/bin/time"), package: "time" }, program("depmod", "kmod")];

/// A registry, those that signatures and transfers are measured against, and what measures them.
pub const BENCH_TRUST: &[Tool] = &[
    Tool { shows: Shows::File("/usr/bin/time"), package: "time" },
    program("docker-registry", "docker-registry"),
    program("openssl", "openssl"),
    program("skopeo", "skopeo"),
];

/// What lays images over a system too, what our own is measured with, and what boots.
pub const BENCH_ACTIVATE: &[Tool] = &[
    Tool { shows: Shows::File("/usr/bin/time"), package: "time" },
    program("systemd-sysext", "systemd"),
    program("unsquashfs", "squashfs-tools"),
];

/// To ask kernels about modules in a virtual machine, and to make modules that they should refuse.
#[cfg(feature = "truth")]
pub const TRUTH: &[Tool] = &[
    program("cpio", "cpio"),
    program("depmod", "kmod"),
    program("openssl", "openssl"),
    program("qemu-system-x86_64", "qemu-system-x86"),
];

/// To build a module, with the compiler that Debian built both kernels with, and the library of their `objtool`.
#[cfg(feature = "truth")]
pub const TRUTH_BUILD: &[Tool] = &[
    program("gcc-12", "gcc-12"),
    program("make", "make"),
    Tool { shows: Shows::File("/usr/lib/x86_64-linux-gnu/libelf.so.1"), package: "libelf1" },
];

/// How long another apt or dpkg may hold its locks.
const LOCK_LIMIT: Duration = Duration::from_secs(180);

/// Makes sure that all `tools` are there: installs what is missing when root.
///
/// # Errors
/// [`Error::PackagesMissing`] when not root, [`Error::NotDebian`] without apt-get, [`Error::FailedQuietly`] with
/// apt's own words.
pub fn ensure(tools: &[&[Tool]]) -> Result<(), Error> {
    let missing = missing(tools.concat());
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<String> = missing.iter().map(|tool| tool.package.to_owned()).collect();
    packages.sort();
    packages.dedup();
    if command::find("apt-get").is_none() {
        return Err(Error::NotDebian(missing.iter().map(|tool| tool.shows.to_string()).collect()));
    }
    match command::is_root() {
        true => install(&packages),
        false => Err(Error::PackagesMissing(packages)),
    }
}

/// Makes sure that `programs` are there which every Debian has.
///
/// # Errors
/// [`Error::NotDebian`].
pub fn require(programs: &[&str]) -> Result<(), Error> {
    let missing: Vec<String> = programs
        .iter()
        .filter(|program| command::find(program).is_none())
        .map(|program| (*program).to_owned())
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::NotDebian(missing)),
    }
}

fn missing(tools: Vec<Tool>) -> Vec<Tool> {
    let there = |tool: &Tool| match tool.shows {
        Shows::Program(name) => command::find(name).is_some(),
        Shows::File(path) => Path::new(path).is_file(),
    };
    tools.into_iter().filter(|tool| !there(tool)).collect()
}

/// Installs, and brings the package lists up to date only if it does not work without: they may be missing in a
/// fresh container, or name versions that the archive no longer has.
fn install(packages: &[String]) -> Result<(), Error> {
    let task = Task::spin(format!("installing {}", packages.join(" ")));
    let mut install = apt_get(&["install", "--yes", "--no-install-recommends"]);
    install.args(packages);
    if !patiently(&mut install)?.status.success() {
        must(&mut apt_get(&["update"]))?;
        must(&mut install)?;
    }
    task.finish("done");
    Ok(())
}

fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(args).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn must(command: &mut Command) -> Result<(), Error> {
    let output = patiently(command)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::FailedQuietly {
            command: command::line(command),
            status: output.status,
            said: LastLines::of(&command::said(&output)),
        }),
    }
}

/// Runs apt-get, again and again while another program holds a lock of apt or dpkg, for at most [`LOCK_LIMIT`].
fn patiently(apt: &mut Command) -> Result<Output, Error> {
    let started = Instant::now();
    loop {
        let output = command::capture(apt)?;
        // apt-pkg/contrib/fileutl.cc and apt-pkg/deb/debsystem.cc have no exit code of their own for this.
        let locked = command::said(&output).contains("Could not get lock");
        if output.status.success() || !locked || started.elapsed() >= LOCK_LIMIT {
            return Ok(output);
        }
        thread::sleep(Duration::from_secs(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_missing() {
        let nothing = program("no-such-program-of-tenon", "p");
        let no_file = Tool { shows: Shows::File("/no/such/file"), package: "f" };
        assert_eq!(missing(vec![program("sh", "dash"), nothing, no_file]), [nothing, no_file]);
        let error = require(&["sh", "no-such-program-of-tenon"]).unwrap_err();
        assert!(error.to_string().ends_with(": no-such-program-of-tenon"), "{error}");
    }
}

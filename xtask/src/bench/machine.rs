//! The facts of machine and programs without which a figure says little.

use std::fs;
use std::process::Command;
use std::thread;

use crate::{Error, command};

/// One line on the machine and one on the versions of these Debian packages.
///
/// # Errors
/// [`Error::File`], and those of [`command::read`].
pub(super) fn facts(packages: &[&str]) -> Result<String, Error> {
    let read = |path: &'static str| fs::read_to_string(path).map_err(Error::file("read", path));
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let processor = field(&read("/proc/cpuinfo")?, "model name").unwrap_or("unknown").to_owned();
    let memory = field(&read("/proc/meminfo")?, "MemTotal").and_then(gibibytes).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease")?;
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${Version}\n"]).args(packages);
    let programs = command::read(&mut query)?;
    Ok(format!(
        "Machine: {processor}, {cores} cores, {memory} GiB of memory, Linux {}.\n\
         Programs: {}, of Debian.\n",
        upstream(&kernel),
        programs.lines().collect::<Vec<_>>().join(", "),
    ))
}

/// The kernel's own version, without what a builder has appended.
fn upstream(release: &str) -> &str {
    release.trim().split('-').next().unwrap_or_default()
}

/// The value of the first line that has this name before its colon.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then_some(value.trim())
    })
}

/// `24064352 kB`, which is in units of 1024 bytes (proc(5)), to the nearest GiB.
fn gibibytes(value: &str) -> Option<u64> {
    let kibibytes: u64 = value.strip_suffix(" kB")?.parse().ok()?;
    Some((kibibytes + (1 << 19)) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_the_kernel_writes_them() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: B\n";
        assert_eq!(field(cpuinfo, "model name"), Some("A Processor @ 2 GHz"));
        assert_eq!(field("MemTotal:       24064352 kB\n", "MemTotal").and_then(gibibytes), Some(23));
        assert_eq!(upstream("6.1.0-56-amd64\n"), "6.1.0");
    }
}

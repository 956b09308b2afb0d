//! A mount namespace of its own, in which programs run without changing what others see.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::{Error, command};

/// How long the namespace may take to appear; it takes a millisecond on a quiet machine.
const LIMIT: Duration = Duration::from_secs(10);

/// The namespace. Whatever is mounted in it goes with this value.
#[derive(Debug)]
pub(super) struct Namespace(Child);

impl Namespace {
    /// Makes one with a `/run` of its own, which activation and systemd-sysext both write to.
    pub(super) fn new() -> Result<Namespace, Error> {
        let mut keeper = Command::new("unshare");
        keeper.args(["--mount", "--propagation", "private", "--", "sleep", "infinity"]);
        keeper.stdin(Stdio::null());
        let start = keeper.spawn();
        let keeper = start.map_err(|cause| Error::Start { program: "unshare".to_owned(), cause })?;
        let namespace = Namespace(keeper);
        namespace.wait()?;
        // systemd-sysext mounts in a namespace below this one, and what it mounts comes up where mounts are shared, as
        // systemd makes them. Nobody outside shares these.
        command::read(&mut namespace.enter("mount", &["--make-rshared", "/"]))?;
        command::read(&mut namespace.enter("mount", &["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]))?;
        Ok(namespace)
    }

    /// A program that is going to run in it. Going in takes about a millisecond, for whoever does.
    pub(super) fn enter(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut enter = Command::new("nsenter");
        enter.arg(format!("--mount={}", self.file())).arg("--").arg(program).args(arguments);
        enter
    }

    /// A path as it is seen from inside, for programs outside.
    pub(super) fn seen(&self, path: &Path) -> std::path::PathBuf {
        let below = path.strip_prefix("/").unwrap_or(path);
        Path::new("/proc").join(self.0.id().to_string()).join("root").join(below)
    }

    fn file(&self) -> String {
        format!("/proc/{}/ns/mnt", self.0.id())
    }

    fn wait(&self) -> Result<(), Error> {
        let ours = fs::read_link("/proc/self/ns/mnt").ok();
        let started = Instant::now();
        while fs::read_link(self.file()).ok() == ours {
            if started.elapsed() > LIMIT {
                return Err(Error::Bench("unshare makes no mount namespace".to_owned()));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! The first process of the machines that `cargo xtask truth` boots: it asks the kernel to load modules and says on the
//! serial console what the kernel answered.
//!
//! `/questions` of the initramfs has one question a line, in the order in which they are asked: `ID keep` or
//! `ID drop NAME`, where a module that was loaded is removed again by its name. The module of a question is
//! `/modules/ID.ko`. What is said, each a line of its own:
//!
//! ```text
//! TRUTH state WHAT VALUE   once each: what the kernel says about itself
//! TRUTH ask ID             before the question; if it is the last line, the question ended the machine
//! TRUTH log ID TEXT        a message of the kernel's since then
//! TRUTH end ID ERRNO       0 if the module was loaded; "hangs" if there was no answer in time
//! TRUTH stays ID ERRNO     the module could not be removed
//! TRUTH done               after the last question
//! ```

mod kernel_log;

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, delete_module, finit_module, reboot};

use kernel_log::KernelLog;

/// Emulated, no module of a kernel's own takes a tenth of it.
const LIMIT: Duration = Duration::from_secs(60);

/// Kernel file systems, and where they are mounted.
const MOUNTS: [(&str, &str); 3] =
    [("devtmpfs", "/dev"), ("sysfs", "/sys"), ("securityfs", "/sys/kernel/security")];

/// What is told about the kernel, and the files that have it.
const STATE: [(&str, &str); 2] = [
    ("sig_enforce", "/sys/module/module/parameters/sig_enforce"),
    ("lockdown", "/sys/kernel/security/lockdown"),
];

fn main() {
    if let Err(error) = mount_all().and_then(|()| answer_all()) {
        // Where there is no console, the machine ends without a last line, which says enough.
        let _ = console().and_then(|mut console| say(&mut console, &format!("error {error}")));
    }
    // If the kernel says no, the end of this process ends the machine as well.
    let _ = reboot(RebootCommand::PowerOff);
}

fn mount_all() -> io::Result<()> {
    for (kind, place) in MOUNTS {
        mount(kind, place, kind, MountFlags::empty(), None)?;
    }
    Ok(())
}

/// The first serial port. The kernel prints emergencies there, and nothing else (`loglevel=1`).
fn console() -> io::Result<File> {
    File::options().write(true).open("/dev/ttyS0")
}

fn answer_all() -> io::Result<()> {
    let mut console = console()?;
    let mut log = KernelLog::open()?;
    for (what, file) in STATE {
        let value = fs::read_to_string(file)?;
        say(&mut console, &format!("state {what} {}", value.trim()))?;
    }
    for question in fs::read_to_string("/questions")?.lines() {
        let words: Vec<&str> = question.split(' ').collect();
        let (id, name) = match words[..] {
            [id, "keep"] => (id, None),
            [id, "drop", name] => (id, Some(name)),
            _ => return Err(io::Error::other(format!("question \"{question}\""))),
        };
        log.forget()?;
        say(&mut console, &format!("ask {id}"))?;
        let answer = load(format!("/modules/{id}.ko"));
        for message in log.since()? {
            say(&mut console, &format!("log {id} {message}"))?;
        }
        match answer {
            Some(errno) => say(&mut console, &format!("end {id} {errno}"))?,
            None => say(&mut console, &format!("end {id} hangs"))?,
        }
        if let (Some(0), Some(name)) = (answer, name) {
            remove(&mut console, id, name)?;
        }
    }
    say(&mut console, "done")
}

/// One write for one line, so that nothing comes between.
fn say(console: &mut File, line: &str) -> io::Result<()> {
    console.write_all(format!("TRUTH {line}\n").as_bytes())
}

/// Loads a module in a thread of its own, which stays behind if the module's start does not end. Returns the error
/// number, or 0.
fn load(path: String) -> Option<i32> {
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || {
        let result = File::open(path).map_err(|error| error.raw_os_error().unwrap_or(-1));
        let result = result.and_then(|file| finit_module(&file, c"", 0).map_err(Errno::raw_os_error));
        // Nobody listens any more if it took too long.
        let _ = sender.send(result.err().unwrap_or(0));
    });
    answer.recv_timeout(LIMIT).ok()
}

/// Removes the module, and waits for nobody who uses it (delete_module(2), `O_NONBLOCK`).
fn remove(console: &mut File, id: &str, name: &str) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let name = CString::new(name).map_err(io::Error::other)?;
    match delete_module(&name, flags) {
        Ok(()) => Ok(()),
        Err(errno) => say(console, &format!("stays {id} {}", errno.raw_os_error())),
    }
}

//! Boots an image in QEMU and listens to its serial console.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{BootEnd, LastLines};
use crate::{Error, command};

/// UEFI firmware of Debian's package ovmf, and its empty variables.
pub const FIRMWARE_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const FIRMWARE_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// The same with Secure Boot; it keeps its variables where only system management mode can write.
const SECURE_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";

/// What starts a machine.
#[derive(Debug, Clone)]
pub enum Start {
    /// UEFI, which finds everything on the image.
    Uefi,
    /// UEFI that starts only what it knows the key of.
    SecureBoot {
        /// The variables of the firmware, with its keys; only read.
        variables: PathBuf,
    },
    /// A legacy BIOS, and QEMU in the place of a boot loader.
    Bios {
        /// The kernel.
        kernel: PathBuf,
        /// Its initramfs.
        initramfs: PathBuf,
        /// Its command line.
        arguments: String,
    },
}

/// A disk that a machine may write to.
#[derive(Debug, Clone)]
pub enum Disk {
    /// A file with its content.
    File(PathBuf),
    /// A server of the NBD protocol, at a socket.
    Nbd(PathBuf),
}

/// A line longer than this is passed on in pieces: a guest's output is not to be trusted.
const LONGEST_LINE: u64 = 64 * 1024;

/// An image to boot, and where its console goes.
#[derive(Debug, Clone)]
pub struct Vm {
    /// What starts it.
    pub start: Start,
    /// The ISO; only read.
    pub iso: PathBuf,
    /// A disk that the machine may write to.
    pub disk: Option<Disk>,
    /// Takes everything that the machine prints.
    pub console: PathBuf,
    /// When to give up.
    pub limit: Duration,
}

impl Vm {
    /// Boots until the machine prints a line that ends with `awaited`, then turns it off. `on_line` sees every line
    /// as it comes. Returns the console's text.
    ///
    /// # Errors
    /// [`Error::Boot`] if the machine stops or the limit passes before that, [`Error::Start`], [`Error::File`].
    pub fn boot(&self, awaited: &str, on_line: impl FnMut(&str)) -> Result<String, Error> {
        listen(&mut self.qemu(), &self.console, self.limit, awaited, on_line)
    }

    /// Emulated (TCG) on purpose: where there is KVM, it may be one that runs no stock kernel. The disc hangs on
    /// virtio-scsi because Debian's cloud kernels have no AHCI.
    fn qemu(&self) -> Command {
        let disc = format!("if=none,id=disc,media=cdrom,format=raw,readonly=on,file={}", escaped(&self.iso));
        let mut qemu = match &self.start {
            Start::Bios { kernel, initramfs, arguments } => direct(kernel, initramfs, arguments),
            Start::Uefi => flashed("q35", FIRMWARE_CODE, Path::new(FIRMWARE_VARIABLES)),
            Start::SecureBoot { variables } => {
                let mut qemu = flashed("q35,smm=on", SECURE_CODE, variables);
                qemu.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
                qemu
            }
        };
        qemu.args(["-device", "virtio-scsi-pci", "-drive", &disc, "-device", "scsi-cd,drive=disc"]);
        match &self.disk {
            None => &mut qemu,
            Some(Disk::File(file)) => {
                qemu.args(["-drive", &format!("if=virtio,format=raw,file={}", escaped(file))])
            }
            Some(Disk::Nbd(socket)) => {
                let server =
                    format!("driver=nbd,node-name=disk,server.type=unix,server.path={}", escaped(socket));
                qemu.args(["-blockdev", &server, "-device", "virtio-blk-pci,drive=disk"])
            }
        };
        qemu
    }
}

/// QEMU with a kernel that it starts by itself, without firmware; one processor, emulated as in [`Vm`].
pub(crate) fn direct(kernel: &Path, initramfs: &Path, arguments: &str) -> Command {
    let mut qemu = emulated("q35");
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs).args(["-append", arguments]);
    qemu
}

/// A machine with firmware and its variables. Those that it writes go to a temporary file of QEMU's and vanish with it.
fn flashed(machine: &str, code: &str, variables: &Path) -> Command {
    let mut qemu = emulated(machine);
    let flash = |file: &str, rest: &str| format!("if=pflash,format=raw,file={file},{rest}");
    qemu.args(["-drive", &flash(code, "unit=0,readonly=on")]);
    qemu.args(["-drive", &flash(&escaped(variables), "unit=1,snapshot=on")]);
    qemu
}

/// A machine with a serial console and nothing to start.
fn emulated(machine: &str) -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-machine", machine, "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024"]);
    qemu.args(["-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]);
    qemu
}

/// Packs the directory `root` as an initramfs.
pub(crate) fn pack_initramfs(root: &Path, archive: &Path) -> Result<(), Error> {
    let mut cpio = Command::new("sh");
    cpio.args(["-c", "find . | cpio --quiet --create --format=newc > \"$0\""]).arg(archive).current_dir(root);
    command::read(&mut cpio).map(drop)
}

/// QEMU ends an option's value at a comma, and reads two as one (qemu(1), "-drive").
pub(crate) fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// What one of the two listening threads heard.
enum Heard {
    Console(Vec<u8>),
    Complaint(Vec<u8>),
}

/// Runs QEMU, or what stands for it in a test, until it prints a line that ends with `awaited`; as [`Vm::boot`].
pub(crate) fn listen(
    program: &mut Command,
    console: &Path,
    limit: Duration,
    awaited: &str,
    mut on_line: impl FnMut(&str),
) -> Result<String, Error> {
    if let Some(dir) = console.parent() {
        fs::create_dir_all(dir).map_err(Error::file("create", dir))?;
    }
    let mut file = File::create(console).map_err(Error::file("create", console))?;
    let started = Instant::now();
    let (guest, heard) = Guest::start(program)?;
    let (mut text, mut complaints) = (String::new(), String::new());
    let how = loop {
        match heard.recv_timeout(limit.saturating_sub(started.elapsed())) {
            Ok(Heard::Console(bytes)) => {
                file.write_all(&bytes).map_err(Error::file("write", console))?;
                let line = String::from_utf8_lossy(&bytes);
                text.push_str(&line);
                on_line(line.trim_end());
                if line.trim_end().ends_with(awaited) {
                    return Ok(text);
                }
            }
            Ok(Heard::Complaint(bytes)) => complaints.push_str(&String::from_utf8_lossy(&bytes)),
            Err(RecvTimeoutError::Timeout) => break BootEnd::TimedOut(limit),
            Err(RecvTimeoutError::Disconnected) => break BootEnd::Stopped,
        }
    };
    drop(guest);
    // What came without an end of line has been waiting for one.
    for rest in heard {
        match rest {
            Heard::Console(bytes) => {
                file.write_all(&bytes).map_err(Error::file("write", console))?;
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            Heard::Complaint(bytes) => complaints.push_str(&String::from_utf8_lossy(&bytes)),
        }
    }
    let said = LastLines::of(&format!("{text}\n{complaints}"));
    Err(Error::Boot { how, awaited: awaited.to_owned(), console: console.to_owned(), said })
}

/// A running program that does not outlive this value, on any way out.
struct Guest(Child);

impl Guest {
    /// Starts the program without input and hears both its streams; the channel closes when it has ended.
    fn start(program: &mut Command) -> Result<(Guest, Receiver<Heard>), Error> {
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = program.spawn().map_err(|cause| Error::Start {
            program: program.get_program().to_string_lossy().into_owned(),
            cause,
        })?;
        let mut guest = Guest(child);
        let (sender, heard) = mpsc::channel();
        if let (Some(out), Some(err)) = (guest.0.stdout.take(), guest.0.stderr.take()) {
            let errors = sender.clone();
            thread::spawn(move || hear(out, &sender, Heard::Console));
            thread::spawn(move || hear(err, &errors, Heard::Complaint));
        }
        Ok((guest, heard))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Passes lines on until the stream ends or nobody listens.
fn hear(stream: impl Read, sender: &Sender<Heard>, kind: impl Fn(Vec<u8>) -> Heard) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if sender.send(kind(line)).is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell script in the place of QEMU.
    fn play(script: &str, limit: Duration) -> (Result<String, Error>, String) {
        let dir = tempfile::tempdir().unwrap();
        let console = dir.path().join("made/console.log");
        let mut seen = String::new();
        let result = listen(Command::new("sh").args(["-c", script]), &console, limit, "== END ==", |line| {
            seen.push_str(line);
            seen.push('|');
        });
        let written = fs::read_to_string(&console).unwrap();
        if let Ok(text) = &result {
            assert_eq!(*text, written);
        }
        (result, seen)
    }

    fn end_of(result: Result<String, Error>) -> (BootEnd, String) {
        match result {
            Err(Error::Boot { how, said, .. }) => (how, said.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_machine_is_turned_off_at_the_awaited_line() {
        let started = Instant::now();
        let (result, seen) = play("printf 'a\\r\\n== END ==\\r\\n'; exec sleep 60", Duration::from_secs(30));
        assert_eq!(result.unwrap(), "a\r\n== END ==\r\n");
        assert_eq!(seen, "a|== END ==|");
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_machine_that_stops_early_is_an_error_with_its_last_words() {
        let (result, _) = play("echo booting; echo complaint >&2; exit 1", Duration::from_secs(30));
        assert_eq!(end_of(result), (BootEnd::Stopped, "booting\ncomplaint".to_owned()));
    }

    #[test]
    fn a_machine_that_hangs_is_turned_off_at_the_limit() {
        let limit = Duration::from_millis(300);
        let (result, _) = play("printf 'prompt> '; exec sleep 60", limit);
        assert_eq!(end_of(result), (BootEnd::TimedOut(limit), "prompt>".to_owned()));
    }

    #[test]
    fn a_comma_in_the_path_does_not_end_the_option() {
        assert_eq!(escaped(Path::new("a,b.iso")), "a,,b.iso");
    }
}

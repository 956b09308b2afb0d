//! Device-mapper, as far as it takes to show one read-only target (linux/dm-ioctl.h).

use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::ioctl::{self, Opcode, Updater};

/// Where device-mapper is told what to do.
const CONTROL: &str = "/dev/mapper/control";

/// `_IOWR(DM_IOCTL, command, struct dm_ioctl)`, with `DM_IOCTL` 0xfd: direction 3 in the top two bits, the size of the
/// structure in the next 14 (asm-generic/ioctl.h).
const fn opcode(command: u32) -> Opcode {
    (3 << 30 | (size_of::<Header>() as u32) << 16 | 0xfd << 8 | command) as Opcode
}
/// `DM_DEV_CREATE_CMD`, and so on, in the order of the enumeration in linux/dm-ioctl.h.
const CREATE: Opcode = opcode(3);
const REMOVE: Opcode = opcode(4);
const SUSPEND: Opcode = opcode(6);
const LOAD: Opcode = opcode(9);
const TARGET_VERSION: Opcode = opcode(17);

/// `DM_READONLY_FLAG`.
const READ_ONLY: u32 = 1 << 0;
/// `DM_DEFERRED_REMOVE`: the device goes when its last user does.
const DEFERRED: u32 = 1 << 17;
/// The interface that this is written for: major version 4 since Linux 2.6, and the minor one that has
/// `DM_GET_TARGET_VERSION` (4.41, Linux 5.4).
const VERSION: [u32; 3] = [4, 41, 0];
/// `DM_NAME_LEN`, `DM_UUID_LEN` and `DM_MAX_TYPE_NAME`.
const NAME_LEN: usize = 128;
const UUID_LEN: usize = 129;
const KIND_LEN: usize = 16;
/// Room for the parameters of a target: ours have under 300 bytes.
const PARAMETERS_LEN: usize = 1024;

/// linux/dm-ioctl.h:
/// ```c
/// struct dm_ioctl {
///     __u32 version[3], data_size, data_start, target_count;
///     __s32 open_count;
///     __u32 flags, event_nr, padding;
///     __u64 dev;
///     char name[DM_NAME_LEN], uuid[DM_UUID_LEN], data[7];
/// };
/// ```
#[repr(C)]
struct Header {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_nr: u32,
    padding: u32,
    dev: u64,
    name: [u8; NAME_LEN],
    uuid: [u8; UUID_LEN],
    data: [u8; 7],
}

/// linux/dm-ioctl.h:
/// ```c
/// struct dm_target_spec {
///     __u64 sector_start, length;
///     __s32 status;
///     __u32 next;
///     char target_type[DM_MAX_TYPE_NAME];
/// };
/// ```
#[repr(C)]
struct Spec {
    sector_start: u64,
    length: u64,
    status: i32,
    next: u32,
    kind: [u8; KIND_LEN],
}

/// A request with one target; its parameters follow the specification as a string with a NUL.
#[repr(C)]
struct Request {
    header: Header,
    spec: Spec,
    parameters: [u8; PARAMETERS_LEN],
}

/// What a device shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The type of the target.
    pub(crate) kind: &'a str,
    /// How large the device is, in sectors of 512 bytes.
    pub(crate) sectors: u64,
    /// What the target is told.
    pub(crate) parameters: &'a str,
}

/// The control device.
#[derive(Debug)]
pub(crate) struct Mapper(File);

/// A device that is removed when nobody uses it any more.
#[derive(Debug)]
pub(crate) struct Mapped {
    file: File,
    path: PathBuf,
}

impl Mapper {
    /// Opens the control device.
    pub(crate) fn open() -> io::Result<Mapper> {
        File::options().read(true).write(true).open(CONTROL).map(Mapper)
    }

    /// Does the kernel have this kind of target?
    pub(crate) fn has_target(&self, kind: &str) -> bool {
        // For this command the name is that of a target.
        let asked = Request::named(kind).map(|mut request| self.ask::<TARGET_VERSION>(&mut request));
        asked.is_ok_and(|answer| answer.is_ok())
    }

    /// Makes a read-only device with this target. `name` is completed so that no two are alike.
    pub(crate) fn create(&self, name: &str, target: &Target<'_>) -> io::Result<Mapped> {
        let name = unique(name);
        let mut request = Request::named(&name)?;
        self.ask::<CREATE>(&mut request)?;
        let device = request.header.dev;
        let opened = self.load(&name, target).and_then(|()| Mapped::open(device));
        // From here on the device lives as long as somebody has it open; at once, where nobody has.
        let mut request = Request::named(&name)?;
        request.header.flags = DEFERRED;
        let removed = self.ask::<REMOVE>(&mut request);
        let mapped = opened?;
        removed.map(|()| mapped)
    }

    fn load(&self, name: &str, target: &Target<'_>) -> io::Result<()> {
        let mut request = Request::named(name)?;
        request.header.flags = READ_ONLY;
        request.header.target_count = 1;
        request.spec.length = target.sectors;
        fill(&mut request.spec.kind, target.kind)?;
        fill(&mut request.parameters, target.parameters)?;
        self.ask::<LOAD>(&mut request)?;
        // Without DM_SUSPEND_FLAG the command resumes, which makes the loaded table the one that counts.
        self.ask::<SUSPEND>(&mut Request::named(name)?)
    }

    fn ask<const COMMAND: Opcode>(&self, request: &mut Request) -> io::Result<()> {
        // SAFETY: each command takes a struct dm_ioctl and reads and writes at most `data_size` bytes from its start on,
        // which is the size of Request; the layouts are those of the header, and every bit pattern is a valid Request.
        unsafe { ioctl::ioctl(&self.0, Updater::<COMMAND, Request>::new(request)) }?;
        Ok(())
    }
}

impl Mapped {
    /// devtmpfs has a node for each device by the time that it can be used.
    fn open(device: u64) -> io::Result<Mapped> {
        // The kernel's `huge_encode_dev` (linux/kdev_t.h): the minor number is in bits 0 to 7 and 20 to 31.
        let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
        let path = PathBuf::from(format!("/dev/dm-{minor}"));
        Ok(Mapped { file: File::open(&path)?, path })
    }

    /// The open device.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The device node.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Request {
    fn named(name: &str) -> io::Result<Request> {
        let mut request = Request {
            header: Header {
                version: VERSION,
                data_size: size_of::<Request>() as u32,
                data_start: offset_of!(Request, spec) as u32,
                target_count: 0,
                open_count: 0,
                flags: 0,
                event_nr: 0,
                padding: 0,
                dev: 0,
                name: [0; NAME_LEN],
                uuid: [0; UUID_LEN],
                data: [0; 7],
            },
            spec: Spec { sector_start: 0, length: 0, status: 0, next: 0, kind: [0; KIND_LEN] },
            parameters: [0; PARAMETERS_LEN],
        };
        fill(&mut request.header.name, name)?;
        Ok(request)
    }
}

/// Names of devices are unique in the whole system, and the same image may be open twice.
fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Copies a text and leaves at least one NUL behind it.
fn fill(field: &mut [u8], text: &str) -> io::Result<()> {
    if text.len() >= field.len() || text.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    field[..text.len()].copy_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_and_commands_are_the_kernels() {
        // sizeof in C on every 64-bit architecture, and DM_TABLE_LOAD as strace prints it.
        assert_eq!((size_of::<Header>(), size_of::<Spec>()), (312, 40));
        assert_eq!(offset_of!(Request, spec), 312);
        assert_eq!(LOAD, 0xc138_fd09);
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let mut field = [0; 4];
        assert!(fill(&mut field, "four").is_err() && fill(&mut field, "a\0b").is_err());
        assert_eq!(field, [0; 4]);
        fill(&mut field, "abc").unwrap();
        assert_eq!(&field, b"abc\0");
    }
}

//! Loop devices: a read-only block device over an open file.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::ioctl::{self, Ioctl, IoctlOutput, Opcode, Setter};
use spec::defence::{self, Threat};

/// `#define LOOP_CONFIGURE 0x4C0A` (linux/loop.h, since Linux 5.8).
const LOOP_CONFIGURE: Opcode = 0x4C0A;
/// `#define LOOP_CTL_GET_FREE 0x4C82` (linux/loop.h).
const LOOP_CTL_GET_FREE: Opcode = 0x4C82;
/// `LO_FLAGS_READ_ONLY = 1` (linux/loop.h).
const READ_ONLY: u32 = 1;
/// `LO_FLAGS_AUTOCLEAR = 4` (linux/loop.h): the device lets the file go when the last user closes it.
const AUTOCLEAR: u32 = 4;
/// `#define LO_NAME_SIZE 64` and `#define LO_KEY_SIZE 32` (linux/loop.h).
const NAME_SIZE: usize = 64;
const KEY_SIZE: usize = 32;
/// Another program may take the free device between the two calls; this often we ask for the next one.
const ATTEMPTS: usize = 16;

/// linux/loop.h:
/// ```c
/// struct loop_info64 {
///     __u64 lo_device, lo_inode, lo_rdevice, lo_offset, lo_sizelimit;
///     __u32 lo_number, lo_encrypt_type, lo_encrypt_key_size, lo_flags;
///     __u8  lo_file_name[LO_NAME_SIZE], lo_crypt_name[LO_NAME_SIZE], lo_encrypt_key[LO_KEY_SIZE];
///     __u64 lo_init[2];
/// };
/// ```
#[repr(C)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; NAME_SIZE],
    crypt_name: [u8; NAME_SIZE],
    encrypt_key: [u8; KEY_SIZE],
    init: [u64; 2],
}

/// linux/loop.h:
/// ```c
/// struct loop_config {
///     __u32 fd, block_size;
///     struct loop_info64 info;
///     __u64 __reserved[8];
/// };
/// ```
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

/// A loop device that serves a file for as long as this, or a mount of it, lives.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    /// Held open, for an unused autoclear device is torn down at its last close.
    _device: File,
    path: PathBuf,
}

impl LoopDevice {
    /// Attaches `backing` read-only to a free loop device.
    pub(crate) fn attach(backing: impl AsFd) -> io::Result<LoopDevice> {
        let control = File::options().read(true).write(true).open("/dev/loop-control")?;
        for _ in 0..ATTEMPTS {
            // SAFETY: GetFree describes LOOP_CTL_GET_FREE, which takes no argument and touches no user memory.
            let number = unsafe { ioctl::ioctl(&control, GetFree) }?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = File::open(&path)?;
            match configure(&device, &backing) {
                Ok(()) => return Ok(LoopDevice { _device: device, path }),
                Err(Errno::BUSY) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::BUSY.into())
    }

    /// The device node.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn configure(device: &File, backing: &impl AsFd) -> Result<(), Errno> {
    let autoclear = if defence::stands(Threat::D3) { AUTOCLEAR } else { 0 };
    let info = LoopInfo64 {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: READ_ONLY | autoclear,
        file_name: [0; NAME_SIZE],
        crypt_name: [0; NAME_SIZE],
        encrypt_key: [0; KEY_SIZE],
        init: [0; 2],
    };
    let fd = u32::try_from(backing.as_fd().as_raw_fd()).map_err(|_| Errno::BADF)?;
    // A block size of 0 leaves the kernel's default.
    let config = LoopConfig { fd, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: LOOP_CONFIGURE reads one `struct loop_config`, whose layout LoopConfig has, and writes nothing back;
    // the kernel takes its own reference to the backing file.
    unsafe { ioctl::ioctl(device, Setter::<LOOP_CONFIGURE, LoopConfig>::new(config)) }
}

/// `LOOP_CTL_GET_FREE`: its return value is the number of a free device.
struct GetFree;

// SAFETY: the call takes no argument, writes no user memory, and its result is the plain return value.
unsafe impl Ioctl for GetFree {
    type Output = i32;
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        LOOP_CTL_GET_FREE
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(number: IoctlOutput, _: *mut std::ffi::c_void) -> rustix::io::Result<i32> {
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_have_the_kernels_sizes() {
        // sizeof in C on every 64-bit architecture: 5 × 8 + 4 × 4 + 64 + 64 + 32 + 2 × 8, and 8 + that + 64.
        assert_eq!(size_of::<LoopInfo64>(), 232);
        assert_eq!(size_of::<LoopConfig>(), 304);
    }
}

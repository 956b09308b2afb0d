//! An image that nobody can change any more, not even we: what was hashed is what will be mounted.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::content::{self, ContentError, Expected};

/// Largest image that is copied into memory, in bytes. Larger ones need dm-verity.
const IMAGE_MAX: u64 = 512 << 20;
/// Memory that copying an image must leave free, in bytes: what a small userland needs to start.
const RESERVE: u64 = 64 << 20;

/// An open file whose bytes had the expected digest while it was filled and that was sealed afterwards.
///
/// The seals are the kernel's promise (fcntl(2), F_SEAL_WRITE): as long as the file exists, its content cannot change.
#[derive(Debug)]
pub(crate) struct Image(File);

/// Memory for images. Several may be filled at the same time, so what is promised to one is not there for another.
#[derive(Debug, Default)]
pub(crate) struct Room {
    promised: Mutex<u64>,
}

impl Room {
    /// Copies an image into memory, seals it and says whether it is the expected one.
    ///
    /// Hashing happens while copying, over the very bytes that are written: a change of the source shows or comes too
    /// late.
    pub(crate) fn seal(&self, source: impl Read, expected: &Expected) -> Result<Image, ContentError> {
        let promised = self.promise(expected.size)?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = memfd_create("tenon-image", flags)
            .map_err(|error| ContentError::Hold(error.into()))
            .map(File::from)?;
        content::copy(source, expected, Filled { memory: &memory, promised })?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&memory, seals).map_err(|error| ContentError::Hold(error.into()))?;
        Ok(Image(memory))
    }

    fn promise(&self, size: u64) -> Result<Promised<'_>, ContentError> {
        let mut promised = self.promised();
        let limit = available_memory().saturating_sub(RESERVE).saturating_sub(*promised).min(IMAGE_MAX);
        if size > limit {
            return Err(ContentError::TooLarge { size, limit });
        }
        *promised += size;
        Ok(Promised { room: self, left: size })
    }

    /// A panic while the number is held leaves it as it was, so it is right all the same.
    fn promised(&self) -> MutexGuard<'_, u64> {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory that one image has been promised and has not taken yet.
#[derive(Debug)]
struct Promised<'r> {
    room: &'r Room,
    left: u64,
}

impl Promised<'_> {
    /// What is taken shows in what the kernel has available.
    fn take(&mut self, bytes: u64) {
        let taken = bytes.min(self.left);
        self.left -= taken;
        *self.room.promised() -= taken;
    }
}

impl Drop for Promised<'_> {
    fn drop(&mut self) {
        self.take(self.left);
    }
}

/// Memory that is being filled.
struct Filled<'m> {
    memory: &'m File,
    promised: Promised<'m>,
}

impl Write for Filled<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.memory.write(bytes)?;
        self.promised.take(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.memory.flush()
    }
}

impl AsFd for Image {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Image {
    /// The open file, for reading at offsets.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

/// Memory that can be had without swapping, in bytes; none if the kernel does not say, for then nothing is certain.
fn available_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    parse_available(&text).unwrap_or(0)
}

/// `MemAvailable` of `/proc/meminfo` (proc_meminfo(5)), which is in units of 1024 bytes.
fn parse_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use spec::Digest;

    use super::*;

    #[test]
    fn a_sealed_image_cannot_be_changed() {
        let bytes = b"squashfs, as it were";
        let expected =
            Expected { digest: Digest::of(bytes), size: bytes.len() as u64, verity: None, signature: None };
        let room = Room::default();
        let image = room.seal(&bytes[..], &expected).unwrap();
        assert_eq!(*room.promised(), 0);
        assert!(image.file().write_all_at(b"S", 0).is_err());
        assert!((&image.0).write_all(b"more").is_err());
        assert!(image.0.set_len(1).is_err());
        assert!(fcntl_add_seals(&image, SealFlags::empty()).is_err(), "further seals are sealed too");
    }

    #[test]
    fn an_image_larger_than_memory_is_refused_unread() {
        let expected =
            Expected { digest: Digest::of(b""), size: IMAGE_MAX + 1, verity: None, signature: None };
        let unread = std::io::empty();
        assert!(matches!(Room::default().seal(unread, &expected), Err(ContentError::TooLarge { .. })));
    }

    #[test]
    fn what_is_promised_to_one_is_not_there_for_another() {
        let room = Room { promised: Mutex::new(u64::MAX) };
        assert!(matches!(room.promise(1), Err(ContentError::TooLarge { limit: 0, .. })));
        *room.promised() = 0;
        let mut promised = room.promise(1000).unwrap();
        promised.take(300);
        assert_eq!(*room.promised(), 700);
        drop(promised);
        assert_eq!(*room.promised(), 0);
    }

    #[test]
    fn available_memory_is_read_in_bytes() {
        let text = "MemTotal:       24584132 kB\nMemFree:  1 kB\nMemAvailable:   20 kB\n";
        assert_eq!(parse_available(text), Some(20 * 1024));
        for wrong in ["", "MemAvailable: x kB", "MemAvailable: 20", "MemAvailable: 99999999999999999999 kB"] {
            assert_eq!(parse_available(wrong), None);
        }
    }
}

//! An image that nobody can change any more, not even we: what was hashed is what will be mounted.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::content::{self, ContentError, Expected};

/// Largest image that is copied into memory, in bytes. Larger ones need dm-verity over the medium instead; then this
/// module holds a verity device where it holds a memfd now.
const IMAGE_MAX: u64 = 512 << 20;
/// Memory that copying an image must leave free, in bytes: what a small userland needs to start.
const RESERVE: u64 = 64 << 20;

/// An open file whose bytes had the expected digest while it was filled and that was sealed afterwards.
///
/// The seals are the kernel's promise (fcntl(2), F_SEAL_WRITE): as long as the file exists, its content cannot change.
#[derive(Debug)]
pub(crate) struct Image(File);

/// Copies an image into memory, seals it and says whether it is the expected one.
///
/// Hashing happens while copying, over the very bytes that are written: a change of the source shows or comes too late.
pub(crate) fn seal(source: impl Read, expected: &Expected) -> Result<Image, ContentError> {
    let limit = available_memory().saturating_sub(RESERVE).min(IMAGE_MAX);
    if expected.size > limit {
        return Err(ContentError::TooLarge { size: expected.size, limit });
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = memfd_create("tenon-image", flags)
        .map_err(|error| ContentError::Hold(error.into()))
        .map(File::from)?;
    content::copy(source, expected, &memory)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&memory, seals).map_err(|error| ContentError::Hold(error.into()))?;
    Ok(Image(memory))
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
        let expected = Expected { digest: Digest::of(bytes), size: bytes.len() as u64 };
        let image = seal(&bytes[..], &expected).unwrap();
        assert!(image.file().write_all_at(b"S", 0).is_err());
        assert!((&image.0).write_all(b"more").is_err());
        assert!(image.0.set_len(1).is_err());
        assert!(fcntl_add_seals(&image, SealFlags::empty()).is_err(), "further seals are sealed too");
    }

    #[test]
    fn an_image_larger_than_memory_is_refused_unread() {
        let expected = Expected { digest: Digest::of(b""), size: IMAGE_MAX + 1 };
        let unread = std::io::empty();
        assert!(matches!(seal(unread, &expected), Err(ContentError::TooLarge { .. })));
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

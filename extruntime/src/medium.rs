//! The boot medium: the block device whose ISO 9660 volume identifier is ours.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use spec::{Diagnose, Outcome};

use crate::cannot::Cannot;
use crate::cmdline::Arguments;
use crate::log::Log;
use crate::mounts;

/// Where the medium is mounted.
pub(crate) const MEDIUM: &str = "/run/tenon/medium";

/// ECMA-119 6.2.1: the system area is 16 sectors of 2048 bytes, and the volume descriptors follow.
const DESCRIPTOR_OFFSET: u64 = 16 * 2048;
/// How often the devices are looked at; the kernel finds them at its own pace.
const POLL: Duration = Duration::from_millis(100);
/// Every block device of the kernel, partitions too.
const BLOCK_CLASS: &str = "/sys/class/block";

/// Waits for the medium, mounts it, and says where.
pub(crate) fn mount(arguments: &Arguments, log: &Log) -> Result<&'static Path, MediumError> {
    let Arguments { medium: label, timeout, .. } = arguments;
    log.say(&format!("looking for the volume {label}"));
    let is_it = |device: &Path| volume_of(device).as_deref() == Some(label.as_str());
    let device = wait_for(is_it, *timeout).map_err(|seen| MediumError::NotFound {
        label: label.clone(),
        seconds: timeout.as_secs(),
        seen,
    })?;
    mounts::medium(&device, Path::new(MEDIUM))?;
    log.say(&format!("the medium is {}", device.display()));
    Ok(Path::new(MEDIUM))
}

/// Waits until such a device is there. The error is what was seen instead.
pub(crate) fn wait_for(is_it: impl Fn(&Path) -> bool, timeout: Duration) -> Result<PathBuf, Vec<String>> {
    let end = Instant::now() + timeout;
    loop {
        let devices = devices();
        if let Some(found) = devices.iter().find(|device| is_it(device)) {
            return Ok(found.clone());
        }
        if Instant::now() >= end {
            return Err(devices.iter().map(|device| describe(device)).collect());
        }
        std::thread::sleep(POLL);
    }
}

/// Nodes of all block devices, a disk before its partitions.
fn devices() -> Vec<PathBuf> {
    let entries = fs::read_dir(BLOCK_CLASS).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with("loop") && !name.starts_with("ram"));
    names.sort();
    // sysfs writes `!` for a `/` in the name of a device (drivers/base/core.c).
    names.iter().map(|name| PathBuf::from("/dev").join(name.replace('!', "/"))).collect()
}

fn describe(device: &Path) -> String {
    match volume_of(device) {
        Some(label) => format!("{} (volume \"{label}\")", device.display()),
        None => device.display().to_string(),
    }
}

/// The volume identifier of the device, if it can be read and is an ISO 9660 volume.
fn volume_of(device: &Path) -> Option<String> {
    // O_NONBLOCK: a drive without a disc must not make us wait.
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(device).ok()?;
    let mut sector = [0; 2048];
    file.read_exact_at(&mut sector, DESCRIPTOR_OFFSET).ok()?;
    parse_volume(&sector)
}

/// The volume identifier of a primary volume descriptor (ECMA-119 8.4: type 1, "CD001", version 1, identifier of 32
/// bytes at 40, filled with spaces).
fn parse_volume(sector: &[u8; 2048]) -> Option<String> {
    let identifier = sector.strip_prefix(b"\x01CD001\x01")?.get(33..65)?;
    let text = std::str::from_utf8(identifier).ok()?;
    Some(text.trim_end_matches([' ', '\0']).to_owned())
}

/// Why there is no medium.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediumError {
    #[error("no block device has the volume {label} after {seconds} s; there is {}", listed(seen))]
    NotFound { label: String, seconds: u64, seen: Vec<String> },
    #[error(transparent)]
    Mount(#[from] Cannot),
}

fn listed(seen: &[String]) -> String {
    if seen.is_empty() { "no block device at all".to_owned() } else { seen.join(", ") }
}

impl Diagnose for MediumError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            MediumError::NotFound { seen, .. } if seen.is_empty() => {
                "the driver of the boot device may be missing among the boot modules of the base".into()
            }
            MediumError::NotFound { .. } => {
                "check that the medium is connected, or name its volume with tenon.medium=LABEL on the kernel command line".into()
            }
            MediumError::Mount(_) => "write the medium again: it is damaged".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(start: &[u8], label: &[u8]) -> [u8; 2048] {
        let mut sector = [b' '; 2048];
        sector[..start.len()].copy_from_slice(start);
        sector[40..40 + label.len()].copy_from_slice(label);
        sector
    }

    #[test]
    fn the_identifier_is_read_without_its_filling() {
        assert_eq!(parse_volume(&sector(b"\x01CD001\x01", b"TENON")).as_deref(), Some("TENON"));
        assert_eq!(parse_volume(&sector(b"\x01CD001\x01", &[b'X'; 32])), Some("X".repeat(32)));
    }

    #[test]
    fn other_sectors_have_none() {
        for start in [b"\x02CD001\x01", b"\x01CD002\x01", b"\x01CD001\x02", b"\xffCD001\x01"] {
            assert_eq!(parse_volume(&sector(start, b"TENON")), None);
        }
        assert_eq!(parse_volume(&sector(b"\x01CD001\x01", b"\xff\xfe")), None);
        assert_eq!(parse_volume(&[0; 2048]), None);
    }

    proptest::proptest! {
        #[test]
        fn any_sector_is_read(rest in proptest::collection::vec(0u8.., 2041)) {
            let mut sector = *b"\x01CD001\x01";
            let sector = [&mut sector[..], &mut rest.clone()[..]].concat();
            let volume = parse_volume(&sector.try_into().unwrap());
            proptest::prop_assert!(volume.is_none_or(|volume| volume.len() <= 32));
        }
    }
}

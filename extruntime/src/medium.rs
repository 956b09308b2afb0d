//! The boot medium: the block device with the ISO 9660 volume that is ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spec::{Diagnose, Outcome};

use crate::cannot::Cannot;
use crate::cmdline::Arguments;
use crate::log::Log;
use crate::mounts;
use crate::volume::{self, Wanted};

/// Where the medium is mounted.
pub(crate) const MEDIUM: &str = "/run/tenon/medium";

/// How often the devices are looked at; the kernel finds them at its own pace.
const POLL: Duration = Duration::from_millis(100);
/// Every block device of the kernel, partitions too.
const BLOCK_CLASS: &str = "/sys/class/block";

/// Waits for the medium, mounts it, and says where.
pub(crate) fn mount(arguments: &Arguments, log: &Log) -> Result<&'static Path, MediumError> {
    let Arguments { medium: wanted, timeout, .. } = arguments;
    log.say(&format!("looking for the volume {wanted}"));
    let is_it = |device: &Path| volume::iso9660(device).is_some_and(|volume| wanted.is(&volume));
    let device = wait_for(is_it, *timeout).map_err(|seen| MediumError::NotFound {
        wanted: wanted.clone(),
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
    match volume::iso9660(device) {
        Some(volume) => format!("{} ({volume})", device.display()),
        None => device.display().to_string(),
    }
}

/// Why there is no medium.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediumError {
    #[error("no block device has the volume {wanted} after {seconds} s; there is {}", listed(seen))]
    NotFound { wanted: Wanted, seconds: u64, seen: Vec<String> },
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
                "check that the medium is connected, or name its volume with tenon.medium=LABEL or tenon.medium=UUID=… on the kernel command line".into()
            }
            MediumError::Mount(_) => "write the medium again: it is damaged".into(),
        })
    }
}

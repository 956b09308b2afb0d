//! The disk on which a node keeps its sets: the ext4 file system that the kernel command line names.

use std::path::{Path, PathBuf};

use rustix::mount::MountFlags;
use spec::sentence;

use crate::choice::Node;
use crate::cmdline::Arguments;
use crate::log::Log;
use crate::medium;
use crate::mounts;
use crate::offer::system::BOOT_STATE;
use crate::volume;

/// Where the disk is mounted.
const DISK: &str = "/run/tenon/disk";
/// Opens what the node keeps, if the kernel command line names a disk for that. Without the disk, or where it is damaged,
/// the medium has to do: that is said, and no reason not to boot.
pub(crate) fn open(arguments: &Arguments, log: &Log) -> Option<Node> {
    let wanted = arguments.state.as_ref()?;
    log.say(&format!("looking for the file system {wanted}"));
    let is_it = |device: &Path| volume::ext4(device).is_some_and(|volume| wanted.is(&volume));
    let device = match medium::wait_for(is_it, arguments.timeout) {
        Ok(device) => device,
        Err(_) => {
            log.say(&format!(
                "warning: no device has the file system {wanted}, so no set that was kept can run"
            ));
            return None;
        }
    };
    let opened = mount(&device)
        .map_err(|error| sentence(&error))
        .and_then(|dir| Node::open(&dir).map_err(|error| sentence(&error)));
    match opened {
        Ok(node) => Some(node),
        Err(error) => {
            log.say(&format!("warning: no set that was kept can run: {error}"));
            None
        }
    }
}

fn mount(device: &Path) -> Result<PathBuf, crate::cannot::Cannot> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mounts::disk(device, Path::new(DISK), "ext4", flags)?;
    let dir = PathBuf::from(BOOT_STATE);
    mounts::make_directory(&dir)?;
    Ok(dir)
}

//! How long a machine takes to load modules from an image, in QEMU with the modules' own kernel.
//!
//! One boot measures all images: each is a disk. For each the guest drops its caches, mounts the disk, loads the same
//! modules in the same order, and removes them again.

mod initramfs;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::inputs::Inputs;
use super::statistics::median;
use crate::dependencies::Dependencies;
use crate::progress::Task;
use crate::{Error, cache, vm};

/// What networks, storage and file systems of a server load. None of them needs hardware, does work of a fixed length
/// when it is loaded (as raid6's choice of the fastest routine would be), or refuses to be removed (as sctp does).
const WANTED: [&str; 21] = [
    "wireguard",
    "nf_tables",
    "nft_ct",
    "nft_nat",
    "nft_masq",
    "nft_log",
    "xt_conntrack",
    "ip_set_hash_net",
    "ip_vs",
    "br_netfilter",
    "vxlan",
    "macvlan",
    "veth",
    "tun",
    "bonding",
    "vhost_net",
    "overlay",
    "fuse",
    "xfs",
    "dm_crypt",
    "dm_thin_pool",
];

/// What the guest needs before it can open an image; and the checksum that libcrc32c asks the kernel's list of ciphers
/// for, which is in no module's dependencies.
const NEEDED: [&str; 4] = ["virtio_pci", "virtio_blk", "squashfs", "crc32c_generic"];

/// What the guest prints for each image and run, and at the end.
const LOADED: &str = "TENON LOADED";
const END: &str = "TENON END";

/// Emulated, many images, on a busy machine.
const LIMIT: Duration = Duration::from_secs(1800);

/// The modules of a kernel that the guest loads, as paths below `lib/modules/RELEASE`, each after what it needs.
#[derive(Debug)]
pub(super) struct Guest {
    /// From its own initramfs, to be able to read the disks.
    needed: Vec<String>,
    /// From each image.
    measured: Vec<String>,
}

impl Guest {
    /// Finds the modules and what they need.
    ///
    /// # Errors
    /// [`Error::Bench`] if the kernel lacks one, and those of depmod.
    pub(super) fn plan(inputs: &Inputs) -> Result<Guest, Error> {
        let dependencies = Dependencies::of(&inputs.tree(), inputs.release())?;
        let needed = dependencies.order(&NEEDED)?;
        let mut measured = dependencies.order(&WANTED)?;
        measured.retain(|path| !needed.contains(path));
        Ok(Guest { needed, measured })
    }

    /// How many modules are loaded from each image, those that others need counted.
    pub(super) fn modules(&self) -> usize {
        self.measured.len()
    }

    /// Boots a machine with these images of `lib/modules` as disks, and lets it load the modules from each of them
    /// `runs` times. Returns the median seconds for each image.
    ///
    /// # Errors
    /// [`Error::Boot`], [`Error::Bench`] if a module cannot be loaded, and those of cpio.
    pub(super) fn load_from(
        &self,
        images: &[PathBuf],
        inputs: &Inputs,
        runs: usize,
    ) -> Result<Vec<f64>, Error> {
        let task = Task::spin(format!("loading modules from {} images in QEMU", images.len()));
        let dir = inputs.dir().join("guest");
        cache::remove_dir(&dir)?;
        let initrd = initramfs::write(self, inputs, images.len(), runs, &dir)?;
        let mut qemu = qemu(&inputs.vmlinuz(), &initrd, images);
        let console = vm::listen(&mut qemu, &dir.join("console.log"), LIMIT, END, |_| {})?;
        let seconds = medians(&console, images.len(), runs)?;
        task.finish(&format!("{} modules each", self.modules()));
        Ok(seconds)
    }
}

fn qemu(kernel: &Path, initrd: &Path, images: &[PathBuf]) -> Command {
    let mut qemu = vm::direct(kernel, initrd, "console=ttyS0 quiet loglevel=1 panic=-1");
    for image in images {
        qemu.args(["-drive", &format!("if=virtio,format=raw,readonly=on,file={}", vm::escaped(image))]);
    }
    qemu
}

/// The median seconds of each disk, from lines `TENON LOADED DISK BEFORE AFTER`, both in seconds of `/proc/uptime`.
fn medians(console: &str, disks: usize, runs: usize) -> Result<Vec<f64>, Error> {
    let mut all = vec![Vec::new(); disks];
    for line in console.lines().filter_map(|line| line.split_once(LOADED).map(|(_, rest)| rest.trim())) {
        let (disk, seconds) =
            figures(line).ok_or_else(|| Error::Bench(format!("the machine said \"{line}\"")))?;
        if let Some(of_disk) = all.get_mut(disk) {
            of_disk.push(seconds);
        }
    }
    match all.iter().all(|of_disk| of_disk.len() == runs) {
        true => Ok(all.iter().map(|of_disk| median(of_disk)).collect()),
        false => Err(Error::Bench("the machine did not load modules from every image".to_owned())),
    }
}

fn figures(line: &str) -> Option<(usize, f64)> {
    let [disk, before, after]: [&str; 3] = line.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
    let seconds = after.parse::<f64>().ok()? - before.parse::<f64>().ok()?;
    Some((disk.parse().ok()?, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_each_disk_is_read_from_the_console() {
        let console = "noise\r\nTENON LOADED 0 10.00 11.50\r\n[ 1.0] kernelTENON LOADED 1 11.50 12.00\r\n\
            TENON LOADED 0 13.00 15.50\r\nTENON LOADED 1 16.00 16.50\r\nTENON LOADED 0 17.00 19.00\r\n\
            TENON LOADED 1 20.00 20.25\r\nTENON END\r\n";
        assert_eq!(medians(console, 2, 3).unwrap(), [2.0, 0.5]);
    }

    #[test]
    fn a_module_that_does_not_load_is_named() {
        let error = medians("TENON LOADED failed: xfs\r\nTENON END\r\n", 1, 1).unwrap_err();
        assert!(error.to_string().contains("failed: xfs"), "{error}");
        assert!(medians("TENON LOADED 0 1.0 2.0\n", 1, 2).is_err(), "a missing run");
    }
}

//! What is done with a finished medium: a bit flipped, or its kernel taken out for a machine that cannot start it itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::case::{Case, Damage, Firmware};
use super::workshop::{Workshop, read_medium};
use crate::vm::Start;
use crate::{Error, command};

/// Bytes at multiples of which files of a FAT begin, and sections of UEFI programs; files of ISO 9660 do so at every fourth
/// (ECMA-119, 6.1.2).
const SECTOR: usize = 512;
/// What the command line of every kernel begins with, as `extfactory` writes it.
const COMMAND_LINE: &[u8] = b"quiet panic=10 ";
/// Where in its first sector a FAT file system says that it is one (Microsoft, "FAT: General Overview of On-Disk Format",
/// `BS_FilSysType` of FAT16 and FAT32), and what every such sector ends with.
const FAT: [usize; 2] = [54, 82];
const SIGNATURE: (usize, [u8; 2]) = (510, [0x55, 0xaa]);

/// Damages the medium as the case says.
pub(super) fn damage(workshop: &Workshop<'_>, case: &Case, iso: &Path) -> Result<(), Error> {
    // What identifies the file, and the byte of it that changes.
    let (file, at) = match case.damage {
        Damage::None => return Ok(()),
        Damage::Data(name) => {
            let image = workshop.image(case.kernel, name)?;
            let middle = image.len() / 2;
            (image, middle)
        }
        Damage::Superblock(name) => (workshop.image(case.kernel, name)?, 8),
        Damage::Kernel => (COMMAND_LINE.to_vec(), 0),
        Damage::Root => {
            let image = workshop.root_image(case.kernel)?;
            let middle = image.len() / 2;
            (image, middle)
        }
        Damage::MachineConfig => (b"apiVersion: v1alpha1\nkind: ExtensionsConfig".to_vec(), 3),
        Damage::Store => (br#"{"imageLayoutVersion":"#.to_vec(), 0),
    };
    let mut bytes = read_medium(iso)?;
    let place = find(&bytes, |sector| sector.starts_with(&file))
        .ok_or_else(|| Error::Machine(format!("{} has not what is to be damaged", iso.display())))?;
    bytes[place + at] ^= 0x80;
    fs::write(iso, bytes).map_err(Error::file("write", iso))
}

/// What starts the machine of the case.
pub(super) fn start(workshop: &Workshop<'_>, case: &Case, iso: &Path) -> Result<Start, Error> {
    match case.firmware {
        Firmware::Uefi => Ok(Start::Uefi),
        Firmware::Bios => without_firmware(workshop, iso),
        Firmware::SecureBoot => Ok(Start::SecureBoot { variables: workshop.keys()?.variables }),
    }
}

/// Takes kernel, initramfs and command line out of a medium, for QEMU to start them.
pub(crate) fn without_firmware(workshop: &Workshop<'_>, iso: &Path) -> Result<Start, Error> {
    let partition = find(&read_medium(iso)?, is_fat)
        .ok_or_else(|| Error::Machine(format!("{} has no EFI system partition", iso.display())))?;
    let [uki, kernel, initramfs, arguments] =
        ["uki.efi", "linux", "initrd", "cmdline"].map(|name| workshop.path(name));
    let disk = format!("{}@@{partition}", iso.display());
    let copied =
        Command::new("mcopy").args(["-n", "-o", "-i", &disk, "::/EFI/BOOT/BOOTX64.EFI"]).arg(&uki).output();
    let failed = |cause| Error::Start { program: "mcopy".to_owned(), cause };
    let said = command::said(&copied.map_err(failed)?);
    if !uki.is_file() {
        return Err(Error::Machine(format!("the kernel cannot be taken out of {}: {said}", iso.display())));
    }
    let mut objcopy = Command::new("objcopy");
    for (section, file) in [(".linux", &kernel), (".initrd", &initramfs), (".cmdline", &arguments)] {
        objcopy.arg("--dump-section").arg(format!("{section}={}", file.display()));
    }
    command::run(objcopy.arg(&uki).arg(workshop.path("copy.efi")))?;
    let text = fs::read_to_string(&arguments).map_err(Error::file("read", &arguments))?;
    Ok(Start::Bios { kernel, initramfs, arguments: text.trim_end_matches('\0').trim().to_owned() })
}

fn find(medium: &[u8], is_it: impl Fn(&[u8]) -> bool) -> Option<usize> {
    (0..medium.len()).step_by(SECTOR).find(|&place| is_it(&medium[place..]))
}

fn is_fat(sector: &[u8]) -> bool {
    let (at, signature) = SIGNATURE;
    sector.get(at..at + 2) == Some(&signature)
        && FAT.iter().any(|&at| sector.get(at..at + 3) == Some(b"FAT".as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_found_by_what_it_begins_with() {
        let mut medium = vec![0; 5 * SECTOR];
        assert_eq!(find(&medium, is_fat), None);
        medium[3 * SECTOR + FAT[1]..][..3].copy_from_slice(b"FAT");
        assert_eq!(find(&medium, is_fat), None, "the word alone is not enough");
        medium[3 * SECTOR + SIGNATURE.0..][..2].copy_from_slice(&SIGNATURE.1);
        assert_eq!(find(&medium, is_fat), Some(3 * SECTOR));
    }
}

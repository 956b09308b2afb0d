//! The EFI system partition: a FAT file system with one program at the path that firmware starts by itself.

use std::io::{self, Cursor, Write};

use fatfs::{Date, DateTime, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};
use spec::Arch;

/// What the partition is called, padded as FAT has it.
const LABEL: [u8; 11] = *b"TENON ESP  ";
/// Serial number of the file system. It means nothing, but it must not be the time of day.
const VOLUME_ID: u32 = 0x7e40_0001;
const MIB: usize = 1 << 20;

/// Where firmware looks on removable media (UEFI specification 2.10, 3.5.1.1, table "UEFI Image Types").
const fn boot_file(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "BOOTX64.EFI",
        Arch::Arm64 => "BOOTAA64.EFI",
    }
}

/// Makes a partition, just large enough, that starts `program`.
pub fn image(program: &[u8], arch: Arch) -> io::Result<Vec<u8>> {
    let mut disk = Cursor::new(vec![0; size_for(program.len())]);
    fatfs::format_volume(&mut disk, FormatVolumeOptions::new().volume_id(VOLUME_ID).volume_label(LABEL))?;
    let volume = FileSystem::new(&mut disk, FsOptions::new().time_provider(&DayZero))?;
    let directory = volume.root_dir().create_dir("EFI")?.create_dir("BOOT")?;
    let mut file = directory.create_file(boot_file(arch))?;
    file.write_all(program)?;
    file.flush()?;
    drop(file);
    drop(directory);
    volume.unmount()?;
    Ok(disk.into_inner())
}

/// The program, a thirty-second of it for the two allocation tables (two bytes for a cluster of 1 KiB or more at this
/// size), and the boot sector and directories.
fn size_for(program: usize) -> usize {
    (program + program / 32 + MIB).next_multiple_of(MIB)
}

/// The clock of FAT's own beginning, so that equal programs give equal partitions.
#[derive(Debug)]
struct DayZero;

impl TimeProvider for DayZero {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime { date: self.get_current_date(), time: Time { hour: 0, min: 0, sec: 0, millis: 0 } }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn mtools_reads_the_program_back() {
        let directory = tempfile::tempdir().unwrap();
        let disk = directory.path().join("esp.img");
        for size in [0, 1, 3 * MIB, 17 * MIB + 5] {
            let program: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            std::fs::write(&disk, image(&program, Arch::Amd64).unwrap()).unwrap();
            let output =
                Command::new("mtype").arg("-i").arg(&disk).arg("::EFI/BOOT/BOOTX64.EFI").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout == program, "{size} bytes");
        }
    }

    #[test]
    fn every_size_finds_a_format() {
        for mib in [1, 2, 3, 4, 8, 31, 64, 128, 300] {
            image(&vec![0; mib * MIB - 17], Arch::Arm64).unwrap_or_else(|error| panic!("{mib} MiB: {error}"));
        }
    }

    #[test]
    fn equal_programs_give_equal_partitions() {
        assert!(image(b"x", Arch::Amd64).unwrap() == image(b"x", Arch::Amd64).unwrap());
    }
}

//! File systems by what they say of themselves: a label and a UUID.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// The one that is meant, as mount(8) and the kernel's `root=` have it: `UUID=…`, `LABEL=…`, or a label alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Label(String),
    Uuid(String),
}

/// What a file system says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) label: String,
    /// As blkid(8) writes it.
    pub(crate) uuid: Option<String>,
}

impl Wanted {
    /// Reads the text behind `tenon.medium=`; none if it names nothing.
    pub(crate) fn parse(text: &str) -> Option<Wanted> {
        let wanted = match text.split_once('=') {
            Some(("UUID", uuid)) => Wanted::Uuid(uuid.to_ascii_lowercase()),
            Some(("LABEL", label)) => Wanted::Label(label.to_owned()),
            _ => Wanted::Label(text.to_owned()),
        };
        let (Wanted::Label(name) | Wanted::Uuid(name)) = &wanted;
        (!name.is_empty()).then_some(wanted)
    }

    /// Is it this one?
    pub(crate) fn is(&self, volume: &Volume) -> bool {
        match self {
            Wanted::Label(label) => volume.label == *label,
            Wanted::Uuid(uuid) => volume.uuid.as_ref() == Some(uuid),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Label(label) => f.write_str(label),
            Wanted::Uuid(uuid) => write!(f, "with the UUID {uuid}"),
        }
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "volume \"{}\"", self.label)?;
        self.uuid.as_ref().map_or(Ok(()), |uuid| write!(f, ", UUID {uuid}"))
    }
}

/// The ISO 9660 volume on a device, if it can be read and is one.
pub(crate) fn iso9660(device: &Path) -> Option<Volume> {
    /// ECMA-119 6.2.1: the system area is 16 sectors of 2048 bytes, and the volume descriptors follow.
    const DESCRIPTOR: u64 = 16 * 2048;
    parse_iso9660(&read(device, DESCRIPTOR)?)
}

/// The file system of ext2 and its successors on a device, if it can be read and is one.
pub(crate) fn ext4(device: &Path) -> Option<Volume> {
    /// fs/ext4/ext4.h, `struct ext4_super_block`: 1024 bytes from the start of the device.
    const SUPERBLOCK: u64 = 1024;
    parse_ext4(&read(device, SUPERBLOCK)?)
}

fn read<const LENGTH: usize>(device: &Path, offset: u64) -> Option<[u8; LENGTH]> {
    // O_NONBLOCK: a drive without a disc must not make us wait.
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(device).ok()?;
    let mut bytes = [0; LENGTH];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

/// A primary volume descriptor (ECMA-119 8.4): type 1, "CD001", version 1; the identifier is 32 bytes at 40, filled with
/// spaces. The UUID is, as for blkid, when the volume was modified (at 830), or else when it was created (at 813).
fn parse_iso9660(sector: &[u8; 2048]) -> Option<Volume> {
    let rest = sector.strip_prefix(b"\x01CD001\x01")?;
    let label = std::str::from_utf8(rest.get(33..65)?).ok()?;
    let uuid = [830, 813].into_iter().find_map(|at| date(sector.get(at..at + 16)?));
    Some(Volume { label: label.trim_end_matches([' ', '\0']).to_owned(), uuid })
}

/// A date of sixteen digits (ECMA-119 8.4.26.1), from the year to hundredths of a second; sixteen zeros are none.
fn date(digits: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_one = text.bytes().all(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte != b'0');
    let parts = || [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16].map(|range| &text[range]);
    is_one.then(|| parts().join("-"))
}

/// A superblock of ext2 and its successors (fs/ext4/ext4.h, `struct ext4_super_block`): the magic number 0xef53 at 0x38, the
/// UUID at 0x68, the label at 0x78.
fn parse_ext4(superblock: &[u8; 1024]) -> Option<Volume> {
    if superblock[0x38..0x3a] != 0xef53_u16.to_le_bytes() {
        return None;
    }
    let label = &superblock[0x78..0x88];
    let end = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
    let label = std::str::from_utf8(&label[..end]).ok()?.to_owned();
    let hex: String = superblock[0x68..0x78].iter().map(|byte| format!("{byte:02x}")).collect();
    let uuid = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]).join("-");
    Some(Volume { label, uuid: Some(uuid) })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn sector(start: &[u8], label: &[u8]) -> [u8; 2048] {
        let mut sector = [b' '; 2048];
        sector[..start.len()].copy_from_slice(start);
        sector[40..40 + label.len()].copy_from_slice(label);
        sector
    }

    fn labelled(label: impl Into<String>) -> Option<Volume> {
        Some(Volume { label: label.into(), uuid: None })
    }

    #[test]
    fn the_identifier_is_read_without_its_filling() {
        assert_eq!(parse_iso9660(&sector(b"\x01CD001\x01", b"TENON")), labelled("TENON"));
        assert_eq!(parse_iso9660(&sector(b"\x01CD001\x01", &[b'X'; 32])), labelled("X".repeat(32)));
    }

    #[test]
    fn other_sectors_have_none() {
        for start in [b"\x02CD001\x01", b"\x01CD002\x01", b"\x01CD001\x02", b"\xffCD001\x01"] {
            assert_eq!(parse_iso9660(&sector(start, b"TENON")), None);
        }
        assert_eq!(parse_iso9660(&sector(b"\x01CD001\x01", b"\xff\xfe")), None);
        assert_eq!(parse_iso9660(&[0; 2048]), None);
    }

    #[test]
    fn a_date_names_a_volume() {
        let mut iso = sector(b"\x01CD001\x01", b"TENON");
        iso[813..829].copy_from_slice(b"2026112312345600");
        iso[830..846].copy_from_slice(b"0000000000000000");
        assert_eq!(parse_iso9660(&iso).unwrap().uuid.as_deref(), Some("2026-11-23-12-34-56-00"));
        iso[830..846].copy_from_slice(b"2027010203040506");
        assert_eq!(parse_iso9660(&iso).unwrap().uuid.as_deref(), Some("2027-01-02-03-04-05-06"));
    }

    /// What mkfs.ext4 and xorriso write is found by what blkid says of it.
    #[test]
    fn real_file_systems_are_known_by_what_blkid_says() {
        let dir = tempfile::tempdir().unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(dir.path()).output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        run("mkfs.ext4", &["-q", "-F", "-L", "NODE", "disk", "4M"]);
        std::fs::create_dir(dir.path().join("tree")).unwrap();
        run("xorriso", &["-as", "mkisofs", "-quiet", "-V", "MEDIUM", "-o", "medium", "tree"]);
        for (file, look) in [("disk", ext4 as fn(&Path) -> _), ("medium", iso9660)] {
            let volume = look(&dir.path().join(file)).unwrap();
            let says = |what| run("blkid", &["-p", "-o", "value", "-s", what, file]);
            assert_eq!((volume.label.clone(), volume.uuid.clone()), (says("LABEL"), Some(says("UUID"))));
            assert!(Wanted::parse(&format!("UUID={}", says("UUID").to_uppercase())).unwrap().is(&volume));
            assert!(Wanted::parse(&format!("LABEL={}", says("LABEL"))).unwrap().is(&volume));
            assert!(!Wanted::parse("UUID=1").unwrap().is(&volume));
        }
        assert_eq!((ext4(&dir.path().join("medium")), iso9660(&dir.path().join("disk"))), (None, None));
    }

    #[test]
    fn a_label_is_read_where_the_family_has_it() {
        let mut superblock = [0; 1024];
        superblock[0x78..0x7d].copy_from_slice(b"state");
        assert_eq!(parse_ext4(&superblock), None);
        superblock[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
        assert_eq!(parse_ext4(&superblock).unwrap().label, "state");
        superblock[0x78..0x88].fill(b'x');
        assert_eq!(parse_ext4(&superblock).unwrap().label, "x".repeat(16));
        superblock[0x78] = 0xff;
        assert_eq!(parse_ext4(&superblock), None);
    }

    #[test]
    fn a_name_alone_is_a_label() {
        assert_eq!(Wanted::parse("MY DISC"), Some(Wanted::Label("MY DISC".into())));
        assert_eq!(Wanted::parse("A=B"), Some(Wanted::Label("A=B".into())));
        assert_eq!((Wanted::parse(""), Wanted::parse("UUID="), Wanted::parse("LABEL=")), (None, None, None));
    }

    proptest::proptest! {
        #[test]
        fn any_sector_is_read(rest in proptest::collection::vec(0u8.., 2041)) {
            let sector = [&b"\x01CD001\x01"[..], &rest].concat();
            let volume = parse_iso9660(&sector.try_into().unwrap());
            proptest::prop_assert!(volume.is_none_or(|volume| volume.label.len() <= 32));
            let superblock: [u8; 1024] = rest[..1024].try_into().unwrap();
            drop(parse_ext4(&superblock));
        }
    }
}

//! Kernel images made by hand.

use proptest::prelude::*;

use super::*;
use crate::testing::{issuer_of, symbol};
use crate::{Crc, InfoText};

/// Where the sections of the strings and of the two tables are when the kernel runs. The strings come first, so that
/// references are negative, as in no kernel and as well as any.
const STRINGS: u64 = 0x8000;
const TABLE: u64 = 0x10000;
const GPL_TABLE: u64 = 0x20000;

/// An image to be: sound unless a test makes it otherwise.
#[derive(Clone)]
struct ImageFile {
    kind: u16,
    machine: u16,
    sections: Vec<(String, u64, Vec<u8>)>,
}

impl ImageFile {
    fn new(exports: &[(&str, u32, bool, &str)]) -> ImageFile {
        let mut strings = vec![0];
        let mut put = |text: &str| {
            let place = STRINGS + strings.len() as u64;
            strings.extend(text.bytes().chain([0]));
            if text.is_empty() { STRINGS } else { place }
        };
        let mut tables = [(TABLE, vec![], vec![]), (GPL_TABLE, vec![], vec![])];
        for (name, crc, gpl, namespace) in exports {
            let (address, entries, crcs) = &mut tables[usize::from(*gpl)];
            for target in [0xffff_0000, put(name), put(namespace)] {
                let place = *address + entries.len() as u64;
                entries.extend((target.wrapping_sub(place) as i32).to_le_bytes());
            }
            crcs.extend(crc.to_le_bytes());
        }
        let [(_, entries, crcs), (_, gpl_entries, gpl_crcs)] = tables;
        let image = ImageFile { kind: 2, machine: 62, sections: Vec::new() };
        image
            .section(".rodata", 0x1000, b"\0Linux version %s\0Linux version 6.1.0-test (somebody) #1\0")
            .section("__ksymtab", TABLE, &entries)
            .section("__ksymtab_gpl", GPL_TABLE, &gpl_entries)
            .section("__kcrctab", 0x30000, &crcs)
            .section("__kcrctab_gpl", 0x40000, &gpl_crcs)
            .section("__ksymtab_strings", STRINGS, &strings)
    }

    /// With this section, instead of one of the same name.
    fn section(mut self, name: &str, address: u64, data: &[u8]) -> ImageFile {
        self = self.without(name);
        self.sections.push((name.to_owned(), address, data.to_vec()));
        self
    }

    fn without(mut self, name: &str) -> ImageFile {
        self.sections.retain(|(other, ..)| other != name);
        self
    }

    fn data(&self, name: &str) -> &[u8] {
        &self.sections.iter().find(|(other, ..)| other == name).unwrap().2
    }

    /// ELF gABI, "ELF Header" and "Section Header Table".
    fn bytes(&self) -> Vec<u8> {
        let mut names = vec![0];
        let mut headers = vec![0; 64];
        let mut bytes = vec![0; 64];
        let last = (
            ".shstrtab".to_owned(),
            0,
            self.sections.iter().flat_map(|(name, ..)| [name, "\0"].concat().into_bytes()).collect(),
        );
        let mut names_at = 0;
        for (name, address, data) in self.sections.iter().chain([&last]) {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let kind = if name == ".notes" { 7u32 } else { 1 };
            headers.extend([names.len() as u32, kind].map(u32::to_le_bytes).concat());
            headers.extend(
                [0, *address, bytes.len() as u64, data.len() as u64, 0, 1, 0].map(u64::to_le_bytes).concat(),
            );
            names.extend(name.bytes().chain([0]));
            names_at = bytes.len();
            bytes.extend(data);
        }
        // The last section is that of the names, of which only now all are known.
        bytes.truncate(names_at);
        bytes.extend(&names);
        headers.splice(headers.len() - 32..headers.len() - 24, (names.len() as u64).to_le_bytes());
        let at = bytes.len() as u64;
        bytes.extend(&headers);
        bytes[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        bytes[16..18].copy_from_slice(&self.kind.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.machine.to_le_bytes());
        bytes[20] = 1;
        bytes[40..48].copy_from_slice(&at.to_le_bytes());
        let count = self.sections.len() as u16 + 2;
        bytes[52..64].copy_from_slice(&[64, 56, 0, 64, count, count - 1].map(u16::to_le_bytes).concat());
        bytes
    }

    #[track_caller]
    fn parse(&self) -> KernelImage {
        KernelImage::parse(&self.bytes()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn refused(&self) -> String {
        KernelImage::parse(&self.bytes()).unwrap_err().to_string()
    }
}

fn sample() -> ImageFile {
    ImageFile::new(&[("_printk", 7, false, ""), ("kfree", 0, false, ""), ("cxl_open", 9, true, "CXL")])
}

/// A certificate of an RSA key, in the few forms of DER (X.690) that it needs.
fn certificate(subject: &str, serial: u8) -> Vec<u8> {
    let name = |text: &str| {
        der(0x30, &der(0x31, &der(0x30, &[&[6, 3, 0x55, 4, 3][..], &der(0x0c, text.as_bytes())].concat())))
    };
    // sha256WithRSAEncryption and rsaEncryption (RFC 8017, appendix C).
    let algorithm = |last: u8| der(0x30, &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last, 5, 0]);
    let identifier = der(0x04, &der(0x04, &[0xaa, serial]));
    let identifier = der(0x30, &[&[6, 3, 0x55, 0x1d, 14][..], &identifier].concat());
    let body = [
        vec![0xa0, 3, 2, 1, 2],
        vec![2, 2, 0, serial | 0x80],
        algorithm(11),
        name("issuer"),
        der(0x30, &[der(0x17, b"260101000000Z"), der(0x17, b"360101000000Z")].concat()),
        name(subject),
        der(0x30, &[algorithm(1), der(0x03, &[0; 300])].concat()),
        der(0xa3, &der(0x30, &identifier)),
    ];
    der(0x30, &[der(0x30, &body.concat()), algorithm(11), der(0x03, &[0; 65])].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..0x80 => vec![short as u8],
        middle @ 0x80..0x100 => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag][..], &length, content].concat()
}

/// Certificates as certs/system_certificates.S lays them out, with so much room before the numbers.
fn trusted(certificates: &[Vec<u8>], room: usize) -> Vec<u8> {
    let mut data = certificates.concat();
    let (all, first) = (data.len(), certificates[0].len());
    data.resize((all + room).next_multiple_of(8), 0);
    data.extend([all as u64, first as u64].map(u64::to_le_bytes).concat());
    data
}

fn subjects(data: &[u8]) -> Vec<String> {
    certificates::find(data).iter().map(|key| key.subject.to_string()).collect()
}

#[test]
fn everything_that_an_image_says_is_read() {
    let notes = [4u32, 2, 3].map(u32::to_le_bytes).concat();
    let notes = [&notes[..], b"GNU\0", &[0xab, 0xcd, 0, 0]].concat();
    let key = trusted(&[certificate("build key", 5)], 0);
    let file = sample().section(".notes", 0, &notes).section(".init.data", 0, &key);
    let image = file.parse();
    assert_eq!((image.release.as_str(), image.arch), ("6.1.0-test", Arch::Amd64));
    assert_eq!(image.build_id.as_ref().unwrap().as_str(), "abcd");
    let export = |crc, gpl, namespace: Option<InfoText>| Export { crc: Crc::new(crc), gpl, namespace };
    let wanted = [
        ("_printk", export(7, false, None)),
        ("cxl_open", export(9, true, Some("CXL".parse().unwrap()))),
        ("kfree", export(0, false, None)),
    ];
    assert_eq!(image.exports, wanted.into_iter().map(|(name, export)| (symbol(name), export)).collect());
    let [key] = &image.keys[..] else { panic!("{:?}", image.keys) };
    assert_eq!((key.subject.as_str(), key.serial.as_str()), ("build key", "85"));
    assert_eq!(key.key_id.as_ref().unwrap().as_str(), "aa05");
    assert_eq!(key.issuer, issuer_of("CN=issuer"));
    assert_eq!((key.spki[0], key.spki.len()), (0x30, 323));
    let arm64 = ImageFile { machine: 183, kind: 3, ..file };
    assert_eq!(KernelImage { arch: Arch::Amd64, ..arm64.parse() }, image);
}

#[test]
fn a_kernel_without_crcs_or_with_flags_is_read_too() {
    let plain = sample().without("__kcrctab").without("__kcrctab_gpl").parse();
    assert!(plain.exports.values().all(|export| export.crc.is_none()));
    let flags =
        sample().without("__ksymtab_gpl").without("__kcrctab_gpl").section("__kflagstab", 0, &[0, 1]).parse();
    assert_eq!(flags.exports.len(), 2);
    assert!(!flags.exports[&symbol("_printk")].gpl && flags.exports[&symbol("kfree")].gpl);
}

#[test]
fn a_reference_to_nothing_is_no_namespace() {
    let file = sample();
    let mut entries = file.data("__ksymtab").to_vec();
    entries[8..12].fill(0);
    let image = file.section("__ksymtab", TABLE, &entries).parse();
    assert_eq!(image.exports[&symbol("_printk")].namespace, None);
}

#[test]
fn other_images_are_refused_with_what_is_wrong() {
    let file = sample();
    let entries = file.data("__ksymtab").to_vec();
    let with = |place: usize, value: i32| {
        let mut entries = entries.clone();
        entries[place..place + 4].copy_from_slice(&value.to_le_bytes());
        file.clone().section("__ksymtab", TABLE, &entries)
    };
    for (file, part) in [
        (ImageFile { kind: 1, ..file.clone() }, "not linked to run"),
        (ImageFile { machine: 8, ..file.clone() }, "machine 8"),
        (file.clone().without(".rodata"), "what release it is"),
        (file.clone().without("__ksymtab_strings"), "section __ksymtab_strings: there is none"),
        (file.clone().section("__ksymtab", TABLE, &entries[1..]), "section __ksymtab: 23 bytes are no whole"),
        (file.clone().section("__kcrctab", 0, &[0; 4]), "section __kcrctab: it is not about the 2 exports"),
        (file.clone().section("__kflagstab", 0, &[0]), "section __kflagstab: it is not about the 2 exports"),
        (with(4, i32::MAX), "section __ksymtab: entry 0: its name is not in"),
        (with(4, 0), "section __ksymtab: entry 0: its name is not in"),
        (with(16, -0x8000 - 16), "section __ksymtab: entry 1: \"\" is not a symbol"),
        (with(20, i32::MIN), "section __ksymtab: entry 1: its namespace is not in"),
        (ImageFile::new(&[("a", 1, false, ""), ("a", 1, true, "")]), "symbol a is there twice"),
    ] {
        let problem = file.refused();
        assert!(problem.contains(part), "{problem:?} does not say {part:?}");
    }
}

#[test]
fn only_certificates_that_the_kernel_counts_are_trusted() {
    let (one, other) = (certificate("one", 1), certificate("other", 2));
    let lonely = [&one[..], &[0; 64]].concat();
    assert_eq!(subjects(&lonely), [""; 0]);
    for room in [0, 4100] {
        let list = trusted(&[one.clone(), other.clone()], room);
        assert_eq!(subjects(&list), ["one", "other"]);
        // Behind other data, and certificates that serve something else.
        let start = lonely.len().next_multiple_of(8);
        let mut data = lonely.clone();
        data.resize(start, 0);
        data.extend(&list);
        assert_eq!(subjects(&data), ["one", "other"]);
    }
    // A list of revoked certificates is followed by one number only.
    let mut revoked = trusted(std::slice::from_ref(&one), 0);
    let end = revoked.len();
    revoked[end - 8..].fill(0);
    assert_eq!(subjects(&revoked), [""; 0]);
}

#[test]
fn a_certificate_that_cannot_be_read_is_passed_over() {
    let (mut broken, sound) = (certificate("broken", 1), certificate("sound", 2));
    broken[8] = 0xff;
    assert_eq!(subjects(&trusted(&[broken, sound], 0)), ["sound"]);
}

#[test]
fn an_image_cut_short_is_an_error_at_every_length() {
    let bytes = sample().section(".init.data", 0, &trusted(&[certificate("build key", 5)], 0)).bytes();
    for length in 0..bytes.len() {
        assert!(KernelImage::parse(&bytes[..length]).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn no_change_to_an_image_makes_the_reader_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        words in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 0..2),
    ) {
        let mut bytes = sample().section(".init.data", 0, &trusted(&[certificate("build key", 5)], 0)).bytes();
        for (index, byte) in edits {
            *index.get_mut(&mut bytes) = byte;
        }
        for (index, word) in words {
            let (chunks, _) = bytes.as_chunks_mut::<8>();
            *index.get_mut(chunks) = word.to_le_bytes();
        }
        let _ = KernelImage::parse(&bytes);
    }
}

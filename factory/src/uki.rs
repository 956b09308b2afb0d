//! Unified kernel images: a UEFI program made of a boot stub, to which the kernel, its initramfs and its command line
//! are appended as sections.
//!
//! The sections are those of the UAPI group's "Unified Kernel Image (UKI)" specification.

use spec::{Arch, Diagnose, Outcome};

use crate::pe::{Headers, PeError, coff, machine, optional, section};

/// What a UKI is made of besides the stub. Texts have no terminating NUL.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// `.osrel`: what is booted, in the form of os-release.
    pub os_release: &'a str,
    /// `.uname`: the kernel release.
    pub uname: &'a str,
    /// `.cmdline`: the kernel command line.
    pub command_line: &'a str,
    /// `.initrd`: the initramfs.
    pub initramfs: &'a [u8],
    /// `.linux`: the kernel, itself a UEFI program.
    pub kernel: &'a [u8],
}

/// Names of the sections, in the order of [`Content::sections`].
const NAMES: [&str; 5] = [".osrel", ".uname", ".cmdline", ".initrd", ".linux"];

impl<'a> Content<'a> {
    /// The kernel is last: while it unpacks itself it uses the memory behind it.
    fn sections(&self) -> [&'a [u8]; NAMES.len()] {
        let Content { os_release, uname, command_line, initramfs, kernel } = *self;
        [os_release.as_bytes(), uname.as_bytes(), command_line.as_bytes(), initramfs, kernel]
    }
}

/// A boot stub that has room for the sections.
#[derive(Debug)]
pub struct Stub {
    file: Vec<u8>,
    headers: Headers,
}

impl Stub {
    /// Takes the bytes of a stub for `arch` and checks that the sections can be appended.
    pub fn parse(file: Vec<u8>, arch: Arch) -> Result<Stub, UkiError> {
        let headers = Headers::read(&file)?;
        check(&headers, arch)?;
        Ok(Stub { file, headers })
    }

    /// The stub with the sections behind its own, each at the next aligned address.
    pub fn link(&self, content: &Content<'_>) -> Result<Vec<u8>, UkiError> {
        let headers = &self.headers;
        let mut image = self.file.clone();
        let mut address = headers.end_address;
        let mut data = headers.initialized_data;
        for (index, (name, bytes)) in NAMES.iter().zip(content.sections()).enumerate() {
            address = align(address, headers.section_alignment)?;
            let raw = append_content(&mut image, bytes, headers.file_alignment)?;
            let header = section_header(name, bytes, address, raw);
            put(&mut image, headers.table_end + index * section::SIZE, &header);
            address = address.checked_add(length(bytes)?).ok_or(UkiError::TooLarge)?;
            data = data.checked_add(raw.size).ok_or(UkiError::TooLarge)?;
        }
        let count = headers.sections + NAMES.len() as u16;
        let size = align(address, headers.section_alignment)?;
        put(&mut image, headers.coff + coff::NUMBER_OF_SECTIONS, &count.to_le_bytes());
        put(&mut image, headers.optional + optional::SIZE_OF_INITIALIZED_DATA, &data.to_le_bytes());
        put(&mut image, headers.optional + optional::SIZE_OF_IMAGE, &size.to_le_bytes());
        // The stub's check sum is no longer right; UEFI does not look at it, and 0 says that there is none.
        put(&mut image, headers.optional + optional::CHECK_SUM, &[0; 4]);
        Ok(image)
    }
}

/// Can the sections be appended?
fn check(headers: &Headers, arch: Arch) -> Result<(), UkiError> {
    if headers.machine != machine(arch) {
        return Err(UkiError::Machine { found: headers.machine, arch });
    }
    if headers.certificates != 0 {
        return Err(UkiError::Signed);
    }
    if let Some(name) = NAMES.into_iter().find(|name| headers.names.contains(&padded(name))) {
        return Err(UkiError::AlreadyThere(name));
    }
    let free = headers.limit.saturating_sub(headers.table_end) / section::SIZE;
    match free >= NAMES.len() {
        true => Ok(()),
        false => Err(UkiError::NoRoom { free, needed: NAMES.len() }),
    }
}

/// Where the content of a section lies in the file.
#[derive(Clone, Copy)]
struct Raw {
    offset: u32,
    size: u32,
}

fn append_content(image: &mut Vec<u8>, content: &[u8], alignment: u32) -> Result<Raw, UkiError> {
    let offset = align(length(image)?, alignment)?;
    image.resize(offset as usize, 0);
    image.extend_from_slice(content);
    let end = align(length(image)?, alignment)?;
    image.resize(end as usize, 0);
    Ok(Raw { offset, size: end - offset })
}

fn section_header(name: &str, content: &[u8], address: u32, raw: Raw) -> [u8; section::SIZE] {
    let mut header = [0; section::SIZE];
    put(&mut header, 0, &padded(name));
    put(&mut header, section::VIRTUAL_SIZE, &(content.len() as u32).to_le_bytes());
    put(&mut header, section::VIRTUAL_ADDRESS, &address.to_le_bytes());
    put(&mut header, section::SIZE_OF_RAW_DATA, &raw.size.to_le_bytes());
    put(&mut header, section::POINTER_TO_RAW_DATA, &raw.offset.to_le_bytes());
    put(&mut header, section::CHARACTERISTICS, &section::INITIALIZED_READABLE.to_le_bytes());
    header
}

/// The name of a section as its header has it; those of [`NAMES`] are short enough.
fn padded(name: &str) -> [u8; section::NAME_SIZE] {
    let mut padded = [0; section::NAME_SIZE];
    put(&mut padded, 0, name.as_bytes());
    padded
}

/// Writes over bytes that are known to be there: in a header, or in the part of a file that [`Headers::read`] saw.
fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..at + new.len()].copy_from_slice(new);
}

fn align(value: u32, alignment: u32) -> Result<u32, UkiError> {
    value.checked_next_multiple_of(alignment).ok_or(UkiError::TooLarge)
}

fn length(bytes: &[u8]) -> Result<u32, UkiError> {
    u32::try_from(bytes.len()).map_err(|_| UkiError::TooLarge)
}

/// Why a stub cannot become a UKI.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UkiError {
    /// It is not a PE32+ file, or a damaged one.
    #[error("the stub is not a sound UEFI program")]
    NotPe(#[from] PeError),
    /// It is for another machine.
    #[error("the stub is for machine {found:#06x}, not for {arch}")]
    Machine {
        /// Its `Machine` field.
        found: u16,
        /// What is composed for.
        arch: Arch,
    },
    /// It carries a signature, which would no longer hold.
    #[error("the stub is signed; appending to it would break the signature")]
    Signed,
    /// It is a UKI already.
    #[error("the stub already has a section {0}")]
    AlreadyThere(&'static str),
    /// The section table cannot grow.
    #[error("the stub has room for {free} more section headers; {needed} are needed")]
    NoRoom {
        /// Headers that fit.
        free: usize,
        /// Headers to append.
        needed: usize,
    },
    /// Sizes and addresses have 32 bits.
    #[error("the UKI would be larger than 4 GiB")]
    TooLarge,
}

impl Diagnose for UkiError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            UkiError::TooLarge => None,
            UkiError::Signed => Some("give the unsigned stub; the finished UKI is what to sign".into()),
            _ => Some("give systemd's stub for the machine, such as linuxx64.efi.stub of the package systemd-boot-efi".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::uefi_program;

    const CONTENT: Content<'_> = Content {
        os_release: "ID=x\n",
        uname: "6.1.0",
        command_line: "quiet",
        initramfs: &[0x30; 0x1000],
        kernel: &[0x4d; 0x1234],
    };

    fn stub(room: usize) -> Vec<u8> {
        uefi_program(machine(Arch::Amd64), room)
    }

    fn uki(stub: Vec<u8>) -> Result<Vec<u8>, UkiError> {
        Stub::parse(stub, Arch::Amd64)?.link(&CONTENT)
    }

    fn refusal(stub: Vec<u8>) -> String {
        let error = uki(stub).unwrap_err();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    }

    #[test]
    fn binutils_sees_the_sections_where_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.efi");
        std::fs::write(&file, uki(stub(5)).unwrap()).unwrap();
        let output = Command::new("objdump").arg("-h").arg(&file).output().unwrap();
        let listing = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<String> = listing
            .lines()
            .filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()))
            .map(|line| line.split_whitespace().skip(1).take(3).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            rows,
            [
                ".text 00000010 0000000000001000",
                ".osrel 00000005 0000000000002000",
                ".uname 00000005 0000000000003000",
                ".cmdline 00000005 0000000000004000",
                ".initrd 00001000 0000000000005000",
                ".linux 00001234 0000000000006000",
            ],
            "{listing}"
        );
        for (name, content) in NAMES.into_iter().zip(CONTENT.sections()) {
            let out = directory.path().join("section");
            let option = format!("{name}={}", out.display());
            let status = Command::new("objcopy")
                .args(["-O", "binary", "--dump-section", &option])
                .arg(&file)
                .arg("/dev/null")
                .status();
            assert!(status.unwrap().success());
            assert!(std::fs::read(&out).unwrap() == content, "{name}");
        }
    }

    #[test]
    fn the_image_size_covers_all_sections() {
        let image = uki(stub(5)).unwrap();
        let headers = Headers::read(&image).unwrap();
        assert_eq!(headers.sections, 6);
        assert_eq!(headers.end_address, 0x8000);
        assert_eq!(headers.initialized_data, 0x200 + 3 * 0x200 + 0x1000 + 0x1400);
        assert!(image.len().is_multiple_of(0x200));
    }

    #[test]
    fn a_stub_that_cannot_bear_the_sections_is_refused() {
        insta::assert_snapshot!(refusal(stub(4)), @"the stub has room for 4 more section headers; 5 are needed");
        insta::assert_snapshot!(refusal(uefi_program(0xaa64, 5)), @"the stub is for machine 0xaa64, not for amd64");
        insta::assert_snapshot!(refusal(b"MZ".to_vec()), @"the stub is not a sound UEFI program: it is cut short");
        insta::assert_snapshot!(refusal(stub(5)[..200].to_vec()), @"the stub is not a sound UEFI program: it is cut short");
        insta::assert_snapshot!(refusal(vec![0; 500]), @"the stub is not a sound UEFI program: it does not start as one");
        let linked = uki(stub(10)).unwrap();
        insta::assert_snapshot!(refusal(linked), @"the stub already has a section .osrel");
        let mut signed = stub(5);
        signed[0x40 + 24 + optional::CERTIFICATE_TABLE_SIZE] = 1;
        insta::assert_snapshot!(refusal(signed), @"the stub is signed; appending to it would break the signature");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            flips in prop::collection::vec((0..560_usize, any::<u8>()), 0..6),
            cut in 0..2000_usize,
        ) {
            let mut bytes = stub(5);
            for (at, value) in flips {
                bytes[at] = value;
            }
            bytes.truncate(cut.max(1));
            drop(uki(bytes));
        }
    }
}

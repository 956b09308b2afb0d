//! The headers of a PE file, as far as they matter for appending sections to it.
//!
//! Numbers and offsets are those of Microsoft's "PE Format" specification (PE/COFF, revision 11).

use spec::Arch;

/// Where the 32-bit offset of the PE signature stands (MS-DOS stub).
const SIGNATURE_OFFSET: usize = 0x3c;
const SIGNATURE: &[u8] = b"PE\0\0";

/// COFF file header, which follows the signature.
pub(crate) mod coff {
    pub(crate) const SIZE: usize = 20;
    pub(crate) const MACHINE: usize = 0;
    pub(crate) const NUMBER_OF_SECTIONS: usize = 2;
    pub(crate) const NUMBER_OF_SECTIONS_MAX: u16 = 96;
    pub(crate) const SIZE_OF_OPTIONAL_HEADER: usize = 16;
}

/// Optional header in its PE32+ form, which follows the file header.
pub(crate) mod optional {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const MAGIC_PE32_PLUS: u16 = 0x20b;
    pub(crate) const SIZE_OF_INITIALIZED_DATA: usize = 8;
    pub(crate) const SECTION_ALIGNMENT: usize = 32;
    pub(crate) const FILE_ALIGNMENT: usize = 36;
    pub(crate) const FILE_ALIGNMENT_MAX: u32 = 64 << 10;
    pub(crate) const SIZE_OF_IMAGE: usize = 56;
    pub(crate) const SIZE_OF_HEADERS: usize = 60;
    pub(crate) const CHECK_SUM: usize = 64;
    /// Size of the Certificate Table (data directory 4), where signatures are.
    pub(crate) const CERTIFICATE_TABLE_SIZE: usize = 112 + 4 * 8 + 4;
    pub(crate) const CERTIFICATE_TABLE_END: usize = CERTIFICATE_TABLE_SIZE + 4;
}

/// Section header, an entry of the table that follows the optional header.
pub(crate) mod section {
    pub(crate) const SIZE: usize = 40;
    pub(crate) const NAME_SIZE: usize = 8;
    pub(crate) const VIRTUAL_SIZE: usize = 8;
    pub(crate) const VIRTUAL_ADDRESS: usize = 12;
    pub(crate) const SIZE_OF_RAW_DATA: usize = 16;
    pub(crate) const POINTER_TO_RAW_DATA: usize = 20;
    pub(crate) const CHARACTERISTICS: usize = 36;
    /// `IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ`.
    pub(crate) const INITIALIZED_READABLE: u32 = 0x4000_0040;
}

/// `IMAGE_FILE_MACHINE_AMD64` or `IMAGE_FILE_MACHINE_ARM64`.
pub(crate) const fn machine(arch: Arch) -> u16 {
    match arch {
        Arch::Amd64 => 0x8664,
        Arch::Arm64 => 0xaa64,
    }
}

/// Is it something that UEFI firmware can start on `arch`?
pub fn is_uefi_program(bytes: &[u8], arch: Arch) -> bool {
    Headers::read(bytes).is_ok_and(|headers| headers.machine == machine(arch))
}

/// What is needed of the headers of a PE file. All offsets are in bytes from its start and lie inside it.
#[derive(Debug)]
pub(crate) struct Headers {
    pub(crate) coff: usize,
    pub(crate) optional: usize,
    pub(crate) machine: u16,
    pub(crate) sections: u16,
    pub(crate) names: Vec<[u8; section::NAME_SIZE]>,
    /// End of the section table.
    pub(crate) table_end: usize,
    /// Where the headers must end: the first content of a section, or `SizeOfHeaders`.
    pub(crate) limit: usize,
    pub(crate) section_alignment: u32,
    pub(crate) file_alignment: u32,
    pub(crate) initialized_data: u32,
    /// First address after all sections.
    pub(crate) end_address: u32,
    pub(crate) certificates: u32,
}

impl Headers {
    pub(crate) fn read(file: &[u8]) -> Result<Headers, PeError> {
        let signature = u32_at(file, SIGNATURE_OFFSET)? as usize;
        if !file.starts_with(b"MZ") || bytes_at(file, signature, SIGNATURE.len())? != SIGNATURE {
            return Err(PeError("it does not start as one"));
        }
        let coff = signature + SIGNATURE.len(); // inside the file, as the bytes before it are
        let optional = coff + coff::SIZE;
        let optional_size = usize::from(u16_at(file, coff + coff::SIZE_OF_OPTIONAL_HEADER)?);
        if u16_at(file, optional + optional::MAGIC)? != optional::MAGIC_PE32_PLUS {
            return Err(PeError("it is not for a 64-bit machine"));
        }
        if optional_size < optional::CERTIFICATE_TABLE_END {
            return Err(PeError("its optional header is too short"));
        }
        let sections = u16_at(file, coff + coff::NUMBER_OF_SECTIONS)?;
        if sections > coff::NUMBER_OF_SECTIONS_MAX {
            return Err(PeError("it has more than 96 sections"));
        }
        let table_start = optional + optional_size;
        let table = bytes_at(file, table_start, usize::from(sections) * section::SIZE)?;
        let mut headers = Headers {
            coff,
            optional,
            machine: u16_at(file, coff + coff::MACHINE)?,
            sections,
            names: Vec::new(),
            table_end: table_start + table.len(),
            limit: file.len().min(u32_at(file, optional + optional::SIZE_OF_HEADERS)? as usize),
            section_alignment: alignment_at(file, optional + optional::SECTION_ALIGNMENT)?,
            file_alignment: alignment_at(file, optional + optional::FILE_ALIGNMENT)?,
            initialized_data: u32_at(file, optional + optional::SIZE_OF_INITIALIZED_DATA)?,
            end_address: u32_at(file, optional + optional::SIZE_OF_IMAGE)?,
            certificates: u32_at(file, optional + optional::CERTIFICATE_TABLE_SIZE)?,
        };
        if headers.file_alignment > optional::FILE_ALIGNMENT_MAX {
            return Err(PeError("its file alignment is above 64 KiB"));
        }
        for header in table.chunks_exact(section::SIZE) {
            headers.take_section(header)?;
        }
        Ok(headers)
    }

    fn take_section(&mut self, header: &[u8]) -> Result<(), PeError> {
        let mut name = [0; section::NAME_SIZE];
        name.copy_from_slice(bytes_at(header, 0, section::NAME_SIZE)?);
        self.names.push(name);
        let end = u32_at(header, section::VIRTUAL_ADDRESS)?
            .checked_add(u32_at(header, section::VIRTUAL_SIZE)?)
            .ok_or(PeError("a section ends beyond 4 GiB"))?;
        self.end_address = self.end_address.max(end);
        if u32_at(header, section::SIZE_OF_RAW_DATA)? > 0 {
            self.limit = self.limit.min(u32_at(header, section::POINTER_TO_RAW_DATA)? as usize);
        }
        Ok(())
    }
}

fn bytes_at(file: &[u8], at: usize, count: usize) -> Result<&[u8], PeError> {
    let end = at.checked_add(count).ok_or(PeError("it is cut short"))?;
    file.get(at..end).ok_or(PeError("it is cut short"))
}

fn u16_at(file: &[u8], at: usize) -> Result<u16, PeError> {
    Ok(bytes_at(file, at, 2)?.iter().rev().fold(0, |value, byte| value << 8 | u16::from(*byte)))
}

fn u32_at(file: &[u8], at: usize) -> Result<u32, PeError> {
    Ok(bytes_at(file, at, 4)?.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

fn alignment_at(file: &[u8], at: usize) -> Result<u32, PeError> {
    match u32_at(file, at)? {
        value if value.is_power_of_two() => Ok(value),
        _ => Err(PeError("an alignment is not a power of two")),
    }
}

/// Why a file is not a PE32+ file that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PeError(&'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::uefi_program;

    #[test]
    fn a_kernel_is_told_from_something_else() {
        assert!(is_uefi_program(&uefi_program(0x8664, 0), Arch::Amd64));
        assert!(!is_uefi_program(&uefi_program(0x8664, 0), Arch::Arm64));
        assert!(!is_uefi_program(b"\x7fELF", Arch::Amd64));
    }

    #[test]
    fn numbers_that_would_lead_astray_are_refused() {
        let set = |at: usize, value: u32| {
            let mut bytes = uefi_program(0x8664, 0);
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            Headers::read(&bytes).map(|_| ()).map_err(|error| error.0)
        };
        let (coff, optional) = (0x44, 0x44 + coff::SIZE);
        assert_eq!(set(SIGNATURE_OFFSET, u32::MAX), Err("it is cut short"));
        assert_eq!(set(coff + coff::NUMBER_OF_SECTIONS, 97), Err("it has more than 96 sections"));
        assert_eq!(
            set(optional + optional::FILE_ALIGNMENT, 1 << 31),
            Err("its file alignment is above 64 KiB")
        );
        assert_eq!(set(optional + optional::SECTION_ALIGNMENT, 0), Err("an alignment is not a power of two"));
        assert_eq!(set(optional + 240 + section::VIRTUAL_SIZE, u32::MAX), Err("a section ends beyond 4 GiB"));
    }
}

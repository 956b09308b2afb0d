//! What can be wrong with a kernel image.

use std::io;

use spec::{Diagnose, Outcome};

use super::MAX_BYTES;
use crate::ksymtab::TableProblem;

/// Why a file is not a kernel image that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Larger than any kernel.
    #[error("the kernel image has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Neither kind of image.
    #[error("the file is neither an ELF file nor a kernel image for x86")]
    NotKernel,
    /// An image that the boot loader starts and that is no ELF file inside.
    #[error("a kernel image of the form {0} has no list of its exports")]
    NoTables(&'static str),
    /// The header of a vmlinuz leads outside the file.
    #[error("{field} at offset {offset:#x} has {value:#x}, which leads outside the file")]
    Header {
        /// The field, as Documentation/arch/x86/boot.rst calls it.
        field: &'static str,
        /// Its place in the file.
        offset: usize,
        /// What it says.
        value: u32,
    },
    /// The header is of a time before fields that are needed.
    #[error("the boot protocol at offset 0x206 is {0:#06x}; kernels since 2.6.26 have 0x0208 or more")]
    Protocol(u16),
    /// Packed in a way that is not read.
    #[error("the kernel inside is packed with {0}; only gzip, xz, zstd and lz4 are read")]
    Packing(&'static str),
    /// The kernel inside is damaged or cut short.
    #[error("the kernel inside, which is packed with {packing}, cannot be unpacked")]
    Damaged {
        /// What it is packed with.
        packing: &'static str,
        /// What the decompressor says.
        #[source]
        source: io::Error,
    },
    /// The ELF file is broken.
    #[error("the ELF file is broken: {0}")]
    Elf(&'static str),
    /// `e_machine` is that of no [`spec::Arch`].
    #[error("the ELF file is for machine {0}; expected 62 (amd64) or 183 (arm64)")]
    Machine(u16),
    /// A section is broken.
    #[error("section {section}: {complaint}")]
    Section {
        /// Its name.
        section: &'static str,
        /// What is wrong with it.
        complaint: String,
    },
    /// There is no "Linux version".
    #[error("the kernel does not say what release it is")]
    Release,
}

impl ImageError {
    pub(super) fn section(section: &'static str, complaint: impl Into<String>) -> ImageError {
        ImageError::Section { section, complaint: complaint.into() }
    }
}

impl From<TableProblem> for ImageError {
    fn from(problem: TableProblem) -> ImageError {
        match problem {
            TableProblem::Length { section, length, entry: _ } => {
                ImageError::section(section, format!("{length} bytes are no whole number of entries"))
            }
            TableProblem::Count { section, wanted, found: _ } => {
                ImageError::section(section, format!("it is not about the {wanted} exports that there are"))
            }
        }
    }
}

impl Diagnose for ImageError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            ImageError::NoTables(_) | ImageError::Packing(_) => {
                Some("give vmlinux or the Module.symvers of its build".to_owned())
            }
            _ => None,
        }
    }
}

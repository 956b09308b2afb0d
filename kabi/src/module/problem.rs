//! What can be wrong with a module file.

use spec::{Diagnose, Outcome, TreePath};

use crate::compress::MAX_BYTES;
use crate::ksymtab::TableProblem;
use crate::signature::SignatureProblem;

/// A file that is not a module that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct ModuleError {
    /// Where the module is, or will be, in its image.
    pub path: TreePath,
    /// What is wrong with it.
    pub problem: ModuleProblem,
}

impl Diagnose for ModuleError {
    fn outcome(&self) -> Outcome {
        self.problem.outcome()
    }

    fn hint(&self) -> Option<String> {
        self.problem.hint()
    }
}

impl From<TableProblem> for ModuleProblem {
    fn from(problem: TableProblem) -> ModuleProblem {
        match problem {
            TableProblem::Length { section, length, entry } => {
                ModuleProblem::SectionLength { section, length, entry }
            }
            TableProblem::Count { section, wanted, found } => {
                ModuleProblem::ExportTables { section, wanted, found }
            }
        }
    }
}

impl Diagnose for ModuleProblem {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            ModuleProblem::ExportNameless { .. } => {
                Some("remove no more than debug information: strip --strip-debug".to_owned())
            }
            _ => None,
        }
    }
}

/// What is wrong with a module file, with offset, section or key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleProblem {
    /// Larger than any module.
    #[error("the file has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// No ELF header at offset 0, or one of another class or byte order.
    #[error("the file does not start with the header of a 64-bit little-endian ELF file")]
    NotElf,
    /// `e_type` is not ET_REL.
    #[error("the ELF file is of type {0}; a module is relocatable, type 1")]
    NotRelocatable(u16),
    /// `e_machine` is that of no [`spec::Arch`].
    #[error("the ELF file is for machine {0}; expected 62 (amd64) or 183 (arm64)")]
    Machine(u16),
    /// The section headers do not lie within the file, or their names do not.
    #[error("the section headers at offset {offset:#x} are broken or lie outside the file's {size} bytes")]
    SectionHeaders {
        /// `e_shoff`.
        offset: u64,
        /// Size of the file.
        size: usize,
    },
    /// A section does not lie within the file.
    #[error(
        "section {section} at offset {offset:#x} with {length} bytes lies outside the file's {size} bytes"
    )]
    SectionOutside {
        /// Name or number of the section.
        section: String,
        /// `sh_offset`.
        offset: u64,
        /// `sh_size`.
        length: u64,
        /// Size of the file.
        size: usize,
    },
    /// A section that every module has once is missing.
    #[error("there is no section {0}")]
    SectionMissing(&'static str),
    /// A section that a module has once is there again.
    #[error("there is more than one section {0}")]
    SectionTwice(&'static str),
    /// The size of a table is not a multiple of the size of its entries.
    #[error("section {section} has {length} bytes, which is not a whole number of entries of {entry} bytes")]
    SectionLength {
        /// Name of the section.
        section: &'static str,
        /// Its size.
        length: usize,
        /// Size of one entry.
        entry: usize,
    },
    /// The same of a table of relocations.
    #[error("the relocations of section {0} are not a whole number of entries")]
    RelocationLength(&'static str),
    /// Two tables that have an entry per export differ in length.
    #[error("section {section} has entries for {found} exports; there are {wanted}")]
    ExportTables {
        /// The table with the other length.
        section: &'static str,
        /// Entries of `__ksymtab`.
        wanted: usize,
        /// Entries of the section.
        found: usize,
    },
    /// An export that no symbol names.
    #[error("section {section} has {entries} exports, and only {named} of them are named by symbols")]
    ExportNameless {
        /// The table of exports.
        section: &'static str,
        /// How many it has.
        entries: usize,
        /// How many have a name.
        named: usize,
    },
    /// A variable that is declared here or elsewhere, nobody knows; the loader refuses such modules.
    #[error("symbol {0} is a common one: the module was not built with -fno-common")]
    CommonSymbol(String),
    /// The signature at its end is broken.
    #[error(transparent)]
    Signature(#[from] SignatureProblem),
    /// More of something than any module has.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A string in a table does not end, is too long, or is not what it should be.
    #[error("{place}: {complaint}")]
    Text {
        /// Section and entry, or key of `.modinfo`.
        place: String,
        /// What is wrong with it.
        complaint: String,
    },
    /// A key that every module has is not in `.modinfo`.
    #[error("section .modinfo has no {0}=")]
    InfoMissing(&'static str),
    /// The module calls itself otherwise than its file.
    #[error("section .modinfo has name={0}, which is not the name of the file")]
    NameDiffers(String),
}

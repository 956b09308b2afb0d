//! The ELF file around a module: sections and symbols, each checked against the end of the file.

use object::LittleEndian as LE;
use object::elf::{ET_REL, FileHeader64, SHT_SYMTAB, SectionHeader64, Sym64};
use object::read::elf::{FileHeader, SectionHeader};
use spec::Arch;

use crate::compress::MAX_BYTES;
use crate::problem::ModuleProblem;

/// Far above any module: those of Debian's 6.1 cloud kernel have up to 93 sections and 8,558 symbols.
const MAX_SECTIONS: usize = 1 << 16;
const MAX_SYMBOLS: usize = 1 << 20;
/// Longer section names are not ours to find.
const SECTION_NAME_MAX: usize = 63;

pub(crate) type Symbol = Sym64<LE>;

/// A relocatable ELF file whose sections all lie within it.
pub(crate) struct Elf<'a> {
    bytes: &'a [u8],
    pub(crate) arch: Arch,
    sections: &'a [SectionHeader64<LE>],
    section_names: &'a [u8],
}

/// The symbols of a file with the strings they are named by.
#[derive(Clone, Copy)]
pub(crate) struct SymbolTable<'a> {
    pub(crate) symbols: &'a [Symbol],
    names: &'a [u8],
}

impl<'a> Elf<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Elf<'a>, ModuleProblem> {
        if bytes.len() > MAX_BYTES {
            return Err(ModuleProblem::TooLarge(bytes.len()));
        }
        let header = FileHeader64::<LE>::parse(bytes).map_err(|_| ModuleProblem::NotElf)?;
        if !header.is_class_64() || !header.is_little_endian() {
            return Err(ModuleProblem::NotElf);
        }
        if header.e_type(LE) != ET_REL {
            return Err(ModuleProblem::NotRelocatable(header.e_type(LE).0));
        }
        let machine = header.e_machine(LE).0;
        let arch = [Arch::Amd64, Arch::Arm64].into_iter().find(|arch| arch.elf_machine() == machine);
        let arch = arch.ok_or(ModuleProblem::Machine(machine))?;

        let broken = || ModuleProblem::SectionHeaders { offset: header.e_shoff(LE), size: bytes.len() };
        let sections = header.section_headers(LE, bytes).map_err(|_| broken())?;
        if sections.len() > MAX_SECTIONS {
            return Err(ModuleProblem::TooMany { what: "sections", limit: MAX_SECTIONS });
        }
        let names = header.section_strings_index(LE, bytes).map_err(|_| broken())?;
        let names = sections.get(names.0).ok_or_else(broken)?;
        let section_names = names.data(LE, bytes).map_err(|_| broken())?;

        let elf = Elf { bytes, arch, sections, section_names };
        elf.check_bounds()?;
        Ok(elf)
    }

    fn check_bounds(&self) -> Result<(), ModuleProblem> {
        (0..self.sections.len()).try_for_each(|index| self.data(index).map(|_| ()))
    }

    fn name(&self, index: usize) -> Option<&'a [u8]> {
        c_string(self.section_names, self.sections[index].sh_name(LE), SECTION_NAME_MAX)
    }

    fn data(&self, index: usize) -> Result<&'a [u8], ModuleProblem> {
        let header = &self.sections[index];
        header.data(LE, self.bytes).map_err(|_| ModuleProblem::SectionOutside {
            section: match self.name(index) {
                Some(name) => name.escape_ascii().to_string(),
                None => format!("number {index}"),
            },
            offset: header.sh_offset(LE),
            length: header.sh_size(LE),
            size: self.bytes.len(),
        })
    }

    /// Number and contents of the section called `name`, if there is one; two are an error.
    pub(crate) fn section(&self, name: &'static str) -> Result<Option<(usize, &'a [u8])>, ModuleProblem> {
        let mut found = (0..self.sections.len()).filter(|&index| self.name(index) == Some(name.as_bytes()));
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(index), None) => Ok(Some((index, self.data(index)?))),
            (Some(_), Some(_)) => Err(ModuleProblem::SectionTwice(name)),
        }
    }

    /// Contents of a section that every module has.
    pub(crate) fn required(&self, name: &'static str) -> Result<&'a [u8], ModuleProblem> {
        self.section(name)?.map(|(_, data)| data).ok_or(ModuleProblem::SectionMissing(name))
    }

    /// The one symbol table; the kernel wants exactly one, too.
    pub(crate) fn symbols(&self) -> Result<SymbolTable<'a>, ModuleProblem> {
        let mut tables = self.sections.iter().filter(|header| header.sh_type(LE) == SHT_SYMTAB);
        let table = tables.next().ok_or(ModuleProblem::SectionMissing(".symtab"))?;
        if tables.next().is_some() {
            return Err(ModuleProblem::SectionTwice(".symtab"));
        }
        let symbols = table.data_as_array(LE, self.bytes).map_err(|_| ModuleProblem::SectionLength {
            section: ".symtab",
            length: usize::try_from(table.sh_size(LE)).unwrap_or(usize::MAX),
            entry: size_of::<Symbol>(),
        })?;
        if symbols.len() > MAX_SYMBOLS {
            return Err(ModuleProblem::TooMany { what: "symbols", limit: MAX_SYMBOLS });
        }
        let link = table.sh_link(LE) as usize;
        let names = match link < self.sections.len() {
            true => self.data(link)?,
            false => return Err(ModuleProblem::SectionMissing(".strtab")),
        };
        Ok(SymbolTable { symbols, names })
    }
}

impl<'a> SymbolTable<'a> {
    /// The name of a symbol, if it ends and has at most `max` bytes.
    pub(crate) fn name(&self, symbol: &Symbol, max: usize) -> Option<&'a [u8]> {
        c_string(self.names, symbol.st_name.get(LE), max)
    }
}

/// The string that starts at `offset` and ends before a NUL, if it has at most `max` bytes. Bounded, because many
/// names may share one long run of bytes.
pub(crate) fn c_string(table: &[u8], offset: u32, max: usize) -> Option<&[u8]> {
    let rest = table.get(offset as usize..)?;
    let window = &rest[..rest.len().min(max + 1)];
    let end = window.iter().position(|&byte| byte == 0)?;
    Some(&window[..end])
}

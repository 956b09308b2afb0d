//! The ELF file around a module: sections and symbols, each checked against the end of the file.

use object::LittleEndian as LE;
use object::elf::{ET_REL, FileHeader64, Rela64, SHT_RELA, SHT_SYMTAB, SectionHeader64, Sym64};
use object::read::elf::{FileHeader, SectionHeader};
use spec::Arch;

use crate::compress::MAX_BYTES;
use crate::module::ModuleProblem;

/// Far above any module: those of Debian's 6.1 cloud kernel have up to 93 sections and 8,558 symbols.
const MAX_SECTIONS: usize = 1 << 16;
const MAX_SYMBOLS: usize = 1 << 20;
/// Of one section; far above those of `struct module`, which has two.
const MAX_RELOCATIONS: usize = 1 << 12;
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

    /// What the loader writes into section `number`, called `name`; nothing if that is all in the file.
    pub(crate) fn relocations(
        &self,
        number: usize,
        name: &'static str,
    ) -> Result<&'a [Rela64<LE>], ModuleProblem> {
        let applies = |header: &&SectionHeader64<LE>| {
            header.sh_type(LE) == SHT_RELA && header.sh_info(LE) as usize == number
        };
        let Some(header) = self.sections.iter().find(applies) else {
            return Ok(&[]);
        };
        let relocations: &[Rela64<LE>] =
            header.data_as_array(LE, self.bytes).map_err(|_| ModuleProblem::RelocationLength(name))?;
        match relocations.len() <= MAX_RELOCATIONS {
            true => Ok(relocations),
            false => {
                Err(ModuleProblem::TooMany { what: "relocations of one section", limit: MAX_RELOCATIONS })
            }
        }
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

    /// The name of the symbol with this number, if there is one and its name is not longer than that of a section.
    pub(crate) fn name_of(&self, number: u32) -> Option<&'a [u8]> {
        self.name(self.symbols.get(number as usize)?, SECTION_NAME_MAX)
    }

    /// The symbols whose name starts with `prefix`, by the rest of it, which has at most `max` bytes.
    pub(crate) fn prefixed(
        self,
        prefix: &'static str,
        max: usize,
    ) -> impl Iterator<Item = (&'a [u8], &'a Symbol)> {
        self.symbols.iter().filter_map(move |symbol| {
            let name = self.names.get(symbol.st_name.get(LE) as usize..)?;
            Some((c_string(name.strip_prefix(prefix.as_bytes())?, 0, max)?, symbol))
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;
    use crate::testing::ModuleFile;

    /// Fields of a section header (ELF gABI, chapter 4, Sections).
    const TYPE: usize = 4;
    const OFFSET: usize = 24;
    const SIZE: usize = 32;
    const LINK: usize = 40;
    const INFO: usize = 44;

    fn file() -> ModuleFile {
        ModuleFile::new("m").import("a", 1).weak("b").export_in("c", 2, true, "N").layout(
            64,
            Some(8),
            Some(16),
        )
    }

    /// What becomes of the module when each of these fields of each section holds `value`, one by one and all at once.
    fn problems(field: usize, value: u32) -> Vec<String> {
        let bytes = file().bytes();
        let headers = u64::from_le_bytes(*bytes[0x28..].first_chunk().unwrap()) as usize;
        let number = usize::from(u16::from_le_bytes(*bytes[0x3c..].first_chunk().unwrap()));
        let places: Vec<usize> = (1..number).map(|index| headers + index * 64 + field).collect();
        let with = |places: &[usize]| {
            let mut bytes = bytes.clone();
            for place in places {
                bytes[*place..place + 4].copy_from_slice(&value.to_le_bytes());
            }
            Module::parse(&file().path(), &bytes).err().map(|error| error.problem.to_string())
        };
        let one_by_one = places.iter().filter_map(|place| with(&[*place]));
        one_by_one.chain(with(&places)).collect()
    }

    #[test]
    fn sections_may_lie_on_each_other_and_are_read_within_the_file() {
        for offset in [0, 1, 0x40, 200] {
            problems(OFFSET, offset);
        }
        let size = file().bytes().len() as u32;
        for outside in [problems(SIZE, size), problems(OFFSET, size + 1), problems(OFFSET, u32::MAX)] {
            assert!(outside.len() > 10, "{outside:?}");
            assert!(outside.iter().all(|problem| problem.contains("outside")), "{outside:?}");
        }
    }

    #[test]
    fn sections_that_lead_to_each_other_end() {
        for target in (0..20).chain([u32::MAX]) {
            problems(LINK, target);
            problems(INFO, target);
        }
        // All are tables of symbols, or of relocations, and lead to themselves.
        for kind in [SHT_SYMTAB, SHT_RELA] {
            assert!(!problems(TYPE, kind.0).is_empty());
        }
    }

    #[test]
    fn relocations_are_those_of_one_section() {
        let module = file().bytes();
        let elf = Elf::parse(&module).unwrap();
        let (number, _) = elf.section(".gnu.linkonce.this_module").unwrap().unwrap();
        assert_eq!(elf.relocations(number, "x").unwrap().len(), 2);
        assert_eq!(elf.relocations(1000, "x").unwrap().len(), 0);
    }
}

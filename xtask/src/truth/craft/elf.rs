//! A kernel module whose bytes are changed in place: an ELF file for relocation, of 64 bits and little-endian.
//!
//! Sections are found anew for each change. A section that gets other content gets it at the end of the file, so that
//! nothing else moves.

use std::mem::{offset_of, size_of};
use std::ops::Range;

use object::elf::{self, FileHeader64, Rela64, SectionHeader64, Sym64};
use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::{LittleEndian, SymbolIndex};

use crate::Error;

type Header = FileHeader64<LittleEndian>;
type Shdr = SectionHeader64<LittleEndian>;
type Symbol = Sym64<LittleEndian>;
type Rela = Rela64<LittleEndian>;

/// An entry of `__versions`, `struct modversion_info` (linux/module.h): the CRC in eight bytes, and the name.
const VERSION: usize = 64;
const VERSION_NAME: usize = 8;

/// What the loader takes the module's `struct module` from, and where its start and end functions are put into that.
const THIS_MODULE: &str = ".gnu.linkonce.this_module";
const THIS_MODULE_RELOCATIONS: &str = ".rela.gnu.linkonce.this_module";

/// The file, whole.
#[derive(Debug)]
pub(super) struct Elf {
    bytes: Vec<u8>,
}

/// Where a section is.
struct Section {
    /// Its header.
    header: usize,
    content: Range<usize>,
}

impl Elf {
    pub(super) fn new(bytes: Vec<u8>) -> Elf {
        Elf { bytes }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Makes it a file of another machine.
    pub(super) fn make_arm64(&mut self) -> Result<(), Error> {
        self.put(offset_of!(Header, e_machine), &elf::EM_AARCH64.0.to_le_bytes());
        Ok(())
    }

    /// Makes it a file of another kind.
    pub(super) fn make_shared_library(&mut self) -> Result<(), Error> {
        self.put(offset_of!(Header, e_type), &elf::ET_DYN.0.to_le_bytes());
        Ok(())
    }

    /// Lets the symbols be where nobody looks for any.
    pub(super) fn hide_symbols(&mut self) -> Result<(), Error> {
        self.set_section_header(".symtab", offset_of!(Shdr, sh_type), &elf::SHT_PROGBITS.0.to_le_bytes())
    }

    /// Lets a section be longer by what follows it.
    pub(super) fn lengthen_section(&mut self, name: &str, by: usize) -> Result<(), Error> {
        let size = (self.section(name)?.content.len() + by) as u64;
        self.set_section_header(name, offset_of!(Shdr, sh_size), &size.to_le_bytes())
    }

    /// Lets a section begin behind the end of the file.
    pub(super) fn lose_section(&mut self, name: &str) -> Result<(), Error> {
        let outside = self.bytes.len() as u64 + 1;
        self.set_section_header(name, offset_of!(Shdr, sh_offset), &outside.to_le_bytes())
    }

    /// Overwrites a part of the header of a section, which is at `at` in it.
    fn set_section_header(&mut self, name: &str, at: usize, value: &[u8]) -> Result<(), Error> {
        let header = self.section(name)?.header;
        self.put(header + at, value);
        Ok(())
    }

    /// Lets a section have the name of another; the empty string is a name as well.
    pub(super) fn rename_section(&mut self, name: &str, like: &str) -> Result<(), Error> {
        let name_of = match like {
            // The first section is none and has no name (the ELF specification, "Special Section Indexes").
            "" => [0; 4],
            _ => {
                let at = self.section(like)?.header + offset_of!(Shdr, sh_name);
                self.bytes[at..at + 4].try_into().expect("four bytes are four bytes")
            }
        };
        self.set_section_header(name, offset_of!(Shdr, sh_name), &name_of)
    }

    /// The content of a section, to be changed where it is.
    pub(super) fn content_mut(&mut self, name: &str) -> Result<&mut [u8], Error> {
        let content = self.section(name)?.content;
        Ok(&mut self.bytes[content])
    }

    /// Gives a section other content.
    pub(super) fn replace(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        // No section asks for more (__versions and `struct module` do for 32 and 64).
        self.bytes.resize(self.bytes.len().next_multiple_of(64), 0);
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(content);
        self.set_section_header(name, offset_of!(Shdr, sh_offset), &start.to_le_bytes())?;
        self.set_section_header(name, offset_of!(Shdr, sh_size), &(content.len() as u64).to_le_bytes())
    }

    /// Changes the list of `KEY=VALUE` that the module says about itself.
    pub(super) fn edit_info(&mut self, edit: impl FnOnce(&mut Vec<String>)) -> Result<(), Error> {
        let info = String::from_utf8_lossy(self.content_mut(".modinfo")?).into_owned();
        let mut entries: Vec<String> =
            info.split('\0').filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        edit(&mut entries);
        self.replace(
            ".modinfo",
            entries.iter().flat_map(|entry| [entry, "\0"]).collect::<String>().as_bytes(),
        )
    }

    /// Lets the module say something else under a key, everywhere that it has it.
    pub(super) fn set_info(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let start = format!("{key}=");
        self.edit_info(|entries| {
            for entry in entries.iter_mut().filter(|entry| entry.starts_with(&start)) {
                *entry = format!("{start}{value}");
            }
        })
    }

    /// Replaces a part of what the module says about the kernel that it was built for.
    pub(super) fn edit_vermagic(&mut self, old: &str, new: &str) -> Result<(), Error> {
        self.edit_info(|entries| {
            for entry in entries.iter_mut().filter(|entry| entry.starts_with("vermagic=")) {
                *entry = entry.replacen(old, new, 1);
            }
        })
    }

    /// Lets the module say nothing under a key.
    pub(super) fn remove_info(&mut self, key: &str) -> Result<(), Error> {
        let start = format!("{key}=");
        self.edit_info(|entries| entries.retain(|entry| !entry.starts_with(&start)))
    }

    /// Gives the module another name, which is not longer than its own.
    pub(super) fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        assert!(new.len() <= old.len(), "the name is in an array, and what follows it is not known");
        self.set_info("name", new)?;
        let content = self.content_mut(THIS_MODULE)?;
        let place = content.windows(old.len()).position(|window| window == old.as_bytes());
        let place = place.ok_or_else(|| missing("the name of its struct module"))?;
        content[place..place + old.len()].fill(0);
        content[place..place + new.len()].copy_from_slice(new.as_bytes());
        Ok(())
    }

    /// Changes the CRC that the module has of a symbol.
    pub(super) fn change_crc(&mut self, symbol: &str) -> Result<(), Error> {
        let place = self.version(symbol)?;
        self.content_mut("__versions")?[place] ^= 1;
        Ok(())
    }

    /// Removes the CRC that the module has of a symbol, and says nothing about it.
    pub(super) fn remove_version(&mut self, symbol: &str) -> Result<(), Error> {
        let place = self.version(symbol)?;
        let mut versions = self.content_mut("__versions")?.to_vec();
        versions.drain(place..place + VERSION);
        self.replace("__versions", &versions)
    }

    /// Lets the module import a symbol under another name, with the CRC that it had.
    pub(super) fn rename_import(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let entry = self.symbol(old)?;
        let mut strings = self.content_mut(".strtab")?.to_vec();
        let name = strings.len() as u32;
        strings.extend_from_slice(new.as_bytes());
        strings.push(0);
        self.replace(".strtab", &strings)?;
        self.put(entry + offset_of!(Symbol, st_name), &name.to_le_bytes());
        let place = self.version(old)? + VERSION_NAME;
        let field = &mut self.content_mut("__versions")?[place..place + VERSION - VERSION_NAME];
        field.fill(0);
        field[..new.len()].copy_from_slice(new.as_bytes());
        Ok(())
    }

    /// Lets two imports change places in the symbol table, and with that all that refers to them.
    pub(super) fn swap_imports(&mut self, one: &str, other: &str) -> Result<(), Error> {
        let names = [self.symbol(one)?, self.symbol(other)?].map(|entry| entry + offset_of!(Symbol, st_name));
        (0..size_of::<u32>()).for_each(|byte| self.bytes.swap(names[0] + byte, names[1] + byte));
        Ok(())
    }

    /// Lets the module export a symbol under another name, which is as long.
    pub(super) fn rename_export(&mut self, old: &str, new: &str) -> Result<(), Error> {
        for (section, before) in [("__ksymtab_strings", ""), (".strtab", "__ksymtab_")] {
            let [old, new] = [old, new].map(|name| format!("{before}{name}\0"));
            let content = self.content_mut(section)?;
            let place = content.windows(old.len()).position(|window| window == old.as_bytes());
            let place = place.ok_or_else(|| missing(&old))?;
            content[place..place + old.len()].copy_from_slice(new.as_bytes());
        }
        Ok(())
    }

    /// Lets the module do without a symbol that nobody has.
    pub(super) fn make_weak(&mut self, symbol: &str) -> Result<(), Error> {
        let at = self.symbol(symbol)? + offset_of!(Symbol, st_info);
        // The binding is the upper half (the ELF specification, `ELF64_ST_BIND`).
        self.bytes[at] = elf::STB_WEAK.0 << 4 | self.bytes[at] & 0xf;
        Ok(())
    }

    /// Lets a symbol be as compilers without `-fno-common` make variables.
    pub(super) fn make_common(&mut self, symbol: &str) -> Result<(), Error> {
        let at = self.symbol(symbol)? + offset_of!(Symbol, st_shndx);
        self.put(at, &elf::SHN_COMMON.0.to_le_bytes());
        Ok(())
    }

    /// Lets the loader put a function of the module so many bytes further into its `struct module`.
    pub(super) fn move_function(&mut self, function: &str, by: i64) -> Result<(), Error> {
        let place = self.relocation(function)?;
        let at = place + offset_of!(Rela, r_offset);
        let offset =
            u64::from_le_bytes(self.bytes[at..at + 8].try_into().expect("eight bytes are eight bytes"));
        self.put(at, &offset.wrapping_add_signed(by).to_le_bytes());
        Ok(())
    }

    /// Lets the module have no such function: the relocation does nothing (`R_X86_64_NONE`, about no symbol).
    pub(super) fn remove_function(&mut self, function: &str) -> Result<(), Error> {
        let place = self.relocation(function)?;
        self.put(place + offset_of!(Rela, r_info), &u64::from(elf::R_X86_64_NONE.0).to_le_bytes());
        Ok(())
    }

    fn relocation(&self, function: &str) -> Result<usize, Error> {
        let symbol = (self.symbol(function)? - self.section(".symtab")?.content.start) / size_of::<Symbol>();
        let content = self.section(THIS_MODULE_RELOCATIONS)?.content;
        let about = |place: &usize| {
            // The symbol is the upper half of r_info (`ELF64_R_SYM`).
            let at = place + offset_of!(Rela, r_info) + 4;
            self.bytes[at..at + 4] == (symbol as u32).to_le_bytes()
        };
        content.step_by(size_of::<Rela>()).find(about).ok_or_else(|| missing(function))
    }

    /// Where in `__versions` a symbol is.
    fn version(&self, symbol: &str) -> Result<usize, Error> {
        let versions = &self.bytes[self.section("__versions")?.content];
        let is_wanted =
            |entry: &[u8]| entry[VERSION_NAME..].split(|byte| *byte == 0).next() == Some(symbol.as_bytes());
        let place = versions.chunks_exact(VERSION).position(is_wanted);
        place.map(|index| index * VERSION).ok_or_else(|| missing(symbol))
    }

    fn section(&self, name: &str) -> Result<Section, Error> {
        let (header, sections) = self.sections()?;
        let found = sections.section_by_name(LittleEndian, name.as_bytes());
        let (index, section) = found.ok_or_else(|| missing(name))?;
        let (start, size) = section.file_range(LittleEndian).ok_or_else(|| missing(name))?;
        let first = header.e_shoff(LittleEndian) as usize;
        let (start, end) = (start as usize, (start + size) as usize);
        Ok(Section { header: first + index.0 * size_of::<Shdr>(), content: start..end })
    }

    /// Where in the file a symbol is.
    fn symbol(&self, name: &str) -> Result<usize, Error> {
        let (_, sections) = self.sections()?;
        let symbols =
            sections.symbols(LittleEndian, self.bytes.as_slice(), elf::SHT_SYMTAB).map_err(unreadable)?;
        let strings = symbols.strings();
        let is_wanted = |symbol: &Symbol| symbol.name(LittleEndian, strings) == Ok(name.as_bytes());
        let index =
            symbols.enumerate().find(|(_, symbol)| is_wanted(symbol)).map(|(SymbolIndex(index), _)| index);
        let index = index.ok_or_else(|| missing(name))?;
        Ok(self.section(".symtab")?.content.start + index * size_of::<Symbol>())
    }

    fn sections(&self) -> Result<(&Header, object::read::elf::SectionTable<'_, Header>), Error> {
        let bytes = self.bytes.as_slice();
        let header = Header::parse(bytes).map_err(unreadable)?;
        Ok((header, header.sections(LittleEndian, bytes).map_err(unreadable)?))
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        self.bytes[at..at + value.len()].copy_from_slice(value);
    }
}

fn missing(what: &str) -> Error {
    Error::Truth(format!("a module that is to be changed lacks {what}"))
}

fn unreadable(cause: object::read::Error) -> Error {
    Error::Truth(format!("a module that is to be changed cannot be read: {cause}"))
}

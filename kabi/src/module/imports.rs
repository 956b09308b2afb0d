//! What a module takes from elsewhere: the symbols that it leaves undefined.

use std::collections::BTreeMap;

use object::LittleEndian as LE;
use object::elf::{SHN_COMMON, SHN_UNDEF, STB_WEAK, SymbolSection};
use spec::Arch;

use super::problem::ModuleProblem;
use super::versions::Versions;
use super::{Import, MAX_NAMES, endless, text};
use crate::elf::SymbolTable;
use crate::text::SYMBOL_MAX;
use crate::{Crc, SymbolName};

/// Stands for the layout of `struct module`: modpost gives every module a version of it (scripts/mod/modpost.c,
/// add_versions), and the loader asks for it (kernel/module/version.c, check_modstruct_version), though no code refers
/// to it.
pub(crate) const MODULE_LAYOUT: &str = "module_layout";

/// Every undefined symbol, and `module_layout` where it has a version. Other versions mean nothing to the loader.
pub(super) fn read(
    arch: Arch,
    table: &SymbolTable<'_>,
    versions: Option<&Versions<'_>>,
) -> Result<BTreeMap<SymbolName, Import>, ModuleProblem> {
    let version = |name: &[u8]| versions?.get(name).copied();
    let mut imports = BTreeMap::new();
    if let Some(crc) = version(MODULE_LAYOUT.as_bytes()) {
        let name = MODULE_LAYOUT.parse().expect("the name is a symbol");
        imports.insert(name, Import { crc: Crc::new(crc), weak: false, place: 0 });
    }
    // The first entry of a symbol table is the null symbol (ELF gABI, chapter 4, Symbol Table).
    for (index, symbol) in table.symbols.iter().enumerate().skip(1) {
        let section = symbol.st_shndx.get(LE);
        if section != SHN_UNDEF && section != SHN_COMMON {
            continue;
        }
        let place = || format!("section .symtab, undefined symbol {index}");
        let name = table.name(symbol, SYMBOL_MAX).ok_or_else(|| endless(place()))?;
        if is_made_by_tools(arch, section, name) {
            continue;
        }
        if section == SHN_COMMON {
            return Err(ModuleProblem::CommonSymbol(name.escape_ascii().to_string()));
        }
        let weak = symbol.st_bind() == STB_WEAK;
        let import = Import { crc: version(name).and_then(Crc::new), weak, place: imports.len() as u32 };
        imports
            .entry(text(name, place)?)
            .and_modify(|known: &mut Import| known.weak &= weak)
            .or_insert(import);
        if imports.len() > MAX_NAMES {
            return Err(ModuleProblem::TooMany { what: "imported symbols", limit: MAX_NAMES });
        }
    }
    Ok(imports)
}

/// Symbols that nothing refers to and that the loader passes over (kernel/module/main.c, simplify_symbols and
/// ignore_undef_symbol).
fn is_made_by_tools(arch: Arch, section: SymbolSection, name: &[u8]) -> bool {
    match section {
        SHN_COMMON => name.starts_with(b"__gnu_lto"),
        _ => name.is_empty() || (arch == Arch::Amd64 && name == b"_GLOBAL_OFFSET_TABLE_"),
    }
}

//! What a module gives to others: its tables of exported symbols, with their CRCs and namespaces.

use std::collections::BTreeMap;

use object::LittleEndian as LE;

use super::problem::ModuleProblem;
use super::{Export, MAX_NAMES, endless, text};
use crate::elf::{Elf, SymbolTable, c_string};
use crate::ksymtab::{ENTRY, ExportTable, STRINGS};
use crate::text::SYMBOL_MAX;
use crate::{InfoText, SymbolName};

/// Every symbol that the module gives to others.
///
/// The entries of a module's tables refer to nothing before it is loaded; symbols say which entry is whose.
pub(super) fn read(
    elf: &Elf<'_>,
    table: &SymbolTable<'_>,
) -> Result<BTreeMap<SymbolName, Export>, ModuleProblem> {
    let namespaces = namespaces(elf, table)?;
    let mut exports = BTreeMap::new();
    for entries in ExportTable::all(|name| elf.section(name))? {
        if entries.entries.len() > MAX_NAMES {
            return Err(ModuleProblem::TooMany { what: "exported symbols", limit: MAX_NAMES });
        }
        let mut named = 0;
        for (name, symbol) in table.prefixed("__ksymtab_", SYMBOL_MAX) {
            if usize::from(symbol.st_shndx.get(LE).0) == entries.place {
                let name: SymbolName = text(name, || format!("section {}", entries.name))?;
                let namespace = namespaces.get(name.as_str().as_bytes()).cloned();
                let export = entries.export(index(&entries, symbol.st_value.get(LE), &name)?);
                named += usize::from(exports.insert(name, Export { namespace, ..export }).is_none());
            }
        }
        if named != entries.entries.len() {
            let (section, entries) = (entries.name, entries.entries.len());
            return Err(ModuleProblem::ExportNameless { section, entries, named });
        }
    }
    Ok(exports)
}

/// The number of the entry at `offset`, which is that of the symbol.
fn index(table: &ExportTable<'_, usize>, offset: u64, symbol: &SymbolName) -> Result<usize, ModuleProblem> {
    let index = usize::try_from(offset).ok().filter(|offset| offset.is_multiple_of(ENTRY));
    let index = index.map(|offset| offset / ENTRY).filter(|index| *index < table.entries.len());
    index.ok_or_else(|| ModuleProblem::Text {
        place: format!("symbol __ksymtab_{symbol}"),
        complaint: format!("there is no entry at offset {offset:#x}"),
    })
}

/// The namespace of each export that is in one: `__kstrtabns_SYMBOL` marks a string (linux/export-internal.h).
fn namespaces<'a>(
    elf: &Elf<'a>,
    table: &SymbolTable<'a>,
) -> Result<BTreeMap<&'a [u8], InfoText>, ModuleProblem> {
    let Some((section, strings)) = elf.section(STRINGS)? else {
        return Ok(BTreeMap::new());
    };
    let mut namespaces = BTreeMap::new();
    for (name, symbol) in table.prefixed("__kstrtabns_", SYMBOL_MAX) {
        if usize::from(symbol.st_shndx.get(LE).0) != section {
            continue;
        }
        let place = || format!("section {STRINGS}, namespace of {}", name.escape_ascii());
        let offset = u32::try_from(symbol.st_value.get(LE)).unwrap_or(u32::MAX);
        let namespace = c_string(strings, offset, SYMBOL_MAX).ok_or_else(|| endless(place()))?;
        if !namespace.is_empty() {
            namespaces.insert(name, text(namespace, place)?);
        }
    }
    Ok(namespaces)
}

//! What a module gives to others: its tables of exported symbols, with their CRCs and namespaces.

use std::collections::BTreeMap;

use object::LittleEndian as LE;

use super::problem::ModuleProblem;
use super::{Export, MAX_NAMES, check_length, endless, text};
use crate::elf::{Elf, SymbolTable, c_string};
use crate::text::SYMBOL_MAX;
use crate::{Crc, InfoText, SymbolName};

/// `struct kernel_symbol` with relative references (linux/export.h): three `int`: value, name, namespace.
const KSYMTAB_ENTRY: usize = 12;
/// A CRC in `__kcrctab`: a `u32` (linux/export-internal.h).
const KCRCTAB_ENTRY: usize = 4;
/// `KSYM_FLAG_GPL_ONLY` in `__kflagstab`, which stands for the second pair of tables since 7.1.
const KSYM_FLAG_GPL_ONLY: u8 = 1;

/// Every symbol that the module gives to others.
pub(super) fn read(
    elf: &Elf<'_>,
    table: &SymbolTable<'_>,
) -> Result<BTreeMap<SymbolName, Export>, ModuleProblem> {
    let namespaces = namespaces(elf, table)?;
    let mut exports = BTreeMap::new();
    for (section, crcs, gpl) in [("__ksymtab", "__kcrctab", false), ("__ksymtab_gpl", "__kcrctab_gpl", true)]
    {
        let Some(entries) = ExportTable::read(elf, section, crcs, gpl)? else {
            continue;
        };
        let mut named = 0;
        for (name, symbol) in table.prefixed("__ksymtab_", SYMBOL_MAX) {
            if usize::from(symbol.st_shndx.get(LE).0) == entries.number {
                let name: SymbolName = text(name, || format!("section {section}"))?;
                let namespace = namespaces.get(name.as_str().as_bytes()).cloned();
                let export = Export { namespace, ..entries.at(symbol.st_value.get(LE), &name)? };
                named += usize::from(exports.insert(name, export).is_none());
            }
        }
        if named != entries.count {
            return Err(ModuleProblem::ExportNameless { section, entries: entries.count, named });
        }
    }
    Ok(exports)
}

/// The tables that have an entry for each export, in the same order.
struct ExportTable<'a> {
    /// Section number of the table that symbols point into.
    number: usize,
    count: usize,
    /// None without CONFIG_MODVERSIONS.
    crcs: Option<&'a [[u8; KCRCTAB_ENTRY]]>,
    gpl: bool,
    /// `__kflagstab`, where the kernel has it.
    flags: Option<&'a [u8]>,
}

impl<'a> ExportTable<'a> {
    fn read(
        elf: &Elf<'a>,
        section: &'static str,
        crc_section: &'static str,
        gpl: bool,
    ) -> Result<Option<ExportTable<'a>>, ModuleProblem> {
        let Some((number, data)) = elf.section(section)? else {
            return Ok(None);
        };
        check_length(section, data, KSYMTAB_ENTRY)?;
        let count = data.len() / KSYMTAB_ENTRY;
        if count > MAX_NAMES {
            return Err(ModuleProblem::TooMany { what: "exported symbols", limit: MAX_NAMES });
        }
        let crcs = elf.section(crc_section)?.map(|(_, data)| data);
        if let Some(crcs) = crcs {
            check_length(crc_section, crcs, KCRCTAB_ENTRY)?;
            check_count(crc_section, count, crcs.len() / KCRCTAB_ENTRY)?;
        }
        let flags = elf.section("__kflagstab")?.map(|(_, data)| data).filter(|_| !gpl);
        if let Some(flags) = flags {
            check_count("__kflagstab", count, flags.len())?;
        }
        let crcs = crcs.map(|crcs| crcs.as_chunks().0);
        Ok(Some(ExportTable { number, count, crcs, gpl, flags }))
    }

    /// The export whose entry is at `offset`; its namespace is elsewhere.
    fn at(&self, offset: u64, name: &SymbolName) -> Result<Export, ModuleProblem> {
        let index = usize::try_from(offset).ok().filter(|offset| offset.is_multiple_of(KSYMTAB_ENTRY));
        let index = index.map(|offset| offset / KSYMTAB_ENTRY).filter(|&index| index < self.count);
        let Some(index) = index else {
            let complaint = format!("there is no entry at offset {offset:#x}");
            return Err(ModuleProblem::Text { place: format!("symbol __ksymtab_{name}"), complaint });
        };
        Ok(Export {
            crc: self.crcs.and_then(|crcs| Crc::new(u32::from_le_bytes(crcs[index]))),
            gpl: self.gpl || self.flags.is_some_and(|flags| flags[index] & KSYM_FLAG_GPL_ONLY != 0),
            namespace: None,
        })
    }
}

/// The namespace of each export that is in one: `__kstrtabns_SYMBOL` marks a string (linux/export-internal.h).
fn namespaces<'a>(
    elf: &Elf<'a>,
    table: &SymbolTable<'a>,
) -> Result<BTreeMap<&'a [u8], InfoText>, ModuleProblem> {
    let Some((section, strings)) = elf.section("__ksymtab_strings")? else {
        return Ok(BTreeMap::new());
    };
    let mut namespaces = BTreeMap::new();
    for (name, symbol) in table.prefixed("__kstrtabns_", SYMBOL_MAX) {
        if usize::from(symbol.st_shndx.get(LE).0) != section {
            continue;
        }
        let place = || format!("section __ksymtab_strings, namespace of {}", name.escape_ascii());
        let offset = u32::try_from(symbol.st_value.get(LE)).unwrap_or(u32::MAX);
        let namespace = c_string(strings, offset, SYMBOL_MAX).ok_or_else(|| endless(place()))?;
        if !namespace.is_empty() {
            namespaces.insert(name, text(namespace, place)?);
        }
    }
    Ok(namespaces)
}

fn check_count(section: &'static str, wanted: usize, found: usize) -> Result<(), ModuleProblem> {
    match wanted == found {
        true => Ok(()),
        false => Err(ModuleProblem::ExportTables { section, wanted, found }),
    }
}

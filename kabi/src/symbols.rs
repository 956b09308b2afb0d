//! What a module imports and exports, from its symbol table and its tables of CRCs.

use std::collections::BTreeMap;

use object::LittleEndian as LE;
use spec::Arch;

use crate::elf::{Elf, Symbol, SymbolTable, c_string};
use crate::problem::ModuleProblem;
use crate::text::SYMBOL_MAX;
use crate::{Crc, Export, Import, InfoText, SymbolName};

/// Far above any module: those of Debian's 6.1 cloud kernel import up to 570 symbols.
const MAX_NAMES: usize = 1 << 16;

/// `struct modversion_info` (linux/module.h): `unsigned long crc; char name[56]`.
const VERSION_ENTRY: usize = 64;
/// `struct kernel_symbol` with relative references (linux/export.h): three `int`: value, name, namespace.
const KSYMTAB_ENTRY: usize = 12;
/// A CRC in `__kcrctab`: a `u32` (linux/export-internal.h).
const KCRCTAB_ENTRY: usize = 4;
/// `KSYM_FLAG_GPL_ONLY` in `__kflagstab`, which stands for the second pair of tables since 7.1.
const KSYM_FLAG_GPL_ONLY: u8 = 1;

/// Every symbol that the module wants from elsewhere: what it leaves undefined, and what `__versions` has, which is
/// `module_layout` besides.
pub(crate) fn imports(
    elf: &Elf<'_>,
    table: &SymbolTable<'_>,
) -> Result<BTreeMap<SymbolName, Import>, ModuleProblem> {
    let mut imports = versions(elf)?;
    // The first entry of a symbol table is the null symbol (ELF gABI, chapter 4, Symbol Table).
    for (index, symbol) in table.symbols.iter().enumerate().skip(1) {
        if symbol.st_shndx.get(LE) != object::elf::SHN_UNDEF {
            continue;
        }
        let place = || format!("section .symtab, undefined symbol {index}");
        let name = table.name(symbol, SYMBOL_MAX).ok_or_else(|| endless(place()))?;
        if !is_made_by_tools(elf.arch, name) {
            let import = imports.entry(text(name, place)?).or_default();
            import.weak = symbol.st_bind() == object::elf::STB_WEAK;
        }
    }
    match imports.len() {
        0..=MAX_NAMES => Ok(imports),
        _ => Err(ModuleProblem::TooMany { what: "imported symbols", limit: MAX_NAMES }),
    }
}

/// Undefined symbols that nothing refers to and that the loader ignores (kernel/module/main.c, ignore_undef_symbol).
fn is_made_by_tools(arch: Arch, name: &[u8]) -> bool {
    name.is_empty() || (arch == Arch::Amd64 && name == b"_GLOBAL_OFFSET_TABLE_")
}

fn versions(elf: &Elf<'_>) -> Result<BTreeMap<SymbolName, Import>, ModuleProblem> {
    const SECTION: &str = "__versions";
    let Some((_, data)) = elf.section(SECTION)? else {
        return Ok(BTreeMap::new());
    };
    check_length(SECTION, data, VERSION_ENTRY)?;
    if data.len() / VERSION_ENTRY > MAX_NAMES {
        return Err(ModuleProblem::TooMany { what: "symbol versions", limit: MAX_NAMES });
    }
    let mut imports = BTreeMap::new();
    for (index, entry) in data.chunks_exact(VERSION_ENTRY).enumerate() {
        let place = || format!("section {SECTION}, entry {index}");
        let (crc, name) = entry.split_first_chunk().expect("an entry has 64 bytes");
        let crc = u32::try_from(u64::from_le_bytes(*crc)).map_err(|_| ModuleProblem::Text {
            place: place(),
            complaint: "the CRC has more than 32 bits".to_owned(),
        })?;
        let name = c_string(name, 0, SYMBOL_MAX).ok_or_else(|| endless(place()))?;
        imports.insert(text(name, place)?, Import { crc: Crc::new(crc), weak: false });
    }
    Ok(imports)
}

/// Every symbol that the module gives to others.
pub(crate) fn exports(
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
        for (name, symbol) in prefixed(table, "__ksymtab_") {
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
    for (name, symbol) in prefixed(table, "__kstrtabns_") {
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

/// The symbols whose name starts with `prefix`, by the rest of it.
fn prefixed<'a>(
    table: &SymbolTable<'a>,
    prefix: &'static str,
) -> impl Iterator<Item = (&'a [u8], &'a Symbol)> + use<'a> {
    let table = *table;
    table.symbols.iter().filter_map(move |symbol| {
        let name = table.name(symbol, prefix.len() + SYMBOL_MAX)?;
        Some((name.strip_prefix(prefix.as_bytes())?, symbol))
    })
}

fn check_length(section: &'static str, data: &[u8], entry: usize) -> Result<(), ModuleProblem> {
    match data.len().is_multiple_of(entry) {
        true => Ok(()),
        false => Err(ModuleProblem::SectionLength { section, length: data.len(), entry }),
    }
}

fn check_count(section: &'static str, wanted: usize, found: usize) -> Result<(), ModuleProblem> {
    match wanted == found {
        true => Ok(()),
        false => Err(ModuleProblem::ExportTables { section, wanted, found }),
    }
}

fn text<T>(bytes: &[u8], place: impl Fn() -> String) -> Result<T, ModuleProblem>
where
    T: std::str::FromStr<Err = crate::TextError>,
{
    let wrong = |complaint| ModuleProblem::Text { place: place(), complaint };
    let text = str::from_utf8(bytes).map_err(|_| wrong("the name is not UTF-8".to_owned()))?;
    text.parse().map_err(|error: crate::TextError| wrong(error.to_string()))
}

fn endless(place: String) -> ModuleProblem {
    ModuleProblem::Text { place, complaint: format!("the name has no end within {SYMBOL_MAX} bytes") }
}

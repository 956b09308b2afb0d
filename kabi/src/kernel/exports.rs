//! What a linked kernel exports.
//!
//! `__ksymtab` and `__ksymtab_gpl` have an entry for each export; `__kcrctab` and `__kcrctab_gpl` have its CRC at the same
//! place. Newer kernels have one pair of them, and flags in `__kflagstab`. The names are in `__ksymtab_strings`.

use std::collections::BTreeMap;

use super::ImageError;
use super::vmlinux::{Section, Vmlinux};
use crate::elf::c_string;
use crate::profile::EXPORTS_MAX;
use crate::text::SYMBOL_MAX;
use crate::{Crc, Export, SymbolName, TextError};

/// `struct kernel_symbol` with relative references (linux/export-internal.h): three `int`: value, name, namespace.
const ENTRY: usize = 12;
/// `KSYM_FLAG_GPL_ONLY` (linux/module_symbol.h).
const KSYM_FLAG_GPL_ONLY: u8 = 1;

const STRINGS: &str = "__ksymtab_strings";
const FLAGS: &str = "__kflagstab";
/// Tables of exports with the table of their CRCs, and whether they are for GPL-compatible modules only.
const TABLES: [(&str, &str, bool); 2] =
    [("__ksymtab", "__kcrctab", false), ("__ksymtab_gpl", "__kcrctab_gpl", true)];

/// All exports of the kernel.
pub(super) fn read(vmlinux: &Vmlinux<'_>) -> Result<BTreeMap<SymbolName, Export>, ImageError> {
    let strings = vmlinux.section(STRINGS)?;
    let strings =
        strings.ok_or_else(|| ImageError::section(STRINGS, "there is none, so nothing is exported"))?;
    let mut exports = BTreeMap::new();
    for (name, crcs, gpl) in TABLES {
        let Some(table) = Table::read(vmlinux, name, crcs, gpl)? else { continue };
        if exports.len() + table.entries.len() > EXPORTS_MAX {
            return Err(ImageError::section(name, format!("there are more than {EXPORTS_MAX} exports")));
        }
        for index in 0..table.entries.len() {
            let (symbol, export) = table.export(index, strings)?;
            if exports.contains_key(&symbol) {
                return Err(ImageError::section(name, format!("symbol {symbol} is there twice")));
            }
            exports.insert(symbol, export);
        }
    }
    Ok(exports)
}

/// The tables that have an entry for each export, in the same order.
struct Table<'a> {
    name: &'static str,
    address: u64,
    entries: &'a [[u8; ENTRY]],
    /// None without CONFIG_MODVERSIONS.
    crcs: Option<&'a [[u8; 4]]>,
    gpl: bool,
    flags: Option<&'a [u8]>,
}

impl<'a> Table<'a> {
    fn read(
        vmlinux: &Vmlinux<'a>,
        name: &'static str,
        crc_name: &'static str,
        gpl: bool,
    ) -> Result<Option<Table<'a>>, ImageError> {
        let Some(section) = vmlinux.section(name)? else { return Ok(None) };
        let entries = whole(name, section.data)?;
        let crcs = vmlinux.section(crc_name)?.map(|section| whole(crc_name, section.data)).transpose()?;
        // The flags are those of the only table.
        let flags = vmlinux.section(FLAGS)?.map(|section| section.data).filter(|_| !gpl);
        for (name, found) in [(crc_name, crcs.map(<[_]>::len)), (FLAGS, flags.map(<[_]>::len))] {
            if found.is_some_and(|found| found != entries.len()) {
                let complaint = format!("it is not about the {} exports of {name}", entries.len());
                return Err(ImageError::section(name, complaint));
            }
        }
        Ok(Some(Table { name, address: section.address, entries, crcs, gpl, flags }))
    }

    fn export(&self, index: usize, strings: Section<'_>) -> Result<(SymbolName, Export), ImageError> {
        let wrong = |complaint: String| ImageError::section(self.name, format!("entry {index}: {complaint}"));
        let (fields, _) = self.entries[index].as_chunks();
        let string = |field: usize| {
            let reference = i32::from_le_bytes(fields[field]);
            // As `offset_to_ptr` (linux/compiler.h): each is relative to where it is itself.
            let place = self.address.wrapping_add((index * ENTRY + field * size_of::<i32>()) as u64);
            let offset = place.wrapping_add_signed(reference.into()).wrapping_sub(strings.address);
            let string = c_string(strings.data, u32::try_from(offset).ok()?, SYMBOL_MAX)?;
            str::from_utf8(string).ok().filter(|_| reference != 0)
        };
        let name = string(1).ok_or_else(|| wrong(format!("its name is not in {STRINGS}")))?;
        let symbol = name.parse().map_err(|error: TextError| wrong(error.to_string()))?;
        // Kernels before 5.10 have no reference where there is no namespace, later ones refer to an empty string.
        let namespace = match (fields[2], string(2)) {
            ([0, 0, 0, 0], _) | (_, Some("")) => None,
            (_, Some(name)) => Some(name.parse().map_err(|error: TextError| wrong(error.to_string()))?),
            (_, None) => return Err(wrong(format!("its namespace is not in {STRINGS}"))),
        };
        let crc = self.crcs.and_then(|crcs| Crc::new(u32::from_le_bytes(crcs[index])));
        let gpl = self.gpl || self.flags.is_some_and(|flags| flags[index] & KSYM_FLAG_GPL_ONLY != 0);
        Ok((symbol, Export { crc, gpl, namespace }))
    }
}

/// The entries of a table, if it has no part of one.
fn whole<'a, const N: usize>(name: &'static str, data: &'a [u8]) -> Result<&'a [[u8; N]], ImageError> {
    match data.as_chunks() {
        (entries, []) => Ok(entries),
        _ => Err(ImageError::section(name, format!("{} bytes are no whole number of entries", data.len()))),
    }
}

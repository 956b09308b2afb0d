//! What a linked kernel exports: its entries refer to the names and namespaces in `__ksymtab_strings`.

use std::collections::BTreeMap;

use super::ImageError;
use super::vmlinux::{Section, Vmlinux};
use crate::elf::c_string;
use crate::ksymtab::{ENTRY, ExportTable, STRINGS};
use crate::profile::EXPORTS_MAX;
use crate::text::SYMBOL_MAX;
use crate::{Export, SymbolName, TextError};

/// All exports of the kernel.
pub(super) fn read(vmlinux: &Vmlinux<'_>) -> Result<BTreeMap<SymbolName, Export>, ImageError> {
    let strings = vmlinux.section(STRINGS)?;
    let strings =
        strings.ok_or_else(|| ImageError::section(STRINGS, "there is none, so nothing is exported"))?;
    let section = |name| Ok(vmlinux.section(name)?.map(|Section { address, data }| (address, data)));
    let mut exports = BTreeMap::new();
    for table in ExportTable::all::<ImageError>(section)? {
        let name = table.name;
        if exports.len() + table.entries.len() > EXPORTS_MAX {
            return Err(ImageError::section(name, format!("there are more than {EXPORTS_MAX} exports")));
        }
        for index in 0..table.entries.len() {
            let (symbol, export) = export(&table, index, strings)?;
            if exports.contains_key(&symbol) {
                return Err(ImageError::section(name, format!("symbol {symbol} is there twice")));
            }
            exports.insert(symbol, export);
        }
    }
    Ok(exports)
}

fn export(
    table: &ExportTable<'_, u64>,
    index: usize,
    strings: Section<'_>,
) -> Result<(SymbolName, Export), ImageError> {
    let wrong = |complaint: String| ImageError::section(table.name, format!("entry {index}: {complaint}"));
    let (fields, _) = table.entries[index].as_chunks();
    let string = |field: usize| {
        let reference = i32::from_le_bytes(fields[field]);
        // As `offset_to_ptr` (linux/compiler.h): each is relative to where it is itself.
        let place = table.place.wrapping_add((index * ENTRY + field * size_of::<i32>()) as u64);
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
    Ok((symbol, Export { namespace, ..table.export(index) }))
}

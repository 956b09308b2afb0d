//! The tables of exported symbols, as modules and linked kernels have them: an entry for each export, and in the same
//! order its CRC. There is a pair of tables for all modules and one for GPL-compatible modules only; kernels since 7.1
//! have the first pair, and flags in a table of their own.

use crate::{Crc, Export};

/// `struct kernel_symbol` with relative references (linux/export-internal.h): three `int`: value, name, namespace.
pub(crate) const ENTRY: usize = 12;
/// The section with the names of exports and of their namespaces.
pub(crate) const STRINGS: &str = "__ksymtab_strings";

/// A CRC: a `u32` (linux/export-internal.h).
const CRC: usize = 4;
/// A byte for each export.
const FLAGS: &str = "__kflagstab";
/// `KSYM_FLAG_GPL_ONLY` (linux/module_symbol.h).
const GPL_ONLY: u8 = 1;
/// Entries, their CRCs, and whether they are for GPL-compatible modules only.
const TABLES: [(&str, &str, bool); 2] =
    [("__ksymtab", "__kcrctab", false), ("__ksymtab_gpl", "__kcrctab_gpl", true)];

/// One table of exports with all that is beside it.
pub(crate) struct ExportTable<'a, P> {
    /// The section with the entries.
    pub(crate) name: &'static str,
    /// What the file says about where that section is.
    pub(crate) place: P,
    pub(crate) entries: &'a [[u8; ENTRY]],
    /// None without CONFIG_MODVERSIONS.
    crcs: Option<&'a [[u8; CRC]]>,
    flags: Option<&'a [u8]>,
    gpl: bool,
}

/// What can be wrong with such tables, whatever file they are in.
#[derive(Debug)]
pub(crate) enum TableProblem {
    /// The section ends within an entry.
    Length { section: &'static str, length: usize, entry: usize },
    /// The section is about another number of exports.
    Count { section: &'static str, wanted: usize, found: usize },
}

impl<'a, P> ExportTable<'a, P> {
    /// All tables of a file, of which `section` finds the sections, with their places.
    pub(crate) fn all<E: From<TableProblem>>(
        section: impl Fn(&'static str) -> Result<Option<(P, &'a [u8])>, E>,
    ) -> Result<Vec<ExportTable<'a, P>>, E> {
        let mut tables = Vec::new();
        for (name, crc_name, gpl) in TABLES {
            let Some((place, data)) = section(name)? else { continue };
            let entries = whole(name, data)?;
            let crcs = section(crc_name)?.map(|(_, data)| whole(crc_name, data)).transpose()?;
            // The flags are those of the only table.
            let flags = if gpl { None } else { section(FLAGS)?.map(|(_, data)| data) };
            check_count(crc_name, entries.len(), crcs.map(<[_]>::len))?;
            check_count(FLAGS, entries.len(), flags.map(<[_]>::len))?;
            tables.push(ExportTable { name, place, entries, crcs, flags, gpl });
        }
        Ok(tables)
    }

    /// The export of the entry with this number, which there must be; its namespace is elsewhere.
    pub(crate) fn export(&self, index: usize) -> Export {
        Export {
            crc: self.crcs.and_then(|crcs| Crc::new(u32::from_le_bytes(crcs[index]))),
            gpl: self.gpl || self.flags.is_some_and(|flags| flags[index] & GPL_ONLY != 0),
            namespace: None,
        }
    }
}

/// The entries of a section, if it has no part of one.
fn whole<'a, const N: usize>(section: &'static str, data: &'a [u8]) -> Result<&'a [[u8; N]], TableProblem> {
    match data.as_chunks() {
        (entries, []) => Ok(entries),
        _ => Err(TableProblem::Length { section, length: data.len(), entry: N }),
    }
}

fn check_count(section: &'static str, wanted: usize, found: Option<usize>) -> Result<(), TableProblem> {
    match found {
        Some(found) if found != wanted => Err(TableProblem::Count { section, wanted, found }),
        _ => Ok(()),
    }
}

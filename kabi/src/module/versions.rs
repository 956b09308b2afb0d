//! The CRCs of the symbols that a module was built against: `__versions`, and the form for names of any length.

use std::collections::BTreeMap;

use super::MAX_NAMES;
use super::problem::ModuleProblem;
use crate::elf::{Elf, c_string};
use crate::text::SYMBOL_MAX;

/// An array of `struct modversion_info` (linux/module.h): `unsigned long crc; char name[56]`.
const BASIC: &str = "__versions";
const BASIC_ENTRY: usize = 64;

/// CONFIG_EXTENDED_MODVERSIONS, since Linux 6.14 (kernel/module/version.c, `modversion_ext_start`): an array of `u32`,
/// and as many strings, each with a NUL at its end, one after the other.
const EXTENDED_CRCS: &str = "__version_ext_crcs";
const EXTENDED_CRC: usize = 4;
const EXTENDED_NAMES: &str = "__version_ext_names";

/// The CRC of each symbol by name; zero where the build had none.
pub(super) type Versions<'a> = BTreeMap<&'a [u8], u32>;

/// What the module has, or nothing if it has no such section. Where both forms are there, a kernel that knows the
/// extended one asks no other (`check_version`).
pub(super) fn read<'a>(elf: &Elf<'a>) -> Result<Option<Versions<'a>>, ModuleProblem> {
    let section = |name| elf.section(name).map(|found| found.map(|(_, data)| data));
    match (section(EXTENDED_CRCS)?, section(EXTENDED_NAMES)?) {
        (Some(crcs), Some(names)) => extended(crcs, names).map(Some),
        (None, None) => section(BASIC)?.map(basic).transpose(),
        // The loader refuses one without the other (kernel/module/main.c, elf_validity_cache_index_versions).
        (Some(_), None) => Err(ModuleProblem::SectionMissing(EXTENDED_NAMES)),
        (None, Some(_)) => Err(ModuleProblem::SectionMissing(EXTENDED_CRCS)),
    }
}

/// Does the module have the extended form and no other?
pub(super) fn are_extended_only(elf: &Elf<'_>) -> Result<bool, ModuleProblem> {
    Ok(elf.section(BASIC)?.is_none() && elf.section(EXTENDED_CRCS)?.is_some())
}

fn basic(data: &[u8]) -> Result<Versions<'_>, ModuleProblem> {
    check_length(BASIC, data, BASIC_ENTRY)?;
    check_number(data.len() / BASIC_ENTRY)?;
    let mut versions = Versions::new();
    for (index, entry) in data.chunks_exact(BASIC_ENTRY).enumerate() {
        let wrong = |complaint: &str| ModuleProblem::Text {
            place: format!("section {BASIC}, entry {index}"),
            complaint: complaint.to_owned(),
        };
        let (crc, name) = entry.split_first_chunk().expect("an entry has 64 bytes");
        let crc =
            u32::try_from(u64::from_le_bytes(*crc)).map_err(|_| wrong("the CRC has more than 32 bits"))?;
        let name = c_string(name, 0, BASIC_ENTRY).ok_or_else(|| wrong("the name has no end"))?;
        // The loader takes the first that it finds.
        versions.entry(name).or_insert(crc);
    }
    Ok(versions)
}

fn extended<'a>(crcs: &[u8], names: &'a [u8]) -> Result<Versions<'a>, ModuleProblem> {
    check_length(EXTENDED_CRCS, crcs, EXTENDED_CRC)?;
    let (crcs, _) = crcs.as_chunks::<EXTENDED_CRC>();
    check_number(crcs.len())?;
    let mut versions = Versions::new();
    let mut rest = names;
    for (index, crc) in crcs.iter().enumerate() {
        let name = c_string(rest, 0, SYMBOL_MAX).ok_or_else(|| ModuleProblem::Text {
            place: format!("section {EXTENDED_NAMES}, entry {index}"),
            complaint: format!(
                "the name has no end within {SYMBOL_MAX} bytes; there are {} CRCs",
                crcs.len()
            ),
        })?;
        rest = &rest[name.len() + 1..];
        versions.entry(name).or_insert(u32::from_le_bytes(*crc));
    }
    Ok(versions)
}

fn check_length(section: &'static str, data: &[u8], entry: usize) -> Result<(), ModuleProblem> {
    match data.len().is_multiple_of(entry) {
        true => Ok(()),
        false => Err(ModuleProblem::SectionLength { section, length: data.len(), entry }),
    }
}

fn check_number(entries: usize) -> Result<(), ModuleProblem> {
    match entries <= MAX_NAMES {
        true => Ok(()),
        false => Err(ModuleProblem::TooMany { what: "versions of symbols", limit: MAX_NAMES }),
    }
}

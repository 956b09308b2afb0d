//! The section `.modinfo`: `key=value` strings, each ended by a NUL (linux/moduleparam.h, __MODULE_INFO).

use std::fmt::Display;
use std::str::FromStr;

use super::problem::ModuleProblem;
use crate::elf::Elf;

/// Far above any module: the largest section in Debian's 6.1 cloud kernel has 5,609 bytes.
const MAX_BYTES: usize = 1 << 20;

/// The entries of a `.modinfo` section in their order. Values become UTF-8 only when they are asked for: authors'
/// names are in whatever encoding the source has.
pub(super) struct ModInfo<'a>(&'a [u8]);

/// One entry of `.modinfo`, for people to read: what is not UTF-8 is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoEntry {
    /// What is said; the same may be said several times.
    pub key: String,
    /// How it is; empty where there is no `=`.
    pub value: String,
}

impl<'a> ModInfo<'a> {
    pub(super) fn of(elf: &Elf<'a>) -> Result<ModInfo<'a>, ModuleProblem> {
        ModInfo::parse(elf.required(".modinfo")?)
    }

    pub(super) fn parse(section: &'a [u8]) -> Result<ModInfo<'a>, ModuleProblem> {
        match section.len() {
            0..=MAX_BYTES => Ok(ModInfo(section)),
            _ => Err(ModuleProblem::TooMany { what: "bytes in section .modinfo", limit: MAX_BYTES }),
        }
    }

    /// The first value of `key`, which is the one that the kernel takes.
    pub(super) fn first<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, ModuleProblem> {
        self.values(key).next().map(|value| read(key, value)).transpose()
    }

    /// All values of `key`, in order.
    pub(super) fn all<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Vec<T>, ModuleProblem> {
        self.values(key).map(|value| read(key, value)).collect()
    }

    /// All parts of the values of `key`, which are separated by commas.
    pub(super) fn listed<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Vec<T>, ModuleProblem> {
        let parts = self.values(key).flat_map(|value| value.split(|&byte| byte == b','));
        parts.filter(|part| !part.is_empty()).map(|part| read(key, part)).collect()
    }

    /// Is there such a key, whatever its value?
    pub(super) fn has(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    /// Everything, in order.
    pub(super) fn entries(&self) -> Vec<InfoEntry> {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let entries = self.0.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
        let divided = entries.map(|entry| match entry.iter().position(|&byte| byte == b'=') {
            Some(place) => (&entry[..place], &entry[place + 1..]),
            None => (entry, &[][..]),
        });
        divided.map(|(key, value)| InfoEntry { key: shown(key), value: shown(value) }).collect()
    }

    fn values(&self, key: &str) -> impl Iterator<Item = &'a [u8]> {
        let entries = self.0.split(|&byte| byte == 0);
        entries.filter_map(move |entry| entry.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
    }
}

fn read<T: FromStr<Err: Display>>(key: &str, value: &[u8]) -> Result<T, ModuleProblem> {
    let wrong = |complaint| ModuleProblem::Text { place: format!("section .modinfo, {key}="), complaint };
    let text = str::from_utf8(value).map_err(|_| wrong("the value is not UTF-8".to_owned()))?;
    text.parse().map_err(|error: T::Err| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use spec::ModuleName;

    use super::*;
    use crate::{Alias, InfoText};

    #[test]
    fn values_are_found_by_their_whole_key() {
        let info =
            ModInfo::parse(b"name=a\0\0\0alias=x\0aliases=y\0alias=z\0depends=b,c-d,\0odd\0alias=w").unwrap();
        let aliases: Vec<Alias> = info.all("alias").unwrap();
        assert_eq!(aliases.iter().map(Alias::as_str).collect::<Vec<_>>(), ["x", "z", "w"]);
        let depends: Vec<ModuleName> = info.listed("depends").unwrap();
        assert_eq!(depends.iter().map(ModuleName::as_str).collect::<Vec<_>>(), ["b", "c_d"]);
        assert_eq!(info.first::<InfoText>("license"), Ok(None));
        assert_eq!(info.first::<InfoText>("odd"), Ok(None));
    }

    #[test]
    fn a_value_that_breaks_lines_is_an_error_with_its_key() {
        let info = ModInfo::parse(b"alias=x\ninstall x rm\0softdep=\xff\0").unwrap();
        let error = info.all::<Alias>("alias").unwrap_err().to_string();
        assert!(error.starts_with("section .modinfo, alias=: \"x\\ninstall"), "{error}");
        assert!(info.all::<InfoText>("softdep").unwrap_err().to_string().contains("UTF-8"));
        assert!(ModInfo::parse(&vec![0; MAX_BYTES + 1]).is_err());
    }
}

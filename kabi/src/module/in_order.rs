//! Symbols in a document: each is there once, and imports are in the order of the symbol table.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::Serializer;

use super::{Export, Import};
use crate::SymbolName;

type Imports = BTreeMap<SymbolName, Import>;

pub(super) fn serialize<S: Serializer>(imports: &Imports, serializer: S) -> Result<S::Ok, S::Error> {
    let mut entries: Vec<(&SymbolName, &Import)> = imports.iter().collect();
    entries.sort_by_key(|(_, import)| import.place);
    serializer.collect_map(entries)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Imports, D::Error> {
    deserializer.deserialize_map(Entries(|place, import| Import { place, ..import }))
}

/// Exports, whose order means nothing.
pub(super) fn exports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<SymbolName, Export>, D::Error> {
    deserializer.deserialize_map(Entries(|_, export| export))
}

/// What a symbol leads to, each symbol once, told its place in the document.
struct Entries<T>(fn(u32, T) -> T);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = BTreeMap<SymbolName, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of symbols")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((symbol, entry)) = map.next_entry::<SymbolName, T>()? {
            // A document of 64 MiB has fewer entries.
            let place = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            match entries.entry(symbol) {
                Entry::Vacant(free) => free.insert((self.0)(place, entry)),
                Entry::Occupied(known) => {
                    return Err(A::Error::custom(format_args!("symbol {} is there twice", known.key())));
                }
            };
        }
        Ok(entries)
    }
}

//! All modules in depmod's order, which is the order of its lines and the priority of names that several modules have.

use std::collections::HashMap;
use std::ops::Deref;

use super::hash::superfast;
use super::{IndexError, Inputs, directory, inside_release};
use crate::{Module, SymbolName};

/// How many chains depmod's table of modules has (tools/depmod.c, depmod_init).
const CHAINS: u32 = 512;

/// The modules of base and extensions, in order, each name once.
pub(super) struct Modules<'a>(Vec<Entry<'a>>);

/// A module and its path inside the directory of its kernel.
pub(super) struct Entry<'a> {
    pub(super) module: &'a Module,
    pub(super) path: &'a str,
}

impl<'a> Modules<'a> {
    /// Those that `modules.order` lists come first, as it lists them; the others as depmod's table gives them back.
    pub(super) fn of(inputs: &Inputs<'a>) -> Result<Modules<'a>, IndexError> {
        let mut modules = all(inputs)?;
        refuse_duplicates(&modules)?;
        let lines = inputs.order.map(lines).unwrap_or_default();
        modules.sort_by_cached_key(|Entry { module, path }| {
            let line = lines.get(uncompressed(path)).copied().unwrap_or(usize::MAX);
            (line, superfast(module.name.as_str().as_bytes()) % CHAINS, &module.name)
        });
        Ok(Modules(modules))
    }

    /// Which module exports a symbol. Where two do, which no kernel loads, the later counts.
    pub(super) fn owners(&self) -> HashMap<&'a SymbolName, usize> {
        let mut owners = HashMap::new();
        for (place, entry) in self.iter().enumerate() {
            owners.extend(entry.module.exports.keys().map(|symbol| (symbol, place)));
        }
        owners
    }
}

impl<'a> Deref for Modules<'a> {
    type Target = [Entry<'a>];

    fn deref(&self) -> &[Entry<'a>] {
        &self.0
    }
}

fn all<'a>(inputs: &Inputs<'a>) -> Result<Vec<Entry<'a>>, IndexError> {
    let records = std::iter::once(inputs.base).chain(inputs.extensions.iter().copied());
    let entry = |module: &'a Module| match inside_release(&module.path, inputs.release) {
        Some(path) => Ok(Entry { module, path }),
        None => Err(IndexError::Outside { path: module.path.clone(), directory: directory(inputs.release) }),
    };
    records.flat_map(|record| record.modules()).map(entry).collect()
}

fn refuse_duplicates(modules: &[Entry<'_>]) -> Result<(), IndexError> {
    let mut known = HashMap::new();
    for Entry { module, .. } in modules {
        if let Some(first) = known.insert(&module.name, &module.path) {
            let (name, first, second) = (module.name.clone(), first.clone(), module.path.clone());
            return Err(IndexError::Duplicate { name, first, second });
        }
    }
    Ok(())
}

/// The number of each line. depmod takes a file without an end of line at its end for a broken one, and does without.
fn lines(order: &str) -> HashMap<&str, usize> {
    let whole = if order.ends_with('\n') { order } else { "" };
    whole.lines().enumerate().map(|(number, path)| (path, number)).collect()
}

/// `modules.order` is of the build, before modules are compressed.
fn uncompressed(path: &str) -> &str {
    [".xz", ".zst", ".gz"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path)
}

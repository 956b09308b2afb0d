//! Proprietary modules, and those that take symbols from them.
//!
//! The loader marks a module as proprietary by its licence (kernel/module/main.c, `setup_load_info` and
//! `license_is_gpl_compatible`), and a module that takes a symbol from such a one, too (`inherit_taint`). GPL-only
//! symbols are not for either.

use std::collections::{BTreeSet, HashMap};

use spec::ModuleName;

use super::Candidate;
use super::linkage::Source;
use crate::{Module, Record, SymbolName};

/// Licences that may use GPL-only symbols: `license_is_gpl_compatible` (linux/license.h).
const GPL_COMPATIBLE: [&str; 6] =
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];

/// Is the module proprietary by its own words?
pub(super) fn is_proprietary(module: &Module) -> bool {
    !module.license.as_ref().is_some_and(|license| GPL_COMPATIBLE.contains(&license.as_str()))
}

/// The modules that are proprietary, or are taken for it because of whom they take symbols from.
pub(super) struct Tainted<'a> {
    base: BTreeSet<&'a ModuleName>,
    /// By candidate and name.
    candidates: BTreeSet<(usize, &'a ModuleName)>,
}

impl<'a> Tainted<'a> {
    pub(super) fn new(base: Option<&'a Record>, candidates: &'a [Candidate<'a>]) -> Tainted<'a> {
        let in_base = base.into_iter().flat_map(Record::modules).filter(|module| is_proprietary(module));
        let in_base: Vec<&Module> = in_base.collect();
        let all = candidates.iter().enumerate();
        let modules: Vec<(usize, &Module)> = all
            .flat_map(|(index, candidate)| {
                candidate.record.modules().iter().map(move |module| (index, module))
            })
            .collect();
        let own: Vec<(usize, &Module)> =
            modules.iter().copied().filter(|(_, module)| is_proprietary(module)).collect();
        let mut tainted = Tainted {
            base: in_base.iter().map(|module| &module.name).collect(),
            candidates: own.iter().map(|(index, module)| (*index, &module.name)).collect(),
        };
        // Nearly always there is nothing to inherit.
        if !tainted.is_empty() {
            let givers = in_base.into_iter().chain(own.into_iter().map(|(_, module)| module)).collect();
            tainted.inherit(&modules, givers);
        }
        tainted
    }

    /// Follows the symbols from `givers` to whoever imports them, and on from there.
    fn inherit(&mut self, modules: &[(usize, &'a Module)], mut givers: Vec<&'a Module>) {
        let mut importers: HashMap<&SymbolName, Vec<usize>> = HashMap::new();
        for (place, (_, module)) in modules.iter().enumerate() {
            for symbol in module.imports.keys() {
                importers.entry(symbol).or_default().push(place);
            }
        }
        // Each symbol is followed once.
        while let Some(giver) = givers.pop() {
            for place in giver.exports.keys().filter_map(|symbol| importers.remove(symbol)).flatten() {
                let (index, heir) = modules[place];
                if self.candidates.insert((index, &heir.name)) {
                    givers.push(heir);
                }
            }
        }
    }

    /// Is nobody proprietary? Nearly always.
    pub(super) fn is_empty(&self) -> bool {
        self.base.is_empty() && self.candidates.is_empty()
    }

    pub(super) fn has(&self, source: &Source<'a>) -> bool {
        match source {
            Source::Kernel => false,
            Source::Base(module) => self.base.contains(module),
            Source::Candidate { index, module, .. } => self.candidates.contains(&(*index, *module)),
        }
    }
}

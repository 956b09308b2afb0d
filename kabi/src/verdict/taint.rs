//! Proprietary modules, and those that take symbols from them.
//!
//! The loader marks a module as proprietary by its licence (kernel/module/main.c, `setup_load_info` and
//! `license_is_gpl_compatible`), and a module that takes a symbol from such a one, too (`inherit_taint`). GPL-only
//! symbols are not for either.

use std::collections::BTreeSet;

use spec::ModuleName;

use super::Candidate;
use super::linkage::{Exporters, Source};
use crate::{Module, Record};

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
    pub(super) fn new(
        base: Option<&'a Record>,
        candidates: &'a [Candidate<'a>],
        exporters: &Exporters<'a>,
    ) -> Tainted<'a> {
        let modules: Vec<(usize, &Module)> = candidates
            .iter()
            .enumerate()
            .flat_map(|(index, candidate)| {
                candidate.record.modules().iter().map(move |module| (index, module))
            })
            .collect();
        let in_base = base.into_iter().flat_map(Record::modules);
        let by_licence = modules.iter().filter(|(_, module)| is_proprietary(module));
        let mut tainted = Tainted {
            base: in_base.filter(|module| is_proprietary(module)).map(|module| &module.name).collect(),
            candidates: by_licence.map(|(index, module)| (*index, &module.name)).collect(),
        };
        // Every round but the last adds a module; nearly always there is nothing to inherit.
        while !(tainted.base.is_empty() && tainted.candidates.is_empty()) {
            let heirs: Vec<(usize, &ModuleName)> = modules
                .iter()
                .filter(|(index, module)| !tainted.candidates.contains(&(*index, &module.name)))
                .filter(|(_, module)| {
                    module
                        .imports
                        .keys()
                        .any(|symbol| exporters.of(symbol).any(|export| tainted.has(&export.source)))
                })
                .map(|(index, module)| (*index, &module.name))
                .collect();
            if heirs.is_empty() {
                break;
            }
            tainted.candidates.extend(heirs);
        }
        tainted
    }

    pub(super) fn has(&self, source: &Source<'a>) -> bool {
        match source {
            Source::Kernel => false,
            Source::Base(module) => self.base.contains(module),
            Source::Candidate { index, module, .. } => self.candidates.contains(&(*index, *module)),
        }
    }
}

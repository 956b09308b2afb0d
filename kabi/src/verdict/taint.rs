//! Proprietary modules, those that take symbols from them, and what does not exist for either.
//!
//! The loader marks a module as proprietary by its licence (kernel/module/main.c, `setup_load_info` and
//! `license_is_gpl_compatible`), and a module that takes a symbol from such a one, too (`inherit_taint`). It goes through
//! a module's symbols in the order of its symbol table, and what it finds first decides: after a symbol of a proprietary
//! module, no GPL-only symbol is found any more (`resolve_symbol`, `gplok`); after a GPL-only symbol, no symbol of a
//! proprietary module is (`using_gplonly_symbols`). What is not found and is imported weakly is absent, and no error.

use std::collections::{BTreeSet, HashMap};

use spec::{ModuleName, Reason, ReasonCode};

use super::linkage::{Exporters, Offer, Source};
use super::{Candidate, Host};
use crate::{Module, Record, SymbolName};

/// Licences that may use GPL-only symbols: `license_is_gpl_compatible` (linux/license.h).
const GPL_COMPATIBLE: [&str; 6] =
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];

/// Is the module proprietary by its own words?
fn is_proprietary(module: &Module) -> bool {
    !module.license.as_ref().is_some_and(|license| GPL_COMPATIBLE.contains(&license.as_str()))
}

/// The modules that are proprietary, or are taken for it because of whom they take symbols from: by the number of their
/// candidate, none for those of the base, and by name.
pub(super) struct Tainted<'a>(BTreeSet<(Option<usize>, &'a ModuleName)>);

impl<'a> Tainted<'a> {
    pub(super) fn new(
        host: &Host<'a>,
        candidates: &'a [Candidate<'a>],
        exporters: &Exporters<'a>,
    ) -> Tainted<'a> {
        let of_record =
            |place, record: &'a Record| record.modules().iter().map(move |module| (place, module));
        // What the base ships takes nothing from extensions.
        let base = host.modules.filter(|record| record.modules().iter().any(is_proprietary));
        let in_base = base.into_iter().flat_map(|record| of_record(None, record));
        let in_candidates = candidates.iter().enumerate();
        let in_candidates =
            in_candidates.flat_map(|(index, candidate)| of_record(Some(index), candidate.record));
        let modules: Vec<(Option<usize>, &Module)> = in_base.chain(in_candidates).collect();
        let own: Vec<_> = modules.iter().copied().filter(|(_, module)| is_proprietary(module)).collect();
        let mut tainted = Tainted(own.iter().map(|(place, module)| (*place, &module.name)).collect());
        // Nearly always there is nothing to inherit.
        if !own.is_empty() {
            tainted.inherit(&modules, own.into_iter().map(|(_, module)| module).collect(), exporters);
        }
        tainted
    }

    /// Follows the symbols from `givers` to whoever takes them, and on from there.
    fn inherit(
        &mut self,
        modules: &[(Option<usize>, &'a Module)],
        mut givers: Vec<&'a Module>,
        exporters: &Exporters<'a>,
    ) {
        let mut takers: HashMap<&SymbolName, Vec<(Option<usize>, &Module)>> = HashMap::new();
        for (place, module) in modules {
            let is_gpl_only =
                |symbol: &SymbolName| exporters.of(symbol).next().is_some_and(|offer| offer.export.gpl);
            let first = first_import(module, is_gpl_only).map(|(place, _)| place);
            for (symbol, import) in &module.imports {
                if first.is_none_or(|first| import.place < first) {
                    takers.entry(symbol).or_default().push((*place, module));
                }
            }
        }
        // Each symbol is followed once.
        while let Some(giver) = givers.pop() {
            for (place, heir) in giver.exports.keys().filter_map(|symbol| takers.remove(symbol)).flatten() {
                if self.0.insert((place, &heir.name)) {
                    givers.push(heir);
                }
            }
        }
    }

    fn has(&self, source: &Source<'a>) -> bool {
        match source {
            Source::Kernel => false,
            Source::Base(module) => self.0.contains(&(None, *module)),
            Source::Candidate { index, module, .. } => self.0.contains(&(Some(*index), *module)),
        }
    }

    /// What does not exist for the module, to which each import would be bound as `offer` says.
    pub(super) fn spoilt(
        &self,
        module: &'a Module,
        offer: impl Fn(&SymbolName) -> Option<Offer<'a>>,
    ) -> Spoilt<'a> {
        // Nearly always nobody is proprietary.
        if self.0.is_empty() {
            return Spoilt::Nothing;
        }
        if is_proprietary(module) {
            return Spoilt::Proprietary;
        }
        let of_proprietary =
            first_import(module, |symbol| offer(symbol).is_some_and(|offer| self.has(&offer.source)));
        let Some((taken, symbol)) = of_proprietary else { return Spoilt::Nothing };
        let gpl_only = first_import(module, |symbol| offer(symbol).is_some_and(|offer| offer.export.gpl));
        match (gpl_only, offer(symbol)) {
            (Some((first, symbol)), _) if first <= taken => Spoilt::TookGplOnly { symbol },
            (_, Some(Offer { source, .. })) => Spoilt::TookFromProprietary { symbol, owner: source },
            (_, None) => Spoilt::Nothing,
        }
    }

    /// Is this not found for a module that is spoilt so?
    pub(super) fn hides(&self, spoilt: &Spoilt<'a>, offer: &Offer<'a>) -> bool {
        match spoilt {
            Spoilt::Nothing => false,
            Spoilt::Proprietary | Spoilt::TookFromProprietary { .. } => offer.export.gpl,
            Spoilt::TookGplOnly { .. } => self.has(&offer.source),
        }
    }
}

/// The first of those imports, by its place in the symbol table.
fn first_import(module: &Module, is_wanted: impl Fn(&SymbolName) -> bool) -> Option<(u32, &SymbolName)> {
    let wanted = module.imports.iter().filter(|(symbol, _)| is_wanted(symbol));
    wanted.map(|(symbol, import)| (import.place, symbol)).min()
}

/// Why some exports do not exist for a module.
pub(super) enum Spoilt<'a> {
    /// All do.
    Nothing,
    /// It is proprietary by its own words: nothing GPL-only does.
    Proprietary,
    /// It has taken a symbol from a proprietary module: nothing GPL-only does.
    TookFromProprietary { symbol: &'a SymbolName, owner: Source<'a> },
    /// It has taken a GPL-only symbol: nothing of a proprietary module does.
    TookGplOnly { symbol: &'a SymbolName },
}

impl Spoilt<'_> {
    /// Why the module does not get what it must have, and what is hidden from it.
    pub(super) fn refusal(&self, module: &Module, symbol: &SymbolName, hidden: &Offer<'_>) -> Reason {
        let (name, owner) = (&module.name, hidden.source.module());
        let sentence = match self {
            Spoilt::TookFromProprietary { symbol: first, owner } => format!(
                "module {name} takes symbol {first} from the proprietary module {}, and so may not use {symbol}, which is for GPL-compatible modules only",
                owner.module()
            ),
            Spoilt::TookGplOnly { symbol: first } => format!(
                "module {name} uses {first}, which is for GPL-compatible modules only, and so may not take symbol {symbol} from the proprietary module {owner}"
            ),
            Spoilt::Nothing | Spoilt::Proprietary => return gpl_only(module, symbol, hidden),
        };
        Reason::new(ReasonCode::SymbolRestricted, sentence)
    }
}

fn gpl_only(module: &Module, symbol: &SymbolName, offer: &Offer<'_>) -> Reason {
    let license = module.license.as_ref().map_or("none", |license| license.as_str());
    let sentence = format!(
        "module {} has licence {license:?}; {} exports symbol {symbol} to GPL-compatible modules only",
        module.name,
        offer.source.text()
    );
    Reason::new(ReasonCode::SymbolRestricted, sentence).wanted_found("GPL-compatible", license)
}

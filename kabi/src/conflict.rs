//! What only one may have: the name of a module, and an exported symbol.
//!
//! The loader refuses a second module of a name (kernel/module/main.c, add_unformed_module), and one that exports what
//! is exported already (verify_exported_symbols).

use std::collections::BTreeMap;

use spec::{ExtensionName, ModuleName, Reason, ReasonCode};

use crate::verdict::Candidate;
use crate::{Module, SymbolName};

/// Who has it already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holder<'a> {
    Base,
    Extension(&'a ExtensionName),
}

impl Holder<'_> {
    fn text(self) -> String {
        match self {
            Holder::Base => "the base".to_owned(),
            Holder::Extension(name) => format!("extension {name}"),
        }
    }

    fn way_out(self) -> String {
        match self {
            Holder::Base => "build it without the module".to_owned(),
            Holder::Extension(name) => {
                format!("choose this extension or {name}, or build one without the module")
            }
        }
    }
}

/// The first candidate that has a module or an exported symbol of one before it, by its index, and the reasons.
///
/// All candidates must be able to stand but for this: see [`objections`](crate::objections). What is refused has
/// nothing, and is in nobody's way.
pub fn first_conflict(candidates: &[Candidate<'_>]) -> Option<(usize, Vec<Reason>)> {
    let (mut names, mut symbols) = (BTreeMap::new(), BTreeMap::new());
    for (index, candidate) in candidates.iter().enumerate() {
        let modules = candidate.record.modules();
        let taken =
            |module| taken(module, |name| names.get(name).copied(), |symbol| symbols.get(symbol).copied());
        let reasons: Vec<Reason> = modules.iter().flat_map(taken).collect();
        if !reasons.is_empty() {
            return Some((index, reasons));
        }
        let holder = Holder::Extension(candidate.name);
        names.extend(modules.iter().map(|module| (&module.name, holder)));
        symbols
            .extend(modules.iter().flat_map(|module| module.exports.keys()).map(|symbol| (symbol, holder)));
    }
    None
}

/// What of a module somebody has already. Of a module that is there twice, the symbols are too: one reason is enough.
pub(crate) fn taken<'a>(
    module: &Module,
    names: impl Fn(&ModuleName) -> Option<Holder<'a>>,
    symbols: impl Fn(&SymbolName) -> Option<Holder<'a>>,
) -> Vec<Reason> {
    let name = &module.name;
    let reason = |code, sentence: String, holder: Holder<'_>| {
        Reason::new(code, sentence).hint(holder.way_out()).subject(name.as_str())
    };
    if let Some(holder) = names(name) {
        let sentence = format!("module {name} is in {} already", holder.text());
        return vec![reason(ReasonCode::ModuleDuplicate, sentence, holder)];
    }
    let twice = |symbol: &SymbolName| {
        let holder = symbols(symbol)?;
        let sentence =
            format!("module {name} exports symbol {symbol}, which {} exports already", holder.text());
        Some(reason(ReasonCode::SymbolDuplicate, sentence, holder).symbol(symbol.as_str()))
    };
    module.exports.keys().filter_map(twice).collect()
}

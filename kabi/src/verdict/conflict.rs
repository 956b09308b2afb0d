//! What only one may have: the name of a module, an exported symbol, and the version of a release group.
//!
//! The loader refuses a second module of a name (kernel/module/main.c, add_unformed_module), and one that exports what
//! is exported already (verify_exported_symbols).

use std::collections::{BTreeMap, HashMap};

use spec::defence::{self, Threat};
use spec::{ExtensionName, ModuleName, Reason, ReasonCode};

use super::Candidate;
use super::linkage::REASONS_MAX;
use crate::{Module, Record, SymbolName};

/// Who has it already.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holder<'a> {
    /// The kernel image itself has the module.
    Kernel,
    Base,
    Extension(&'a ExtensionName),
}

impl Holder<'_> {
    fn text(self) -> String {
        match self {
            Holder::Kernel => "the kernel itself".to_owned(),
            Holder::Base => "the base".to_owned(),
            Holder::Extension(name) => format!("extension {name}"),
        }
    }

    fn way_out(self) -> String {
        match self {
            Holder::Kernel | Holder::Base => "build it without the module".to_owned(),
            Holder::Extension(name) => {
                format!("choose this extension or {name}, or build one without the module")
            }
        }
    }
}

/// Symbols that two modules of the same extension export.
pub(super) fn within(record: &Record) -> Vec<Reason> {
    let mut first: HashMap<&SymbolName, &Module> = HashMap::new();
    let mut reasons = Vec::new();
    for module in record.modules() {
        for symbol in module.exports.keys() {
            if let Some(other) = first.insert(symbol, module)
                && reasons.len() < REASONS_MAX
            {
                let sentence = format!(
                    "module {} exports symbol {symbol}, which module {} exports already",
                    module.name, other.name
                );
                let reason = Reason::new(ReasonCode::SymbolDuplicate, sentence);
                reasons.push(reason.subject(module.name.as_str()).symbol(symbol.as_str()));
            }
        }
    }
    reasons
}

/// The first candidate that has a module or an exported symbol of one before it, or is of another version of the same
/// release group, by its index, and the reasons.
///
/// All candidates must be able to stand but for this: see [`objections`](crate::objections). What is refused has
/// nothing, and is in nobody's way.
pub fn first_conflict(candidates: &[Candidate<'_>]) -> Option<(usize, Vec<Reason>)> {
    let (mut names, mut symbols, mut groups) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (index, candidate) in candidates.iter().enumerate() {
        let modules = candidate.record.modules();
        let taken =
            |module| taken(module, |name| names.get(name).copied(), |symbol| symbols.get(symbol).copied());
        let mut reasons: Vec<Reason> = modules.iter().flat_map(taken).take(REASONS_MAX).collect();
        reasons.extend(other_version(candidate, &groups));
        if !reasons.is_empty() {
            return Some((index, reasons));
        }
        if let Some(group) = candidate.group {
            groups.entry(&group.name).or_insert(candidate);
        }
        let holder = Holder::Extension(candidate.name);
        names.extend(modules.iter().map(|module| (&module.name, holder)));
        symbols
            .extend(modules.iter().flat_map(|module| module.exports.keys()).map(|symbol| (symbol, holder)));
    }
    None
}

/// Parts of one upstream release work only together: a driver takes the firmware and the libraries of its own version.
fn other_version(
    candidate: &Candidate<'_>,
    groups: &BTreeMap<&ExtensionName, &Candidate<'_>>,
) -> Option<Reason> {
    let own = candidate.group?;
    let first = groups.get(&own.name)?;
    let (wanted, found) = (&first.group?.version, &own.version);
    if wanted == found {
        return None;
    }
    let sentence = format!(
        "extension {} is of {} {found}, and extension {} of {} {wanted}",
        candidate.name, own.name, first.name, own.name
    );
    let reason = Reason::new(ReasonCode::GroupMismatch, sentence).subject(own.name.as_str());
    let hint = format!("choose the same version of everything that belongs to {}", own.name);
    Some(reason.hint(hint).wanted_found(wanted.as_str(), found.as_str()))
}

/// What of a module somebody has already. Of a module that is there twice, the symbols are too: one reason is enough.
pub(super) fn taken<'a>(
    module: &Module,
    names: impl Fn(&ModuleName) -> Option<Holder<'a>>,
    symbols: impl Fn(&SymbolName) -> Option<Holder<'a>>,
) -> Vec<Reason> {
    let name = &module.name;
    let reason = |code, sentence: String, holder: Holder<'_>| {
        Reason::new(code, sentence).hint(holder.way_out()).subject(name.as_str())
    };
    if let Some(holder) = names(name).filter(|_| defence::stands(Threat::C11)) {
        let sentence = format!("module {name} is in {} already", holder.text());
        return vec![reason(ReasonCode::ModuleDuplicate, sentence, holder)];
    }
    let twice = |symbol: &SymbolName| {
        let holder = symbols(symbol)?;
        let sentence =
            format!("module {name} exports symbol {symbol}, which {} exports already", holder.text());
        Some(reason(ReasonCode::SymbolDuplicate, sentence, holder).symbol(symbol.as_str()))
    };
    module.exports.keys().filter_map(twice).take(REASONS_MAX).collect()
}

//! What each import of a set of modules is bound to, and why it is not.

use std::collections::{HashMap, HashSet};

use spec::{ExtensionName, ModuleName, Reason, ReasonCode};

use super::taint::{Tainted, is_proprietary};
use super::{Candidate, Host, rebuild_hint};
use crate::module::MODULE_LAYOUT;
use crate::profile::Owner;
use crate::{Crc, Export, Import, KernelOption, Module, Record, SymbolName};

/// Reasons after which no further symbol of an extension is looked at: a module for another kernel has hundreds.
pub(super) const REASONS_MAX: usize = 10_000;

/// Binds the imports of all candidates.
pub(super) struct Linkage<'a> {
    host: &'a Host<'a>,
    candidates: &'a [Candidate<'a>],
    exporters: Exporters<'a>,
    tainted: Tainted<'a>,
    layout: SymbolName,
}

/// The exports of a base and of all candidates.
pub(super) struct Exporters<'a> {
    host: &'a Host<'a>,
    /// In the order of the candidates.
    candidates: HashMap<&'a SymbolName, Vec<Offer<'a>>>,
    /// Modules of candidates: where nobody knows what the base ships, it does not ship these.
    modules: HashSet<&'a ModuleName>,
}

/// An export that an import could be bound to.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) export: &'a Export,
    pub(super) source: Source<'a>,
}

/// Who exports.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The kernel image.
    Kernel,
    /// A module that the base ships.
    Base(&'a ModuleName),
    /// A module of a candidate.
    Candidate { index: usize, extension: &'a ExtensionName, module: &'a ModuleName },
}

impl<'a> Source<'a> {
    fn text(&self) -> String {
        match self {
            Source::Kernel | Source::Base(_) => "the base".to_owned(),
            Source::Candidate { extension, .. } => format!("extension {extension}"),
        }
    }

    fn is_of(&self, candidate: usize) -> bool {
        matches!(self, Source::Candidate { index, .. } if *index == candidate)
    }

    fn module(&self) -> &'a str {
        match self {
            Source::Kernel => "vmlinux",
            Source::Base(module) | Source::Candidate { module, .. } => module.as_str(),
        }
    }
}

impl<'a> Exporters<'a> {
    fn new(host: &'a Host<'a>, candidates: &'a [Candidate<'a>]) -> Exporters<'a> {
        let mut exporters: HashMap<&SymbolName, Vec<Offer<'a>>> = HashMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            for module in candidate.record.modules() {
                let source = Source::Candidate { index, extension: candidate.name, module: &module.name };
                for (symbol, export) in &module.exports {
                    let offers = exporters.entry(symbol).or_default();
                    // A second one of the same extension is refused for that, and need not be looked at.
                    if offers.last().is_none_or(|last| !last.source.is_of(index)) {
                        offers.push(Offer { export, source });
                    }
                }
            }
        }
        let records = candidates.iter().map(|candidate| candidate.record);
        let modules = records.flat_map(Record::modules).map(|module| &module.name).collect();
        Exporters { host, candidates: exporters, modules }
    }

    /// What the kernel and the modules in the base export.
    fn base(&self, symbol: &SymbolName) -> Option<Offer<'a>> {
        let known = self.host.profile.get(symbol)?;
        let source = match &known.owner {
            Owner::Kernel => Source::Kernel,
            Owner::Module(name) => {
                let assumed = || self.host.modules.is_none() && !self.modules.contains(name);
                (self.host.ships(name) || assumed()).then_some(Source::Base(name))?
            }
        };
        Some(Offer { export: &known.export, source })
    }

    /// All that anybody exports by that name, the base first.
    pub(super) fn of(&self, symbol: &SymbolName) -> impl Iterator<Item = Offer<'a>> {
        let candidates = self.candidates.get(symbol).map(Vec::as_slice).unwrap_or_default();
        self.base(symbol).into_iter().chain(candidates.iter().copied())
    }
}

impl<'a> Linkage<'a> {
    pub(super) fn new(host: &'a Host<'a>, candidates: &'a [Candidate<'a>]) -> Linkage<'a> {
        let exporters = Exporters::new(host, candidates);
        let tainted = Tainted::new(host.modules, candidates);
        let layout = MODULE_LAYOUT.parse().expect("the name is a symbol");
        Linkage { host, candidates, exporters, tainted, layout }
    }

    /// Every import of a candidate that cannot be bound while only the candidates that are `standing` export.
    pub(super) fn reasons(&self, index: usize, standing: &[bool]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for module in self.candidates[index].record.modules() {
            reasons.extend(self.no_layout(module));
            reasons.extend(self.inherited_taint(index, module, standing));
            for (symbol, import) in &module.imports {
                if reasons.len() > REASONS_MAX {
                    return reasons;
                }
                let refusal = self.refusal(index, module, symbol, import, standing);
                reasons.extend(
                    refusal.map(|reason| reason.subject(module.name.as_str()).symbol(symbol.as_str())),
                );
            }
        }
        reasons
    }

    /// Does the kernel export the symbol, or a module that is known to be in the base?
    pub(super) fn is_exported_by_base(&self, symbol: &SymbolName) -> bool {
        match self.exporters.base(symbol).map(|offer| offer.source) {
            Some(Source::Base(name)) => self.host.ships(name),
            found => found.is_some(),
        }
    }

    fn refusal(
        &self,
        index: usize,
        module: &Module,
        symbol: &SymbolName,
        import: &Import,
        standing: &[bool],
    ) -> Option<Reason> {
        // For a proprietary module, what is for others does not exist: kernel/module/main.c, `find_symbol` with `gplok`.
        let is_hidden = |offer: &Offer<'_>| offer.export.gpl && is_proprietary(module);
        let offers = self.offers(index, symbol, standing);
        let mut visible = offers.clone().filter(|offer| !is_hidden(offer));
        let same_crc = visible.clone().find(|offer| has_same_version(module, import, offer.export));
        match (same_crc, visible.next()) {
            (Some(offer), _) => self.outside_namespace(module, symbol, &offer),
            (None, Some(other)) => Some(self.mismatch(module, symbol, import, &other)),
            (None, None) if import.weak => None,
            (None, None) => Some(match offers.clone().next() {
                Some(hidden) => gpl_only(module, symbol, &hidden),
                None => self.missing(module, symbol, import),
            }),
        }
    }

    /// What the module could take: from the base, from its own extension, from those that are standing.
    fn offers<'s>(
        &self,
        index: usize,
        symbol: &SymbolName,
        standing: &'s [bool],
    ) -> impl Iterator<Item = Offer<'a>> + Clone + use<'a, 's> {
        let candidates: Vec<Offer<'a>> = self.exporters.of(symbol).collect();
        candidates.into_iter().filter(move |offer| match offer.source {
            Source::Kernel | Source::Base(_) => true,
            Source::Candidate { index: from, .. } => from == index || standing[from],
        })
    }

    /// A module with versions of symbols, but none of `module_layout`, which the loader looks for first
    /// (kernel/module/version.c, `check_modstruct_version`).
    fn no_layout(&self, module: &Module) -> Option<Reason> {
        let offer = self.exporters.base(&self.layout).filter(|offer| offer.export.crc.is_some())?;
        if !module.versioned || module.imports.contains_key(&self.layout) {
            return None;
        }
        let reason = self.mismatch(module, &self.layout, &Import::default(), &offer);
        Some(reason.subject(module.name.as_str()).symbol(MODULE_LAYOUT))
    }

    /// A module that takes symbols from a proprietary one may take no GPL-only symbols besides.
    fn inherited_taint(&self, index: usize, module: &Module, standing: &[bool]) -> Option<Reason> {
        if self.tainted.is_empty() || is_proprietary(module) {
            return None;
        }
        let first = |symbol| self.offers(index, symbol, standing).next();
        let mut imports =
            module.imports.iter().filter_map(|(symbol, import)| Some((symbol, import, first(symbol)?)));
        let (symbol, taking, owner) = imports.clone().find(|(.., offer)| self.tainted.has(&offer.source))?;
        // Once it is tainted, a weak import of what is for others is absent, and no error.
        let is_used = |import: &Import| !import.weak || import.place < taking.place;
        let (restricted, ..) = imports.find(|(_, import, offer)| offer.export.gpl && is_used(import))?;
        let (name, owner) = (module.name.as_str(), owner.source.module());
        let sentence = format!(
            "module {name} takes symbol {symbol} from the proprietary module {owner}, and so may not use {restricted}, which is for GPL-compatible modules only"
        );
        Some(Reason::new(ReasonCode::SymbolRestricted, sentence).subject(name).symbol(symbol.as_str()))
    }

    fn mismatch(&self, module: &Module, symbol: &SymbolName, import: &Import, offer: &Offer<'_>) -> Reason {
        let (wanted, found) = (crc_or_none(offer.export.crc), crc_or_none(import.crc));
        let sentence = format!(
            "module {} was built against symbol {symbol} with CRC {found}; {} exports it with CRC {wanted}",
            module.name,
            offer.source.text()
        );
        let reason = Reason::new(ReasonCode::SymbolCrcMismatch, sentence).wanted_found(wanted, found);
        reason.hint(rebuild_hint(self.host.profile))
    }

    fn missing(&self, module: &Module, symbol: &SymbolName, import: &Import) -> Reason {
        let (why, hint) = self.whereabouts(symbol);
        let sentence = format!("module {} needs symbol {symbol}; {why}", module.name);
        let reason = Reason::new(ReasonCode::SymbolMissing, sentence).hint(hint);
        reason.wanted_found(crc_or_none(import.crc), "none")
    }

    /// Who has a symbol that nobody here exports, and what to do about it.
    fn whereabouts(&self, symbol: &SymbolName) -> (String, String) {
        let unfit = self.exporters.candidates.get(symbol).and_then(|offers| offers.first());
        if let Some(Offer { source: Source::Candidate { extension, .. }, .. }) = unfit {
            let why = format!("extension {extension} exports it, but does not fit itself");
            return (why, format!("make extension {extension} fit"));
        }
        let exports = |other: &&Candidate<'_>| {
            other.record.modules().iter().any(|module| module.exports.contains_key(symbol))
        };
        if let Some(other) = self.host.others.iter().find(exports) {
            let why = format!("extension {} exports it, which was not chosen", other.name);
            return (why, format!("add extension {}", other.name));
        }
        match self.host.profile.owner(symbol) {
            Some(Owner::Module(owner)) => {
                let why = format!("the kernel's module {owner} exports it, which nothing here ships");
                (why, format!("add module {owner} to the extension"))
            }
            _ => {
                let why = "neither the base nor another extension exports it".to_owned();
                (why, rebuild_hint(self.host.profile))
            }
        }
    }

    fn outside_namespace(&self, module: &Module, symbol: &SymbolName, offer: &Offer<'_>) -> Option<Reason> {
        let namespace = offer.export.namespace.as_ref()?;
        let is_lenient = self.host.profile.option(KernelOption::AllowMissingNamespaceImports) == Some(true);
        if is_open_to(namespace.as_str(), module, is_lenient) {
            return None;
        }
        let sentence = format!(
            "module {} uses symbol {symbol} without importing its namespace {namespace}",
            module.name
        );
        let reason = Reason::new(ReasonCode::SymbolRestricted, sentence);
        let reason = reason.wanted_found(namespace.as_str(), "none");
        Some(match namespace.as_str().starts_with("module:") {
            true => reason,
            false => reason.hint(format!("import it in the module's source: MODULE_IMPORT_NS({namespace})")),
        })
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

/// The loader's `check_version` (kernel/module/version.c): an export without a version goes with everything, and a
/// module without versions was let in by force.
fn has_same_version(module: &Module, import: &Import, export: &Export) -> bool {
    export.crc.is_none() || !module.versioned || export.crc == import.crc
}

/// A namespace is imported by name; one that starts with `module:` names the modules that it is for, and nobody else can
/// import it (linux/export.h, EXPORT_SYMBOL_FOR_MODULES). `is_lenient` is a kernel that only warns
/// (CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS).
fn is_open_to(namespace: &str, module: &Module, is_lenient: bool) -> bool {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => module.name.as_str().starts_with(start),
        None => module.name.as_str() == pattern,
    };
    match namespace.strip_prefix("module:") {
        Some(modules) => modules.split(',').any(matches),
        None => is_lenient || module.namespaces.iter().any(|imported| imported.as_str() == namespace),
    }
}

fn crc_or_none(crc: Option<Crc>) -> String {
    crc.map_or("none".to_owned(), |crc| crc.to_string())
}

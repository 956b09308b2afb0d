//! What each import of a set of modules is bound to, and why it is not (kernel/module/main.c, `resolve_symbol`).

use std::collections::{HashMap, HashSet};

use spec::{ExtensionName, ModuleName, Reason, ReasonCode};

use super::taint::{Spoilt, Tainted};
use super::{Candidate, Host, loader, rebuild_hint};
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
    pub(super) fn text(&self) -> String {
        match self {
            Source::Kernel | Source::Base(_) => "the base".to_owned(),
            Source::Candidate { extension, .. } => format!("extension {extension}"),
        }
    }

    fn is_of(&self, candidate: usize) -> bool {
        matches!(self, Source::Candidate { index, .. } if *index == candidate)
    }

    pub(super) fn module(&self) -> &'a str {
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
        let tainted = Tainted::new(host, candidates, &exporters);
        let layout = MODULE_LAYOUT.parse().expect("the name is a symbol");
        Linkage { host, candidates, exporters, tainted, layout }
    }

    /// Every import of a candidate that cannot be bound while only the candidates that are `standing` export.
    pub(super) fn reasons(&self, index: usize, standing: &[bool]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for module in self.candidates[index].record.modules() {
            reasons.extend(self.no_layout(index, module));
            let spoilt = self.tainted.spoilt(module, |symbol| self.offers(index, symbol, standing).next());
            for (symbol, import) in &module.imports {
                if reasons.len() > REASONS_MAX {
                    return reasons;
                }
                let offers = self.offers(index, symbol, standing);
                let refusal = self.refusal(index, module, symbol, import, &spoilt, offers);
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

    /// Why an import is bound to none of these offers.
    fn refusal(
        &self,
        index: usize,
        module: &Module,
        symbol: &SymbolName,
        import: &Import,
        spoilt: &Spoilt<'a>,
        offers: impl Iterator<Item = Offer<'a>> + Clone,
    ) -> Option<Reason> {
        let mut visible = offers.clone().filter(|offer| !self.tainted.hides(spoilt, offer));
        let same_crc = visible.clone().find(|offer| self.has_same_version(module, import, offer.export));
        match (same_crc, visible.next()) {
            (Some(offer), _) => self.outside_namespace(module, symbol, &offer),
            (None, Some(other)) => Some(self.mismatch(index, module, symbol, import, &other)),
            (None, None) if import.weak => None,
            (None, None) => Some(match offers.clone().next() {
                Some(hidden) => spoilt.refusal(module, symbol, &hidden),
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
    fn no_layout(&self, index: usize, module: &Module) -> Option<Reason> {
        let offer = self.exporters.base(&self.layout).filter(|offer| offer.export.crc.is_some())?;
        if !loader::has_versions(self.host.profile, module) || module.imports.contains_key(&self.layout) {
            return None;
        }
        let reason = self.mismatch(index, module, &self.layout, &Import::default(), &offer);
        Some(reason.subject(module.name.as_str()).symbol(MODULE_LAYOUT))
    }

    /// The loader's `check_version` (kernel/module/version.c): an export without a version goes with everything, and a
    /// module without versions was let in by force.
    ///
    /// A module that has versions, and none of this symbol, does not: Debian's kernels refuse it. Linux warns and goes on,
    /// and which of them a kernel is, no profile tells; whoever built such a module lost what the check is for.
    fn has_same_version(&self, module: &Module, import: &Import, export: &Export) -> bool {
        export.crc.is_none() || export.crc == import.crc || !loader::has_versions(self.host.profile, module)
    }

    fn mismatch(
        &self,
        index: usize,
        module: &Module,
        symbol: &SymbolName,
        import: &Import,
        offer: &Offer<'_>,
    ) -> Reason {
        let (wanted, found) = (crc_or_none(offer.export.crc), crc_or_none(import.crc));
        let sentence = format!(
            "module {} was built against symbol {symbol} with CRC {found}; {} exports it with CRC {wanted}",
            module.name,
            offer.source.text()
        );
        let hint = match offer.source {
            Source::Kernel | Source::Base(_) => rebuild_hint(self.host.profile),
            Source::Candidate { index: from, .. } if from == index => {
                format!("build it again together with module {}", offer.source.module())
            }
            Source::Candidate { extension, module, .. } => {
                format!("build it against extension {extension}, whose module {module} exports the symbol")
            }
        };
        Reason::new(ReasonCode::SymbolCrcMismatch, sentence).wanted_found(wanted, found).hint(hint)
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
            _ => ("neither the base nor another extension exports it".to_owned(), self.nowhere_hint()),
        }
    }

    /// What to do about a symbol that nobody exports.
    fn nowhere_hint(&self) -> String {
        let profile = self.host.profile;
        match profile.option(KernelOption::TrimUnusedKsyms) {
            Some(true) => format!(
                "kernel {} exports only what its own modules use ({}): ask for one that exports this too",
                profile.release(),
                KernelOption::TrimUnusedKsyms
            ),
            _ => rebuild_hint(profile),
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

/// A namespace is imported by name; one that starts with `module:` names the modules that it is for, and nobody else can
/// import it (linux/export.h, EXPORT_SYMBOL_FOR_MODULES). `is_lenient` is a kernel that only warns
/// (CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS).
fn is_open_to(namespace: &str, module: &Module, is_lenient: bool) -> bool {
    // The kernel takes `-` and `_` for the same (kernel/module/main.c, `mod_strncmp`).
    let matches = |pattern: &str| {
        let pattern = pattern.replace('-', "_");
        match pattern.strip_suffix('*') {
            Some(start) => module.name.as_str().starts_with(start),
            None => module.name.as_str() == pattern,
        }
    };
    match namespace.strip_prefix("module:") {
        Some(modules) => modules.split(',').any(matches),
        None => is_lenient || module.namespaces.iter().any(|imported| imported.as_str() == namespace),
    }
}

fn crc_or_none(crc: Option<Crc>) -> String {
    crc.map_or("none".to_owned(), |crc| crc.to_string())
}

//! What each import of a set of modules is bound to, and why it is not.

use std::collections::BTreeMap;

use spec::{ExtensionName, Reason, ReasonCode};

use crate::profile::Owner;
use crate::verdict::{Candidate, rebuild_hint};
use crate::{Crc, Export, Import, Module, Profile, Record, SymbolName};

/// Licences that may use GPL-only symbols: `license_is_gpl_compatible` (linux/license.h).
const GPL_COMPATIBLE: [&str; 6] =
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];
/// Stands for the layout of `struct module`: modpost gives every module a version of it (scripts/mod/modpost.c,
/// add_versions), though no code refers to it.
pub(crate) const MODULE_LAYOUT: &str = "module_layout";

/// The exports of a base and of all candidates.
pub(crate) struct Linkage<'a> {
    profile: &'a Profile,
    base: &'a Record,
    candidates: &'a [Candidate<'a>],
    /// Which candidates export a symbol, in their order.
    exporters: BTreeMap<&'a SymbolName, Vec<(usize, &'a Export)>>,
}

/// An export that an import could be bound to.
struct Offer<'a> {
    export: &'a Export,
    /// The extension it is from; none for the base.
    from: Option<&'a ExtensionName>,
}

impl Offer<'_> {
    fn source(&self) -> String {
        self.from.map_or("the base".to_owned(), |name| format!("extension {name}"))
    }
}

impl<'a> Linkage<'a> {
    pub(crate) fn new(
        profile: &'a Profile,
        base: &'a Record,
        candidates: &'a [Candidate<'a>],
    ) -> Linkage<'a> {
        let mut exporters: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            for (symbol, export) in candidate.record.modules().iter().flat_map(|module| &module.exports) {
                exporters.entry(symbol).or_default().push((index, export));
            }
        }
        Linkage { profile, base, candidates, exporters }
    }

    /// Every import of a candidate that cannot be bound while only the candidates that are `standing` export.
    pub(crate) fn reasons(&self, index: usize, standing: &[bool]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for module in self.candidates[index].record.modules() {
            reasons.extend(self.no_layout(module));
            for (symbol, import) in &module.imports {
                let refusal = self.refusal(index, module, symbol, import, standing);
                reasons.extend(
                    refusal.map(|reason| reason.subject(module.name.as_str()).symbol(symbol.as_str())),
                );
            }
        }
        reasons
    }

    fn refusal(
        &self,
        index: usize,
        module: &Module,
        symbol: &SymbolName,
        import: &Import,
        standing: &[bool],
    ) -> Option<Reason> {
        let offers = self.offers(index, symbol, standing);
        let same_crc = offers.iter().find(|offer| offer.export.crc == import.crc);
        match (same_crc, offers.first()) {
            (Some(offer), _) => self.restricted(module, symbol, offer),
            (None, Some(other)) => Some(self.mismatch(module, symbol, import, other)),
            (None, None) if import.weak => None,
            (None, None) => Some(self.missing(module, symbol, import)),
        }
    }

    /// The base first, then the extensions; the modules of one extension always see each other.
    fn offers(&self, index: usize, symbol: &SymbolName, standing: &[bool]) -> Vec<Offer<'a>> {
        let base = self.base_export(symbol).map(|export| Offer { export, from: None });
        let others = self.exporters.get(symbol).map(Vec::as_slice).unwrap_or_default().iter();
        let others = others.filter(|(from, _)| *from == index || standing[*from]);
        let others = others.map(|(from, export)| Offer { export, from: Some(self.candidates[*from].name) });
        base.into_iter().chain(others).collect()
    }

    /// What kernel and modules of the base export; in-tree modules that the base does not ship export nothing.
    pub(crate) fn base_export(&self, symbol: &SymbolName) -> Option<&'a Export> {
        let known = self.profile.get(symbol)?;
        let shipped = match &known.owner {
            Owner::Kernel => true,
            Owner::Module(name) => self.base.get(name).is_some(),
        };
        shipped.then_some(&known.export)
    }

    /// A module without a version of `module_layout` leaves open which kernel it was built for. The loader takes it
    /// with a warning, or by force (kernel/module/version.c, check_version); here nobody reads warnings.
    fn no_layout(&self, module: &Module) -> Option<Reason> {
        let symbol: SymbolName = MODULE_LAYOUT.parse().expect("the name is a symbol");
        let export = self.base_export(&symbol).filter(|export| export.crc.is_some())?;
        if module.imports.contains_key(&symbol) {
            return None;
        }
        let reason = self.mismatch(module, &symbol, &Import::default(), &Offer { export, from: None });
        Some(reason.subject(module.name.as_str()).symbol(MODULE_LAYOUT))
    }

    fn mismatch(&self, module: &Module, symbol: &SymbolName, import: &Import, offer: &Offer<'_>) -> Reason {
        let (wanted, found) = (crc_or_none(offer.export.crc), crc_or_none(import.crc));
        let sentence = format!(
            "module {} was built against symbol {symbol} with CRC {found}; {} exports it with CRC {wanted}",
            module.name,
            offer.source()
        );
        let reason = Reason::new(ReasonCode::SymbolCrcMismatch, sentence).wanted_found(wanted, found);
        reason.hint(rebuild_hint(self.profile))
    }

    fn missing(&self, module: &Module, symbol: &SymbolName, import: &Import) -> Reason {
        let unfit = self.exporters.get(symbol).and_then(|exporters| exporters.first());
        let (why, hint) = match (unfit, self.profile.owner(symbol)) {
            (Some((other, _)), _) => {
                let other = self.candidates[*other].name;
                (
                    format!("extension {other} exports it, but does not fit itself"),
                    format!("make extension {other} fit"),
                )
            }
            (None, Some(Owner::Module(owner))) => {
                let why = format!("the kernel's module {owner} exports it, which nothing here ships");
                (why, format!("add module {owner} to the extension"))
            }
            (None, _) => {
                ("neither the base nor another extension exports it".to_owned(), rebuild_hint(self.profile))
            }
        };
        let sentence = format!("module {} needs symbol {symbol}; {why}", module.name);
        let reason = Reason::new(ReasonCode::SymbolMissing, sentence).hint(hint);
        reason.wanted_found(crc_or_none(import.crc), "none")
    }

    /// The loader hides GPL-only symbols from other modules, and wants namespaces to be imported.
    fn restricted(&self, module: &Module, symbol: &SymbolName, offer: &Offer<'_>) -> Option<Reason> {
        let license = module.license.as_ref().map_or("none", |license| license.as_str());
        let refused = |sentence: String| Reason::new(ReasonCode::SymbolRestricted, sentence);
        if offer.export.gpl && !GPL_COMPATIBLE.contains(&license) {
            let sentence = format!(
                "module {} has licence {license:?}; {} exports symbol {symbol} to GPL-compatible modules only",
                module.name,
                offer.source()
            );
            return Some(refused(sentence).wanted_found("GPL-compatible", license));
        }
        let namespace = offer.export.namespace.as_ref()?;
        if is_open_to(namespace.as_str(), module) {
            return None;
        }
        let sentence = format!(
            "module {} uses symbol {symbol} without importing its namespace {namespace}",
            module.name
        );
        Some(refused(sentence).wanted_found(namespace.as_str(), "none"))
    }
}

/// Since Linux 6.16 a namespace `module:a,b*` is for the modules that it names (kernel/module/main.c,
/// verify_module_namespace); any other one is for those that import it.
fn is_open_to(namespace: &str, module: &Module) -> bool {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => module.name.as_str().starts_with(start),
        None => module.name.as_str() == pattern,
    };
    match namespace.strip_prefix("module:") {
        Some(modules) => modules.split(',').any(matches),
        None => module.namespaces.iter().any(|imported| imported.as_str() == namespace),
    }
}

fn crc_or_none(crc: Option<Crc>) -> String {
    crc.map_or("none".to_owned(), |crc| crc.to_string())
}

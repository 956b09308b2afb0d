//! The verdict: do the modules of a set of extensions fit a base, all together?
//!
//! The rules are those of the kernel's loader (kernel/module/main.c, load_module): a module loads if every symbol
//! that it imports is exported with the CRC it was built against. `module_layout` is one of them and stands for the
//! layout of `struct module`. A module for another release may pass that, yet its directory is one that modprobe
//! does not look into: it does not fit either.

use spec::{ExtensionName, KernelRelease, ModuleName, Reason, ReasonCode};

use crate::conflict::{Holder, first_conflict, taken};
use crate::linkage::{Linkage, MODULE_LAYOUT};
use crate::{Module, Profile, Record, index};

/// An extension that asks to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What it is called.
    pub name: &'a ExtensionName,
    /// The kernel that its config declares; none without modules.
    pub kernel: Option<&'a KernelRelease>,
    /// Its modules; an empty record without any.
    pub record: &'a Record,
}

/// The proof that the modules of an extension fit the base and the other extensions that do. Only [`judge`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fits {
    extension: ExtensionName,
}

impl Fits {
    /// The extension that fits.
    pub fn extension(&self) -> &ExtensionName {
        &self.extension
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It fits.
    Fits(Fits),
    /// It does not, for these reasons: the kernel first, then architecture, duplicate modules and symbols,
    /// `module_layout`, and all other symbols by module and name. In each, `wanted` is what the base or the set has and
    /// `found` what the module has; of a missing symbol, `wanted` is the CRC that the module was built against.
    Unfit(Vec<Reason>),
}

/// Judges the whole set: one verdict for each candidate, in their order.
///
/// `base` has the modules that the base ships, and `profile` the exports of its kernel; those of kernel modules that
/// the base does not ship count for nothing. An extension that is unfit gives no symbols to the others, who may
/// become unfit by that, and it is in nobody's way. Of two that could both stay but for a module or a symbol that both
/// have, the later one is unfit.
pub fn judge(profile: &Profile, base: &Record, candidates: &[Candidate<'_>]) -> Vec<Verdict> {
    let court = Court::new(profile, base, candidates);
    let mut out = court.own();
    // Every round takes an extension out, so there are at most as many rounds as extensions, and one.
    loop {
        court.settle_symbols(&mut out);
        let standing: Vec<usize> = (0..candidates.len()).filter(|index| out[*index].is_empty()).collect();
        let rest: Vec<Candidate<'_>> = standing.iter().map(|index| candidates[*index]).collect();
        match first_conflict(&rest) {
            Some((place, reasons)) => out[standing[place]] = reasons,
            None => break,
        }
    }
    candidates.iter().zip(out).map(|(candidate, reasons)| verdict(candidate, reasons)).collect()
}

/// What speaks against each candidate, in their order, whichever of them comes first: the reasons of [`judge`] but for
/// those of a [conflict](first_conflict). For callers with rules of their own about who can stay.
pub fn objections(profile: &Profile, base: &Record, candidates: &[Candidate<'_>]) -> Vec<Vec<Reason>> {
    let court = Court::new(profile, base, candidates);
    let mut out = court.own();
    court.settle_symbols(&mut out);
    out.into_iter().map(sorted).collect()
}

fn verdict(candidate: &Candidate<'_>, reasons: Vec<Reason>) -> Verdict {
    match reasons.is_empty() {
        true => Verdict::Fits(Fits { extension: candidate.name.clone() }),
        false => Verdict::Unfit(sorted(reasons)),
    }
}

fn sorted(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.sort_by(|a, b| order(a).cmp(&order(b)));
    reasons
}

/// What explains the most comes first: with another kernel, all symbols may differ.
fn order(reason: &Reason) -> (u8, Option<&str>, Option<&str>) {
    let symbol = reason.symbol.as_deref();
    let rank = match (reason.code, symbol) {
        (ReasonCode::KernelMismatch, _) => 0,
        (ReasonCode::ArchMismatch, _) => 1,
        (ReasonCode::ModuleDuplicate, _) => 2,
        (ReasonCode::SymbolDuplicate, _) => 3,
        (_, Some(MODULE_LAYOUT)) => 4,
        _ => 5,
    };
    (rank, reason.subject.as_deref(), symbol)
}

/// What somebody does about modules that were built for another kernel than that of the base.
pub(crate) fn rebuild_hint(profile: &Profile) -> String {
    format!("build it against {}, with extbuild build --kernel", profile.release())
}

/// Holds candidates against the base, and against those that they need symbols from.
struct Court<'a> {
    profile: &'a Profile,
    base: &'a Record,
    candidates: &'a [Candidate<'a>],
    linkage: Linkage<'a>,
}

impl<'a> Court<'a> {
    fn new(profile: &'a Profile, base: &'a Record, candidates: &'a [Candidate<'a>]) -> Court<'a> {
        Court { profile, base, candidates, linkage: Linkage::new(profile, base, candidates) }
    }

    /// What speaks against each candidate, whatever becomes of the others; of those that it does, the symbols too.
    fn own(&self) -> Vec<Vec<Reason>> {
        let mut own: Vec<_> = (0..self.candidates.len()).map(|index| self.reasons(index)).collect();
        let standing: Vec<bool> = own.iter().map(Vec::is_empty).collect();
        for (index, reasons) in own.iter_mut().enumerate().filter(|(_, reasons)| !reasons.is_empty()) {
            reasons.extend(self.linkage.reasons(index, &standing));
        }
        own
    }

    /// Takes candidates out until all that are left get their symbols from each other and from the base.
    fn settle_symbols(&self, out: &mut [Vec<Reason>]) {
        loop {
            let standing: Vec<bool> = out.iter().map(Vec::is_empty).collect();
            for index in (0..out.len()).filter(|index| standing[*index]) {
                out[index] = self.linkage.reasons(index, &standing);
            }
            // Every round but the last takes a candidate out.
            if out.iter().map(Vec::is_empty).eq(standing) {
                return;
            }
        }
    }

    fn reasons(&self, index: usize) -> Vec<Reason> {
        let candidate = &self.candidates[index];
        let modules = candidate.record.modules();
        let mut reasons: Vec<Reason> = self.wrong_kernel(candidate).into_iter().collect();
        // One sentence about the whole extension says enough about the release of each of its modules.
        if reasons.is_empty() {
            reasons.extend(modules.iter().filter_map(|module| self.wrong_release(module)));
        }
        // Modules of another release are in a directory of their own and get in nobody's way.
        if reasons.is_empty() {
            reasons.extend(modules.iter().flat_map(|module| self.duplicate(module)));
        }
        reasons.extend(modules.iter().filter_map(|module| self.wrong_arch(module)));
        reasons
    }

    fn wrong_kernel(&self, candidate: &Candidate<'_>) -> Option<Reason> {
        let wanted = self.profile.release();
        let found = candidate.kernel.filter(|found| *found != wanted)?;
        let sentence = format!("extension {} is for kernel {found}; the base has {wanted}", candidate.name);
        let reason = Reason::new(ReasonCode::KernelMismatch, sentence).hint(rebuild_hint(self.profile));
        Some(reason.wanted_found(wanted.as_str(), found.as_str()))
    }

    fn wrong_release(&self, module: &Module) -> Option<Reason> {
        let wanted = self.profile.release();
        let (name, found) = (module.name.as_str(), module.release());
        let (sentence, wanted, found) = if found != wanted.as_str() {
            let sentence = format!("module {name} is built for kernel {found}; the base has {wanted}");
            (sentence, wanted.to_string(), found.to_owned())
        } else if index::inside_release(&module.path, wanted).is_none() {
            let directory = index::directory(wanted);
            let sentence = format!("module {name} is at {}; modprobe looks in {directory}", module.path);
            (sentence, directory, module.path.to_string())
        } else {
            return None;
        };
        let reason = Reason::new(ReasonCode::KernelMismatch, sentence).hint(rebuild_hint(self.profile));
        Some(reason.subject(name).wanted_found(wanted, found))
    }

    fn wrong_arch(&self, module: &Module) -> Option<Reason> {
        let (name, found, wanted) = (module.name.as_str(), module.arch, self.profile.arch());
        if found == wanted {
            return None;
        }
        let sentence = format!("module {name} is for {found}; the base is for {wanted}");
        let reason = Reason::new(ReasonCode::ArchMismatch, sentence).hint(rebuild_hint(self.profile));
        Some(reason.subject(name).wanted_found(wanted.as_str(), found.as_str()))
    }

    fn duplicate(&self, module: &Module) -> Vec<Reason> {
        let shipped = |name: &ModuleName| self.base.get(name).map(|_| Holder::Base);
        taken(module, shipped, |symbol| self.linkage.base_export(symbol).map(|_| Holder::Base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ModuleFile, module, profile, record, release};
    use crate::{Crc, Import};

    /// A kernel with a symbol of its own and one that its module `tunnel` exports.
    const SYMVERS: &str = "0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n\
        0x00000002\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n\
        0x00000003\ttunnel_send\tnet/tunnel\tEXPORT_SYMBOL_GPL\t\n\
        0x00000004\tcrypto_raw\tvmlinux\tEXPORT_SYMBOL_GPL\tCRYPTO\n\
        0x00000005\tvirt_peek\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm,vfio_*\n";

    /// Judges extensions that all declare the right kernel.
    fn verdicts(base: &[Module], extensions: &[(&str, &[Module])]) -> Vec<Verdict> {
        let names: Vec<ExtensionName> = extensions.iter().map(|(name, _)| name.parse().unwrap()).collect();
        let records: Vec<Record> =
            extensions.iter().map(|(_, modules)| record(&with_layout(modules))).collect();
        let kernel = release();
        let candidates: Vec<Candidate<'_>> = names
            .iter()
            .zip(&records)
            .map(|(name, record)| Candidate { name, kernel: Some(&kernel), record })
            .collect();
        judge(&profile(SYMVERS), &record(base), &candidates)
    }

    /// As modpost does, with the version of `module_layout` that [`SYMVERS`] has.
    fn with_layout(modules: &[Module]) -> Vec<Module> {
        let mut modules = modules.to_vec();
        for module in &mut modules {
            let layout = Import { crc: Crc::new(1), weak: false };
            module.imports.entry(MODULE_LAYOUT.parse().unwrap()).or_insert(layout);
        }
        modules
    }

    #[track_caller]
    fn reasons(verdict: &Verdict) -> &[Reason] {
        match verdict {
            Verdict::Fits(fits) => panic!("{} fits", fits.extension()),
            Verdict::Unfit(reasons) => reasons,
        }
    }

    #[track_caller]
    fn the_reason(verdict: &Verdict, code: ReasonCode, sentence: &str) -> Reason {
        match reasons(verdict) {
            [reason] => {
                assert_eq!((reason.code, reason.sentence.as_str()), (code, sentence));
                reason.clone()
            }
            several => panic!("{several:#?}"),
        }
    }

    fn fits(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Fits(_))
    }

    fn wg() -> Module {
        module("wg", &[("module_layout", 1), ("_printk", 2), ("tunnel_send", 3)], &[])
    }

    fn tunnel() -> Module {
        module("tunnel", &[("module_layout", 1)], &[("tunnel_send", 3)])
    }

    #[test]
    fn symbols_come_from_kernel_base_and_extensions() {
        let in_base = verdicts(&[tunnel()], &[("wg", &[wg()])]);
        let in_same = verdicts(&[], &[("wg", &[tunnel(), wg()])]);
        let in_other = verdicts(&[], &[("wg", &[wg()]), ("tunnel", &[tunnel()])]);
        assert!([&in_base, &in_same, &in_other].into_iter().flatten().all(fits), "{in_base:?} {in_other:?}");
        assert!(matches!(&in_other[1], Verdict::Fits(proof) if proof.extension().as_str() == "tunnel"));
        assert!(verdicts(&[], &[("no-modules", &[])]).iter().all(fits));
    }

    #[test]
    fn a_module_that_nobody_ships_exports_nothing() {
        let reason = the_reason(
            &verdicts(&[], &[("wg", &[wg()])])[0],
            ReasonCode::SymbolMissing,
            "module wg needs symbol tunnel_send; the kernel's module tunnel exports it, which nothing here ships",
        );
        assert_eq!(reason.hint.as_deref(), Some("add module tunnel to the extension"));
        assert_eq!(reason.subject.as_deref(), Some("wg"));
        assert_eq!(reason.symbol.as_deref(), Some("tunnel_send"));
        assert_eq!((reason.wanted.as_deref(), reason.found.as_deref()), (Some("0x00000003"), Some("none")));
        the_reason(
            &verdicts(&[], &[("x", &[module("x", &[("gone", 9)], &[])])])[0],
            ReasonCode::SymbolMissing,
            "module x needs symbol gone; neither the base nor another extension exports it",
        );
    }

    #[test]
    fn another_crc_is_another_symbol() {
        let reason = the_reason(
            &verdicts(&[], &[("x", &[module("x", &[("_printk", 0xabc)], &[])])])[0],
            ReasonCode::SymbolCrcMismatch,
            "module x was built against symbol _printk with CRC 0x00000abc; the base exports it with CRC 0x00000002",
        );
        assert_eq!(
            (reason.wanted.as_deref(), reason.found.as_deref()),
            (Some("0x00000002"), Some("0x00000abc"))
        );
        assert_eq!(reason.hint.as_deref(), Some("build it against 6.1.0-test, with extbuild build --kernel"));
        let unversioned = ModuleFile::new("x").strong("_printk").parse();
        assert_eq!(reasons(&verdicts(&[], &[("x", &[unversioned])])[0])[0].found.as_deref(), Some("none"));
        let other = module("other", &[], &[("tunnel_send", 7)]);
        let between = verdicts(&[], &[("other", &[other]), ("wg", &[wg()])]);
        let sentence = &reasons(&between[1])[0].sentence;
        assert!(sentence.ends_with("extension other exports it with CRC 0x00000007"), "{sentence}");
    }

    #[test]
    fn only_a_weak_symbol_may_be_missing() {
        assert!(fits(&verdicts(&[], &[("x", &[ModuleFile::new("x").weak("gone").parse()])])[0]));
        assert!(!fits(&verdicts(&[], &[("x", &[ModuleFile::new("x").strong("gone").parse()])])[0]));
        let weak_of_other_meaning = ModuleFile::new("x").weak("_printk").version("_printk", 3).parse();
        assert!(!fits(&verdicts(&[], &[("x", &[weak_of_other_meaning])])[0]));
    }

    #[test]
    fn an_unfit_extension_takes_those_that_need_it_along_and_no_others() {
        let bad = module("bad", &[("_printk", 9)], &[("bad_call", 5)]);
        let user = module("user", &[("bad_call", 5)], &[("user_call", 6)]);
        let user_of_user = module("last", &[("user_call", 6)], &[]);
        let result = verdicts(
            &[],
            &[("last", &[user_of_user]), ("user", &[user]), ("bad", &[bad]), ("tunnel", &[tunnel()])],
        );
        let reason = the_reason(
            &result[0],
            ReasonCode::SymbolMissing,
            "module last needs symbol user_call; extension user exports it, but does not fit itself",
        );
        assert_eq!(reason.hint.as_deref(), Some("make extension user fit"));
        the_reason(
            &result[1],
            ReasonCode::SymbolMissing,
            "module user needs symbol bad_call; extension bad exports it, but does not fit itself",
        );
        assert_eq!(reasons(&result[2])[0].code, ReasonCode::SymbolCrcMismatch);
        assert!(fits(&result[3]));
    }

    #[test]
    fn extensions_that_need_each_other_fit_together() {
        let a = module("a", &[("from_b", 1)], &[("from_a", 1)]);
        let b = module("b", &[("from_a", 1)], &[("from_b", 1)]);
        assert!(verdicts(&[], &[("a", &[a]), ("b", &[b])]).iter().all(fits));
    }

    #[test]
    fn another_kernel_comes_first_then_module_layout() {
        let imports = [("_printk", 9), ("aaa", 9), ("module_layout", 9)];
        let (name, kernel) = ("x".parse().unwrap(), "6.12.0-other".parse().unwrap());
        let modules = record(&[module("b", &imports, &[]), module("a", &imports[..2], &[])]);
        let candidate = Candidate { name: &name, kernel: Some(&kernel), record: &modules };
        let verdict = judge(&profile(SYMVERS), &Record::default(), &[candidate]).remove(0);
        let found: Vec<_> = reasons(&verdict)
            .iter()
            .map(|reason| (reason.subject.as_deref().unwrap_or("-"), reason.symbol.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(
            found,
            [
                ("-", "-"),
                ("a", "module_layout"),
                ("b", "module_layout"),
                ("a", "_printk"),
                ("a", "aaa"),
                ("b", "_printk"),
                ("b", "aaa")
            ]
        );
        let first = &reasons(&verdict)[0];
        assert_eq!(first.code, ReasonCode::KernelMismatch);
        assert_eq!(first.sentence, "extension x is for kernel 6.12.0-other; the base has 6.1.0-test");
        assert_eq!(
            (first.wanted.as_deref(), first.found.as_deref()),
            (Some("6.1.0-test"), Some("6.12.0-other"))
        );
    }

    #[test]
    fn equal_crcs_do_not_make_up_for_another_release() {
        let file = ModuleFile::new("x").without("vermagic").info("vermagic", "6.1.0-near SMP ");
        let result = verdicts(&[], &[("x", &[file.parse()])]);
        let sentence = "module x is built for kernel 6.1.0-near; the base has 6.1.0-test";
        the_reason(&result[0], ReasonCode::KernelMismatch, sentence);
        let mut astray = module("x", &[], &[]);
        astray.path = "/usr/lib/modules/6.1.0-test2/x.ko".parse().unwrap();
        let result = verdicts(&[], &[("x", &[astray])]);
        let sentence =
            "module x is at /usr/lib/modules/6.1.0-test2/x.ko; modprobe looks in /usr/lib/modules/6.1.0-test";
        the_reason(&result[0], ReasonCode::KernelMismatch, sentence);
    }

    #[test]
    fn another_architecture_is_refused() {
        let file = ModuleFile::new("x").arch(object::Architecture::Aarch64);
        let result = verdicts(&[], &[("x", &[file.parse()])]);
        the_reason(&result[0], ReasonCode::ArchMismatch, "module x is for arm64; the base is for amd64");
    }

    #[test]
    fn a_module_is_there_once() {
        let result = verdicts(&[tunnel()], &[("t", &[tunnel()])]);
        the_reason(&result[0], ReasonCode::ModuleDuplicate, "module tunnel is in the base already");
        let result = verdicts(&[], &[("t", &[tunnel()]), ("u", &[tunnel()])]);
        assert!(fits(&result[0]));
        the_reason(&result[1], ReasonCode::ModuleDuplicate, "module tunnel is in extension t already");
    }

    #[test]
    fn an_exported_symbol_is_there_once() {
        let own_printk = module("own", &[], &[("_printk", 2)]);
        let reason = the_reason(
            &verdicts(&[], &[("x", &[own_printk])])[0],
            ReasonCode::SymbolDuplicate,
            "module own exports symbol _printk, which the base exports already",
        );
        assert_eq!((reason.subject.as_deref(), reason.symbol.as_deref()), (Some("own"), Some("_printk")));
        let other_tunnel = module("other", &[], &[("tunnel_send", 3)]);
        let result = verdicts(&[tunnel()], &[("x", std::slice::from_ref(&other_tunnel))]);
        assert_eq!(reasons(&result[0])[0].code, ReasonCode::SymbolDuplicate);
        // The kernel's module that nobody ships exports nothing.
        let result = verdicts(&[], &[("x", std::slice::from_ref(&other_tunnel)), ("t", &[tunnel()])]);
        assert!(fits(&result[0]));
        let sentence = "module tunnel exports symbol tunnel_send, which extension x exports already";
        the_reason(&result[1], ReasonCode::SymbolDuplicate, sentence);
    }

    #[test]
    fn what_is_unfit_is_in_nobodys_way() {
        let file = ModuleFile::new("tunnel").without("vermagic").info("vermagic", "6.1.0-near SMP ");
        let wrong_kernel = file.export("tunnel_send", 3).parse();
        let wrong_symbol = module("tunnel", &[("_printk", 9)], &[("tunnel_send", 3)]);
        let needs_wrong_symbol = module("other", &[("from_bad", 1)], &[("tunnel_send", 3)]);
        let bad = module("bad", &[("_printk", 9)], &[("from_bad", 1)]);
        let result = verdicts(
            &[],
            &[
                ("a", &[wrong_kernel]),
                ("b", &[wrong_symbol]),
                ("c", &[needs_wrong_symbol]),
                ("d", &[bad]),
                ("good", &[tunnel(), wg()]),
            ],
        );
        assert!(result[..4].iter().all(|verdict| !fits(verdict)));
        assert!(fits(&result[4]), "{:?}", result[4]);
    }

    #[test]
    fn one_that_yields_gives_no_symbols() {
        let giver = [tunnel(), module("giver", &[], &[("given", 5)])];
        let taker = module("taker", &[("given", 5)], &[]);
        let holder = module("taker", &[], &[]);
        let result = verdicts(
            &[],
            &[("first", &[tunnel()]), ("taker", &[taker]), ("giver", &giver), ("holder", &[holder])],
        );
        assert!(fits(&result[0]));
        assert_eq!(reasons(&result[2])[0].code, ReasonCode::ModuleDuplicate);
        the_reason(
            &result[1],
            ReasonCode::SymbolMissing,
            "module taker needs symbol given; extension giver exports it, but does not fit itself",
        );
        assert!(fits(&result[3]), "{:?}", result[3]);
    }

    #[test]
    fn a_module_without_a_layout_is_refused() {
        let (name, kernel) = ("x".parse().unwrap(), release());
        for file in [ModuleFile::new("x").import("_printk", 2), ModuleFile::new("x")] {
            let modules = record(&[file.parse()]);
            let candidate = Candidate { name: &name, kernel: Some(&kernel), record: &modules };
            let verdict = judge(&profile(SYMVERS), &Record::default(), &[candidate]).remove(0);
            let sentence = "module x was built against symbol module_layout with CRC none; \
                the base exports it with CRC 0x00000001";
            let reason = the_reason(&verdict, ReasonCode::SymbolCrcMismatch, sentence);
            assert_eq!(
                (reason.symbol.as_deref(), reason.found.as_deref()),
                (Some("module_layout"), Some("none"))
            );
            // A kernel without CONFIG_MODVERSIONS compares no CRCs.
            let unversioned = profile("0x00000000\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n");
            let empty = record(&[ModuleFile::new("x").parse()]);
            let candidate = Candidate { record: &empty, ..candidate };
            assert!(fits(&judge(&unversioned, &Record::default(), &[candidate])[0]));
        }
    }

    #[test]
    fn gpl_only_symbols_and_namespaces_are_kept_from_others() {
        let with = |file: ModuleFile| verdicts(&[], &[("x", &[file.parse()])]).remove(0);
        let raw = || ModuleFile::new("x").import("crypto_raw", 4);
        the_reason(
            &with(raw()),
            ReasonCode::SymbolRestricted,
            "module x uses symbol crypto_raw without importing its namespace CRYPTO",
        );
        assert!(fits(&with(raw().info("import_ns", "CRYPTO"))));
        the_reason(
            &with(raw().without("license").info("license", "NVIDIA").info("import_ns", "CRYPTO")),
            ReasonCode::SymbolRestricted,
            "module x has licence \"NVIDIA\"; the base exports symbol crypto_raw to GPL-compatible modules only",
        );
        assert!(!fits(&with(raw().without("license").info("import_ns", "CRYPTO"))));
        let peek = |name| ModuleFile::new(name).import("virt_peek", 5);
        assert!(fits(&with(peek("kvm"))) && fits(&with(peek("vfio-pci"))));
        assert!(!fits(&with(peek("kvm_amd"))));
    }
}

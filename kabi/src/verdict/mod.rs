//! The verdict: do the modules of a set of extensions fit a host, all together?
//!
//! The rules are those of the kernel's loader (kernel/module/main.c, `load_module`), in files of their own:
//!
//! | rules | about |
//! |---|---|
//! | `loader` | one module and the kernel: architecture, release, vermagic, `struct module`, force, options |
//! | `signatures` | what a kernel that wants signatures loads |
//! | `linkage`, `taint` | every symbol that is imported: there, the same, permitted |
//! | `cycles` | modules that wait for each other |
//! | `conflict` | what only one may have: names, exports, the version of a release group |
//! | `notes` | what fits and is worth a second look: firmware, soft dependencies, taints |
//! | `unknown` | what was not judged, because the profile does not know it |
//!
//! In some points they are stricter on purpose than some loaders are:
//! - a module for another release may load, yet its directory is one that modprobe does not look into;
//! - a module with versions of symbols and without that of one which it imports is refused, as Debian's kernels do and
//!   Linux does not;
//! - `struct module` must have the kernel's layout before Linux 6.4 too, which did not look;
//! - a module that says nothing about its kernel must be permitted by name, where the kernel would load it.

mod conflict;
mod cycles;
mod linkage;
mod loader;
mod notes;
mod signatures;
mod taint;
#[cfg(test)]
mod tests;
mod unknown;

use spec::artifact::{ExtensionConfig, ReleaseGroup};
use spec::listing::Listing;
use spec::{ExtensionName, KernelRelease, ModuleName, Reason, ReasonCode};

pub use conflict::first_conflict;
use conflict::{Holder, taken};
use linkage::{Linkage, REASONS_MAX};

use crate::module::MODULE_LAYOUT;
use crate::{Module, Profile, Record};

/// What extensions are held against.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// The kernel.
    pub profile: &'a Profile,
    /// The modules that the base ships: what kernel modules export that it does not ship counts for nothing. Where that is
    /// not known, every module that the profile has exports of is taken to be there, and the verdict notes it.
    pub modules: Option<&'a Record>,
    /// Every path of the base, to look for firmware in; without it nobody looks.
    pub paths: Option<&'a Listing>,
    /// Which modules the kernel loads.
    pub signatures: SignatureRule,
    /// Extensions that were not chosen, but could be: for hints.
    pub others: &'a [Candidate<'a>],
}

impl<'a> Host<'a> {
    /// A kernel of which nothing else is known.
    pub fn kernel(profile: &'a Profile) -> Host<'a> {
        Host { profile, modules: None, paths: None, signatures: SignatureRule::AsBuilt, others: &[] }
    }

    /// A base of which only the kernel and the modules are known.
    pub fn base(profile: &'a Profile, modules: &'a Record) -> Host<'a> {
        Host { modules: Some(modules), ..Host::kernel(profile) }
    }

    /// Does the base ship the module, as far as that is known?
    fn ships(&self, name: &ModuleName) -> bool {
        self.modules.is_some_and(|modules| modules.get(name).is_some())
    }
}

/// Must modules be signed?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureRule {
    /// As the kernel was configured (`CONFIG_MODULE_SIG_FORCE`).
    AsBuilt,
    /// Yes: by `module.sig_enforce=1` on the kernel's command line, or by its lockdown.
    Enforced,
}

/// An extension that asks to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What it is called.
    pub name: &'a ExtensionName,
    /// The kernel that its config declares; none without modules.
    pub kernel: Option<&'a KernelRelease>,
    /// Its modules; an empty record without any.
    pub record: &'a Record,
    /// Every path of its image, to look for firmware in.
    pub paths: Option<&'a Listing>,
    /// Those of its modules that may be loaded by force.
    pub force: &'a [ModuleName],
    /// The release that it is a part of.
    pub group: Option<&'a ReleaseGroup>,
}

impl<'a> Candidate<'a> {
    /// An extension of which nothing is known but its modules.
    pub fn of_modules(
        name: &'a ExtensionName,
        kernel: Option<&'a KernelRelease>,
        record: &'a Record,
    ) -> Candidate<'a> {
        Candidate { name, kernel, record, paths: None, force: &[], group: None }
    }

    /// An extension with these facts.
    pub fn new(config: &'a ExtensionConfig, record: &'a Record, paths: &'a Listing) -> Candidate<'a> {
        let ExtensionConfig { name, kernel, force, group, .. } = config;
        Candidate { name, kernel: kernel.as_ref(), record, paths: Some(paths), force, group: group.as_ref() }
    }
}

/// The proof that the modules of an extension fit the host and the other extensions that do. Only [`judge`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fits {
    extension: ExtensionName,
    notes: Vec<Reason>,
}

impl Fits {
    /// The extension that fits.
    pub fn extension(&self) -> &ExtensionName {
        &self.extension
    }

    /// What is worth a second look all the same.
    pub fn notes(&self) -> &[Reason] {
        &self.notes
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It fits.
    Fits(Fits),
    /// It does not, for these reasons: the kernel first, then architecture, what speaks against a module as a whole,
    /// duplicates, `module_layout`, and all other symbols by module and name. In each, `wanted` is what the host or the
    /// set has and `found` what the module has; of a missing symbol, `wanted` is the CRC that the module was built
    /// against.
    Unfit(Vec<Reason>),
}

/// Judges the whole set: one verdict for each candidate, in their order.
///
/// An extension that is unfit gives no symbols to the others, who may become unfit by that, and it is in nobody's way.
/// Of two that could both stay but for something that only one may have, the later one is unfit.
pub fn judge(host: &Host<'_>, candidates: &[Candidate<'_>]) -> Vec<Verdict> {
    let court = Court::new(host, candidates);
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
    let fit: Vec<bool> = out.iter().map(Vec::is_empty).collect();
    let verdict = |(index, reasons): (usize, Vec<Reason>)| match reasons.is_empty() {
        true => Verdict::Fits(Fits {
            extension: candidates[index].name.clone(),
            notes: notes::notes(host, candidates, index, &fit),
        }),
        false => Verdict::Unfit(sorted(reasons)),
    };
    out.into_iter().enumerate().map(verdict).collect()
}

/// What speaks against each candidate, in their order, whichever of them comes first: the reasons of [`judge`] but for
/// those of a [conflict](first_conflict). For callers with rules of their own about who can stay.
pub fn objections(host: &Host<'_>, candidates: &[Candidate<'_>]) -> Vec<Vec<Reason>> {
    let court = Court::new(host, candidates);
    let mut out = court.own();
    court.settle_symbols(&mut out);
    out.into_iter().map(sorted).collect()
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
        (ReasonCode::SymbolDuplicate, _) => 3,
        (_, None) => 2,
        (_, Some(MODULE_LAYOUT)) => 4,
        _ => 5,
    };
    (rank, reason.subject.as_deref(), symbol)
}

/// What somebody does about modules that were built for another kernel than that of the base.
fn rebuild_hint(profile: &Profile) -> String {
    format!("build it against {}, with extbuild build --kernel", profile.release())
}

/// Holds candidates against the host, and against those that they need symbols from.
struct Court<'a> {
    host: &'a Host<'a>,
    candidates: &'a [Candidate<'a>],
    linkage: Linkage<'a>,
}

impl<'a> Court<'a> {
    fn new(host: &'a Host<'a>, candidates: &'a [Candidate<'a>]) -> Court<'a> {
        Court { host, candidates, linkage: Linkage::new(host, candidates) }
    }

    /// What speaks against each candidate, whatever becomes of the others; of those that it does, the symbols too.
    fn own(&self) -> Vec<Vec<Reason>> {
        let mut own: Vec<_> = self.candidates.iter().map(|candidate| self.reasons(candidate)).collect();
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
            let all_bound = out.iter().map(Vec::is_empty).eq(standing.iter().copied());
            // Every round but the last takes a candidate out.
            match cycles::first(self.candidates, &standing).filter(|_| all_bound) {
                None if all_bound => return,
                None => {}
                Some(circle) => {
                    circle.candidates.iter().for_each(|index| out[*index].push(circle.reason.clone()));
                }
            }
        }
    }

    fn reasons(&self, candidate: &Candidate<'_>) -> Vec<Reason> {
        let (profile, modules) = (self.host.profile, candidate.record.modules());
        let mut reasons: Vec<Reason> = loader::wrong_kernel(profile, candidate).into_iter().collect();
        // One sentence about the whole extension says enough about the release of each of its modules.
        if reasons.is_empty() {
            reasons.extend(modules.iter().filter_map(|module| loader::wrong_release(profile, module)));
        }
        // Modules of another release are in a directory of their own and get in nobody's way.
        if reasons.is_empty() {
            reasons.extend(modules.iter().flat_map(|module| self.duplicate(module)));
            reasons.extend(conflict::within(candidate.record));
        }
        for module in modules {
            if reasons.len() > REASONS_MAX {
                break;
            }
            reasons.extend(loader::refusals(profile, module, candidate.force));
            reasons.extend(signatures::refusal(self.host, module));
        }
        reasons
    }

    fn duplicate(&self, module: &Module) -> Vec<Reason> {
        let holder = |name: &ModuleName| match self.host.profile.is_builtin(name) {
            true => Some(Holder::Kernel),
            false => self.host.ships(name).then_some(Holder::Base),
        };
        taken(module, holder, |symbol| self.linkage.is_exported_by_base(symbol).then_some(Holder::Base))
    }
}

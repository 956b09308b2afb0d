//! Which of several sound extensions can be active together? Pure: values in, values out.

use kabi::{Candidate, Fits, Module, Record, Verdict};
use spec::artifact::{ExtensionConfig, Requirement};
use spec::listing::{Kind, Listing};
use spec::{ExtensionName, Load, ModuleName, Reason, ReasonCode};

use super::paths;
use crate::facts::BaseFacts;

/// Reasons of a kind that are worth listing.
const REASONS_MAX: usize = 8;

/// An extension that nothing speaks against so far, as far as the others are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) config: &'a ExtensionConfig,
    pub(super) listing: &'a Listing,
    pub(super) record: &'a Record,
}

type Outcome = Result<Fits, Vec<Reason>>;

/// Judges the set: one outcome for each member, in their order. `config` has the names of the machine config.
///
/// What speaks against a member whoever comes first is settled before anything else; a member that is out takes those
/// along that need it; and only where two that could otherwise both stay have a path, a module or an exported symbol
/// in common, the later one of the config goes, one at a time.
pub(super) fn settle(members: &[Member<'_>], config: &[&ExtensionName], base: &BaseFacts) -> Vec<Outcome> {
    let mut out: Vec<Vec<Reason>> = members.iter().map(|member| objections(member, base)).collect();
    // Each round but the last takes a member out, so there are at most as many rounds as members, and one.
    loop {
        let standing: Vec<usize> = (0..members.len()).filter(|index| out[*index].is_empty()).collect();
        let candidates: Vec<Candidate<'_>> =
            standing.iter().map(|index| members[*index].candidate()).collect();
        let found =
            [kernel_objections(&candidates, &standing, base), unmet_requirements(members, &standing, config)];
        let found = match found.concat() {
            none if none.is_empty() => Vec::from_iter(first_conflict(members, &candidates, &standing)),
            found => found,
        };
        if found.is_empty() {
            return outcomes(out, kabi::judge(&base.host(), &candidates));
        }
        for (index, reasons) in found {
            out[index].extend(reasons);
        }
    }
}

/// `verdicts` are those on the members that are left.
fn outcomes(out: Vec<Vec<Reason>>, verdicts: Vec<Verdict>) -> Vec<Outcome> {
    let mut verdicts = verdicts.into_iter();
    let outcome = |reasons: Vec<Reason>| {
        if !reasons.is_empty() {
            return Err(reasons);
        }
        match verdicts.next().expect("there is one verdict for each member that is left") {
            Verdict::Fits(proof) => Ok(proof),
            Verdict::Unfit(reasons) => Err(reasons),
        }
    };
    out.into_iter().map(outcome).collect()
}

impl<'a> Member<'a> {
    fn candidate(&self) -> Candidate<'a> {
        Candidate::new(self.config, self.record, self.listing)
    }
}

fn objections(member: &Member<'_>, base: &BaseFacts) -> Vec<Reason> {
    let mut reasons = paths::objections(member, &base.listing, &base.kernel.release);
    reasons.extend(unknown_kernel(member, base));
    let modules = member.record.modules().iter();
    reasons.extend(modules.filter_map(|module| is_not_in_image(member, module)).take(REASONS_MAX));
    reasons.extend(
        member
            .config
            .load
            .iter()
            .map(Load::module)
            .filter_map(|name| cannot_load(member, name, base))
            .take(REASONS_MAX),
    );
    reasons
}

/// What the base knows of its kernel is worth nothing about another one, and another build of the same release is another
/// one.
fn unknown_kernel(member: &Member<'_>, base: &BaseFacts) -> Option<Reason> {
    if member.record.modules().is_empty() {
        return None;
    }
    let (runs, known) = (&base.kernel, &base.profile);
    let (what, wanted, found) = match (&runs.build, known.build_id()) {
        _ if runs.release != *known.release() => {
            ("the kernel", runs.release.to_string(), known.release().to_string())
        }
        (Some(runs), Some(known)) if runs != known => ("build", runs.to_string(), known.to_string()),
        _ => return None,
    };
    let sentence = format!("the base knows {what} {found}, but {wanted} runs");
    let reason = Reason::new(ReasonCode::KernelMismatch, sentence).wanted_found(wanted, found);
    Some(reason.hint("boot the kernel that the base was built with, or build the base again"))
}

/// A record is believed about the modules of the image; one about other modules would bring them into the index.
fn is_not_in_image(member: &Member<'_>, module: &Module) -> Option<Reason> {
    let Module { name, path, .. } = module;
    if member.listing.get(path) == Some(Kind::Leaf) {
        return None;
    }
    let sentence = format!("the kernel ABI record has module {name} at {path}, which is not in the image");
    Some(Reason::new(ReasonCode::MalformedArtifact, sentence).subject(path.as_str()))
}

fn cannot_load(member: &Member<'_>, name: &ModuleName, base: &BaseFacts) -> Option<Reason> {
    if member.record.get(name).is_some() || base.modules.get(name).is_some() {
        return None;
    }
    let sentence = format!("it loads module {name}, which neither it nor the base has");
    Some(Reason::new(ReasonCode::MalformedArtifact, sentence).subject(name.as_str()))
}

/// Why modules do not fit base and other members, by index.
fn kernel_objections(
    candidates: &[Candidate<'_>],
    standing: &[usize],
    base: &BaseFacts,
) -> Vec<(usize, Vec<Reason>)> {
    let objections = kabi::objections(&base.host(), candidates);
    standing.iter().copied().zip(objections).filter(|(_, reasons)| !reasons.is_empty()).collect()
}

fn unmet_requirements(
    members: &[Member<'_>],
    standing: &[usize],
    config: &[&ExtensionName],
) -> Vec<(usize, Vec<Reason>)> {
    let there =
        |name: &ExtensionName| standing.iter().map(|at| &members[*at]).find(|m| m.config.name == *name);
    let unmet = |index: &usize| {
        let judge = |requirement| unmet(requirement, there(&requirement.name), config);
        let reasons: Vec<Reason> = members[*index].config.requires.iter().filter_map(judge).collect();
        (!reasons.is_empty()).then_some((*index, reasons))
    };
    standing.iter().filter_map(unmet).collect()
}

fn unmet(requirement: &Requirement, there: Option<&Member<'_>>, config: &[&ExtensionName]) -> Option<Reason> {
    let Requirement { name, version: range } = requirement;
    let wanted = format!("{name} {range}");
    let (sentence, found) = match there {
        Some(member) if range.contains(&member.config.version) => return None,
        Some(member) => (
            format!("it requires {wanted}, and version {} was chosen", member.config.version),
            member.config.version.to_string(),
        ),
        None if config.contains(&name) => {
            (format!("it requires {wanted}, which is left out itself"), "refused".to_owned())
        }
        None => {
            (format!("it requires {wanted}, which the machine config does not name"), "absent".to_owned())
        }
    };
    let reason = Reason::new(ReasonCode::RequirementUnmet, sentence);
    let reason = reason.subject(name.as_str()).wanted_found(range.to_string(), found.as_str());
    Some(match found.as_str() {
        "absent" => reason.hint(format!("add {name} to the machine config")),
        _ => reason,
    })
}

/// The first member that has modules, exported symbols or paths of one before it.
fn first_conflict(
    members: &[Member<'_>],
    candidates: &[Candidate<'_>],
    standing: &[usize],
) -> Option<(usize, Vec<Reason>)> {
    let modules = kabi::first_conflict(candidates).map(|(place, reasons)| (standing[place], reasons));
    let both = modules.into_iter().chain(first_collision(members, standing));
    both.min_by_key(|(later, _)| *later)
}

/// The first member that has paths of one before it.
fn first_collision(members: &[Member<'_>], standing: &[usize]) -> Option<(usize, Vec<Reason>)> {
    for (place, later) in standing.iter().enumerate() {
        for earlier in &standing[..place] {
            let (later_member, earlier) = (&members[*later], &members[*earlier]);
            let found =
                paths::collisions(later_member.listing, earlier.config.name.as_str(), earlier.listing);
            if !found.is_empty() {
                return Some((*later, found));
            }
        }
    }
    None
}

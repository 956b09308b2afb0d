//! Which of several sound extensions can be active together? Pure: values in, values out.

use kabi::{Fits, Record, Verdict};
use spec::artifact::Requirement;
use spec::listing::Listing;
use spec::{ExtensionName, KernelRelease, Reason, ReasonCode, Version};

use super::paths;
use crate::facts::BaseFacts;

/// An extension that nothing speaks against so far, as far as the others are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) name: &'a ExtensionName,
    pub(super) version: &'a Version,
    pub(super) requires: &'a [Requirement],
    pub(super) kernel: Option<&'a KernelRelease>,
    pub(super) listing: &'a Listing,
    pub(super) record: &'a Record,
}

type Outcome = Result<Fits, Vec<Reason>>;

/// Judges the set: one outcome for each member, in their order. `config` has the names of the machine config.
///
/// What speaks against a member whoever else is there comes first; a member that is out takes those along that need
/// it; and only where two that could otherwise both stay have a path in common, the later one of the config goes. So
/// no member is left out for the sake of one that is left out itself.
pub(super) fn settle(members: &[Member<'_>], config: &[&ExtensionName], base: &BaseFacts) -> Vec<Outcome> {
    let mut out: Vec<Vec<Reason>> = members.iter().map(|member| objections(member, base)).collect();
    // Each round but the last takes a member out, so there are at most as many rounds as members, and one.
    loop {
        let standing: Vec<usize> = (0..members.len()).filter(|index| out[*index].is_empty()).collect();
        let (fits, found) = kernel_verdicts(members, &standing, base);
        let found = [found, unmet_requirements(members, &standing, config)].concat();
        let found = if found.is_empty() { first_collision(members, &standing) } else { found };
        if found.is_empty() {
            return outcomes(out, fits);
        }
        for (index, reasons) in found {
            out[index].extend(reasons);
        }
    }
}

fn outcomes(out: Vec<Vec<Reason>>, fits: Vec<Fits>) -> Vec<Outcome> {
    let mut fits = fits.into_iter();
    let outcome = |reasons: Vec<Reason>| match reasons.is_empty() {
        true => Ok(fits.next().expect("there is one proof for each member that is left")),
        false => Err(reasons),
    };
    out.into_iter().map(outcome).collect()
}

fn objections(member: &Member<'_>, base: &BaseFacts) -> Vec<Reason> {
    let mut reasons = paths::objections(member.listing, member.record, &base.listing, &base.kernel);
    let profiled = base.profile.release();
    if !member.record.modules().is_empty() && *profiled != base.kernel {
        let sentence = format!("the base knows the kernel {profiled}, but {} runs", base.kernel);
        let reason = Reason::new(ReasonCode::KernelMismatch, sentence);
        reasons.push(reason.wanted_found(base.kernel.as_str(), profiled.as_str()));
    }
    reasons
}

/// Proofs for the members that fit, and reasons by index for those that do not.
fn kernel_verdicts(
    members: &[Member<'_>],
    standing: &[usize],
    base: &BaseFacts,
) -> (Vec<Fits>, Vec<(usize, Vec<Reason>)>) {
    let candidate = |index: &usize| {
        let Member { name, kernel, record, .. } = members[*index];
        kabi::Candidate { name, kernel, record }
    };
    let candidates: Vec<_> = standing.iter().map(candidate).collect();
    let (mut fits, mut unfit) = (Vec::new(), Vec::new());
    for (index, verdict) in standing.iter().zip(kabi::judge(&base.profile, &base.modules, &candidates)) {
        match verdict {
            Verdict::Fits(proof) => fits.push(proof),
            Verdict::Unfit(reasons) => unfit.push((*index, reasons)),
        }
    }
    (fits, unfit)
}

fn unmet_requirements(
    members: &[Member<'_>],
    standing: &[usize],
    config: &[&ExtensionName],
) -> Vec<(usize, Vec<Reason>)> {
    let there = |name: &ExtensionName| standing.iter().map(|at| &members[*at]).find(|m| m.name == name);
    let unmet = |index: &usize| {
        let judge = |requirement| unmet(requirement, there(&requirement.name), config);
        let reasons: Vec<Reason> = members[*index].requires.iter().filter_map(judge).collect();
        (!reasons.is_empty()).then_some((*index, reasons))
    };
    standing.iter().filter_map(unmet).collect()
}

fn unmet(requirement: &Requirement, there: Option<&Member<'_>>, config: &[&ExtensionName]) -> Option<Reason> {
    let Requirement { name, version: range } = requirement;
    let wanted = format!("{name} {range}");
    let (sentence, found) = match there {
        Some(member) if range.contains(member.version) => return None,
        Some(member) => (
            format!("it requires {wanted}, and version {} was chosen", member.version),
            member.version.to_string(),
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

/// The first member that has paths of one before it.
fn first_collision(members: &[Member<'_>], standing: &[usize]) -> Vec<(usize, Vec<Reason>)> {
    for (place, later) in standing.iter().enumerate() {
        for earlier in &standing[..place] {
            let (later_member, earlier) = (&members[*later], &members[*earlier]);
            let found = paths::collisions(later_member.listing, earlier.name.as_str(), earlier.listing);
            if !found.is_empty() {
                return vec![(*later, found)];
            }
        }
    }
    Vec::new()
}

//! Verdict and kernel, held against each other.

use serde::Serialize;

use super::errno::Errno;
use super::loader::{Check, Objection};
use super::question::{Answer, Outcome};

/// What comes of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Finding {
    /// Both say the same, and for the same reason.
    Agreed,
    /// We refuse what the kernel takes, on purpose; with the reason.
    Stricter(&'static str),
    /// They differ; in what.
    Different(&'static str),
}

/// Compares what we hold against a module, if anything, with what the kernel did.
pub(super) fn compare(objections: &[Objection], answer: &Answer) -> Finding {
    match answer.outcome {
        Outcome::Loaded | Outcome::StartFailed(_) => taken(objections),
        Outcome::Refused(errno) => refused(objections, errno, &answer.log),
        Outcome::Hangs => Finding::Different("the kernel gave no answer"),
        Outcome::EndedMachine => Finding::Different("the machine did not survive"),
    }
}

fn taken(objections: &[Objection]) -> Finding {
    let mut notes = Vec::new();
    for objection in objections {
        match objection.stricter {
            Some(note) => notes.push(note),
            None => return Finding::Different("we refuse what the kernel takes"),
        }
    }
    notes.first().map_or(Finding::Agreed, |note| Finding::Stricter(note))
}

/// The loader ends at the first check that fails. What precedes that and need not fail may have failed as well.
fn refused(objections: &[Objection], errno: Errno, log: &[String]) -> Finding {
    if objections.is_empty() {
        return Finding::Different("the kernel refuses what we accept");
    }
    let certain = objections.iter().filter(|objection| objection.stricter.is_none());
    let last: Option<Check> = certain.map(|objection| objection.check).min();
    let in_reach = objections.iter().filter(|objection| last.is_none_or(|last| objection.check <= last));
    let mut same: Vec<&Objection> = in_reach.filter(|objection| objection.errnos.contains(&errno)).collect();
    if same.is_empty() {
        return Finding::Different("both refuse, for different reasons");
    }
    same.retain(|objection| is_shown(objection, log));
    match same.is_empty() {
        true => Finding::Different("both refuse, and the kernel names something else"),
        false => Finding::Agreed,
    }
}

fn is_shown(objection: &Objection, log: &[String]) -> bool {
    let is_in_log = |evidence: &String| log.iter().any(|line| line.contains(evidence));
    objection.evidence.is_empty() || objection.evidence.iter().any(is_in_log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objection(check: Check, errnos: &'static [Errno], stricter: Option<&'static str>) -> Objection {
        Objection { check, errnos, stricter, evidence: Vec::new(), sentence: String::new() }
    }

    fn found(objections: &[Objection], outcome: Outcome) -> Finding {
        compare(
            objections,
            &Answer { question: "a".into(), outcome, log: vec!["a: Unknown symbol b (err -2)".into()] },
        )
    }

    fn is_difference(finding: Finding) -> bool {
        matches!(finding, Finding::Different(_))
    }

    const ENOEXEC: Outcome = Outcome::Refused(Errno::ENOEXEC);
    const ENOENT: Outcome = Outcome::Refused(Errno::ENOENT);

    #[test]
    fn a_false_fits_and_a_false_does_not_are_differences() {
        let vermagic = objection(Check::Claims, &[Errno::ENOEXEC], None);
        assert!(is_difference(found(&[], ENOEXEC)));
        assert!(is_difference(found(&[vermagic], Outcome::Loaded)));
        assert_eq!(found(&[], Outcome::StartFailed(Errno::ENODEV)), Finding::Agreed);
    }

    #[test]
    fn the_error_must_be_that_of_the_first_check_that_fails() {
        let vermagic = objection(Check::Claims, &[Errno::ENOEXEC], None);
        let symbol = objection(Check::Symbols, &[Errno::ENOENT], None);
        assert_eq!(found(&[symbol.clone(), vermagic.clone()], ENOEXEC), Finding::Agreed);
        assert!(is_difference(found(&[symbol.clone(), vermagic], ENOENT)));
        assert_eq!(found(&[symbol], ENOENT), Finding::Agreed);
    }

    #[test]
    fn being_stricter_needs_a_reason_for_every_objection() {
        let release = objection(Check::Claims, &[Errno::ENOEXEC], Some("on purpose"));
        let symbol = objection(Check::Symbols, &[Errno::ENOENT], None);
        assert_eq!(found(std::slice::from_ref(&release), Outcome::Loaded), Finding::Stricter("on purpose"));
        assert_eq!(found(&[release.clone(), symbol.clone()], ENOENT), Finding::Agreed);
        assert!(is_difference(found(&[release, symbol], Outcome::Loaded)));
    }

    #[test]
    fn the_kernel_must_name_the_symbol_that_we_name() {
        let named = |evidence: &str| Objection {
            evidence: vec![evidence.to_owned()],
            ..objection(Check::Symbols, &[Errno::ENOENT], None)
        };
        assert_eq!(found(&[named("Unknown symbol b ")], ENOENT), Finding::Agreed);
        assert!(is_difference(found(&[named("Unknown symbol c ")], ENOENT)));
    }
}

//! What an extension carries that can run or steer something: found, and held against what its author declares.

use grants::{Need, Opaque};
use spec::artifact::{self, steps};
use spec::listing::Kind;
use spec::manifest::{Declared, Manifest};
use spec::{Diagnose, Grant, GrantKind, Outcome, TreePath};
use squash::Tree;

use crate::base_dir::Base;

/// The grants of the config. Modules, firmware and programs are what extensions are for, and need not be declared; all else
/// must be, and nothing may be that the image does not need.
pub(crate) fn of(manifest: &Manifest, tree: &Tree, base: Option<&Base>) -> Result<Vec<Grant>, GrantsError> {
    let needs = grants::of_tree(tree);
    let mut declared: Vec<Grant> = manifest.grants.iter().map(|declared| declared.grant.clone()).collect();
    let plain = |grant: &Grant| {
        matches!(grant.kind(), GrantKind::Modules | GrantKind::Firmware | GrantKind::Binaries)
    };
    let found = needs.grants();
    let opaque = needs.opaque.iter().cloned().map(Problem::Opaque);
    let missing = needs.missing(&declared).into_iter().filter(|need| !plain(&need.grant));
    let missing = missing.cloned().map(Problem::Missing);
    let steps: Vec<Grant> = steps(&manifest.load, &manifest.probes).collect();
    let undeclared = steps.iter().filter(|grant| !declared.contains(grant)).cloned().map(Problem::Undeclared);
    let is_used = |grant: &Grant| match grant.kind() {
        // Whether the base has a file that is to be replaced shows only where there is one.
        GrantKind::Replaces => grant.subject().parse().is_ok_and(|path: TreePath| tree.get(&path).is_some()),
        _ => found.contains(grant) || steps.contains(grant),
    };
    let (used, idle): (Vec<&Declared>, Vec<&Declared>) =
        manifest.grants.iter().partition(|declared| is_used(&declared.grant));
    let idle = idle.into_iter().cloned().map(Problem::Idle);
    let needless = used.into_iter().filter_map(|declared| needless_here(declared, base?));
    let problems: Vec<Problem> =
        opaque.chain(missing).chain(undeclared).chain(idle).chain(needless).collect();
    if !problems.is_empty() {
        return Err(GrantsError { file: manifest.file.clone(), problems });
    }
    declared.extend(found);
    declared.sort_unstable();
    declared.dedup();
    Ok(declared)
}

/// A grant to replace what the base has no file for. A directory is none (`ExtensionConfig::replaces`).
fn needless_here(declared: &Declared, base: &Base) -> Option<Problem> {
    let grant = Some(&declared.grant).filter(|grant| grant.kind() == GrantKind::Replaces)?;
    let path: TreePath = grant.subject().parse().ok()?;
    match base.paths.get(&path) {
        Some(Kind::Leaf) => None,
        Some(Kind::Directory) | None => {
            Some(Problem::Needless { declared: declared.clone(), base: base.description.name.to_string() })
        }
    }
}

/// One thing that is wrong.
#[derive(Debug)]
enum Problem {
    Opaque(Opaque),
    Missing(Need),
    Undeclared(Grant),
    Idle(Declared),
    Needless { declared: Declared, base: String },
}

impl Problem {
    fn sentence(&self) -> String {
        match self {
            Problem::Opaque(opaque) => opaque.to_string(),
            Problem::Missing(need) => format!("{need}, which the manifest does not declare"),
            Problem::Undeclared(grant) => {
                format!("{}, which the manifest does not declare", artifact::step(grant))
            }
            Problem::Idle(Declared { grant, place }) => {
                format!("{place}: nothing in the image needs the grant {grant}")
            }
            Problem::Needless { declared: Declared { grant, place }, base } => {
                format!("{place}: the base {base} has no file to which the grant {grant} applies")
            }
        }
    }

    /// What to do about this one alone; what is missing is told of together.
    fn hint(&self) -> Option<String> {
        match self {
            Problem::Opaque(opaque) => Some(opaque.hint.clone()),
            Problem::Missing(_) => None,
            Problem::Undeclared(grant) => Some(format!("add \"{grant}\" to its grants")),
            Problem::Idle(_) | Problem::Needless { .. } => Some("take it out".to_owned()),
        }
    }

    fn missing(&self) -> Option<&Grant> {
        match self {
            Problem::Missing(need) => Some(&need.grant),
            Problem::Opaque(_) | Problem::Undeclared(_) | Problem::Idle(_) | Problem::Needless { .. } => None,
        }
    }
}

/// Everything that is wrong with what is declared, at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(file, problems))]
pub(crate) struct GrantsError {
    file: String,
    problems: Vec<Problem>,
}

fn list(file: &str, problems: &[Problem]) -> String {
    match problems {
        [one] => one.sentence(),
        many => {
            let hint = |problem: &Problem| problem.hint().map(|hint| format!("\n    ({hint})"));
            let line = |problem: &Problem| {
                format!("\n  {}{}", problem.sentence(), hint(problem).unwrap_or_default())
            };
            let lines: String = many.iter().map(line).collect();
            format!("{file}: {} things about grants are wrong:{lines}", many.len())
        }
    }
}

impl Diagnose for GrantsError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        let missing = self.problems.iter().filter_map(Problem::missing);
        let missing: String = missing.map(|grant| format!("\n  - \"{grant}\"")).collect();
        match (missing.is_empty(), self.problems.as_slice()) {
            (false, _) => {
                Some(format!("declare what is meant to be there in {}:\ngrants:{missing}", self.file))
            }
            (true, [one]) => one.hint(),
            (true, _) => None,
        }
    }
}

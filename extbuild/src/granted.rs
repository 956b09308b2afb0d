//! What an extension carries that can run or steer something: found, and held against what its author declares.

use grants::{Need, Opaque};
use spec::manifest::{Declared, Manifest};
use spec::{Diagnose, Grant, GrantKind, Load, Outcome, TreePath};
use squash::Tree;

/// The grants of the config. Modules, firmware and programs are what extensions are for, and need not be declared; all else
/// must be, and nothing may be that the image does not need.
pub(crate) fn of(manifest: &Manifest, tree: &Tree) -> Result<Vec<Grant>, GrantsError> {
    let needs = grants::of_tree(tree);
    let mut declared: Vec<Grant> = manifest.grants.iter().map(|declared| declared.grant.clone()).collect();
    let plain = |grant: &Grant| {
        matches!(grant.kind(), GrantKind::Modules | GrantKind::Firmware | GrantKind::Binaries)
    };
    let found = needs.grants();
    let opaque = needs.opaque.iter().cloned().map(Problem::Opaque);
    let missing = needs.missing(&declared).into_iter().filter(|need| !plain(&need.grant));
    let missing = missing.cloned().map(Problem::Missing);
    let steered =
        manifest.load.iter().filter(|load| load.is_undeclared(&declared)).cloned().map(Problem::Parameters);
    let idle =
        manifest.grants.iter().filter(|declared| !is_used(&declared.grant, &found, tree, &manifest.load));
    let idle = idle.cloned().map(Problem::Idle);
    let problems: Vec<Problem> = opaque.chain(missing).chain(steered).chain(idle).collect();
    if !problems.is_empty() {
        return Err(GrantsError { file: manifest.file.clone(), problems });
    }
    declared.extend(found);
    declared.sort_unstable();
    declared.dedup();
    Ok(declared)
}

/// A file that replaces one of the base shows only where the base is.
fn is_used(grant: &Grant, found: &[Grant], tree: &Tree, loads: &[Load]) -> bool {
    match grant.kind() {
        GrantKind::Replaces => grant.subject().parse().is_ok_and(|path: TreePath| tree.get(&path).is_some()),
        _ => found.contains(grant) || loads.iter().any(|load| load.needs(grant)),
    }
}

/// One thing that is wrong.
#[derive(Debug)]
enum Problem {
    Opaque(Opaque),
    Missing(Need),
    Parameters(Load),
    Idle(Declared),
}

impl Problem {
    fn sentence(&self) -> String {
        match self {
            Problem::Opaque(opaque) => opaque.to_string(),
            Problem::Missing(need) => format!("{need}, which the manifest does not declare"),
            Problem::Parameters(load) => {
                format!(
                    "module {} is loaded with parameters, which the manifest does not declare",
                    load.module()
                )
            }
            Problem::Idle(Declared { grant, place }) => {
                format!("{place}: nothing in the image needs the grant {grant}")
            }
        }
    }

    /// What to do about this one alone; what is missing is told of together.
    fn hint(&self) -> Option<String> {
        match self {
            Problem::Opaque(opaque) => Some(opaque.hint.clone()),
            Problem::Missing(_) => None,
            Problem::Parameters(load) => {
                Some(format!("add \"{}:{}\" to its grants", GrantKind::ModprobeOptions, load.module()))
            }
            Problem::Idle(_) => Some("take it out".to_owned()),
        }
    }

    fn missing(&self) -> Option<&Grant> {
        match self {
            Problem::Missing(need) => Some(&need.grant),
            Problem::Opaque(_) | Problem::Parameters(_) | Problem::Idle(_) => None,
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

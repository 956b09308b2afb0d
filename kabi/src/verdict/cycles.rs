//! Modules that wait for each other: none of them can be first.

use std::collections::{BTreeSet, HashMap};

use spec::{Reason, ReasonCode};

use super::Candidate;
use crate::{Module, SymbolName};

/// How many modules of a circle are named.
const NAMED_MAX: usize = 20;

/// A circle of modules, each of which takes a symbol from the next.
pub(super) struct Circle {
    /// The candidates that the modules are of.
    pub(super) candidates: BTreeSet<usize>,
    /// Why none of them can be loaded.
    pub(super) reason: Reason,
}

/// The first circle among the modules of the candidates that are `standing`. The kernel resolves all symbols of a
/// module when it loads it (kernel/module/main.c, `simplify_symbols`), so that no order works.
pub(super) fn first(candidates: &[Candidate<'_>], standing: &[bool]) -> Option<Circle> {
    let modules: Vec<(usize, &Module)> = (0..candidates.len())
        .filter(|index| standing[*index])
        .flat_map(|index| candidates[index].record.modules().iter().map(move |module| (index, module)))
        .collect();
    let exporters: HashMap<&SymbolName, usize> = modules
        .iter()
        .enumerate()
        .flat_map(|(place, (_, module))| module.exports.keys().map(move |symbol| (symbol, place)))
        .collect();
    let needs = |place: usize| {
        let strong = modules[place].1.imports.iter().filter(|(_, import)| !import.weak);
        let owners = strong.filter_map(|(symbol, _)| exporters.get(symbol).copied());
        owners.filter(|owner| *owner != place).collect::<BTreeSet<usize>>()
    };
    let mut done = vec![false; modules.len()];
    let circle = (0..modules.len()).find_map(|root| search(root, &needs, &mut done))?;
    Some(Circle {
        candidates: circle.iter().map(|place| modules[*place].0).collect(),
        reason: refusal(circle.iter().map(|place| modules[*place].1)),
    })
}

/// Depth-first from `root`, without recursion: a chain of modules is as long as somebody makes it. What is `done`
/// leads to no circle.
fn search(root: usize, needs: &impl Fn(usize) -> BTreeSet<usize>, done: &mut [bool]) -> Option<Vec<usize>> {
    if done[root] {
        return None;
    }
    let mut path = vec![(root, needs(root))];
    let mut on_path = BTreeSet::from([root]);
    while let Some((module, waiting)) = path.last_mut() {
        match waiting.pop_first() {
            Some(next) if on_path.contains(&next) => {
                let circle = path.iter().map(|(module, _)| *module);
                return Some(circle.skip_while(|module| *module != next).collect());
            }
            Some(next) if done[next] => {}
            Some(next) => {
                on_path.insert(next);
                path.push((next, needs(next)));
            }
            None => {
                done[*module] = true;
                on_path.remove(module);
                path.pop();
            }
        }
    }
    None
}

fn refusal<'a>(circle: impl Iterator<Item = &'a Module>) -> Reason {
    let mut names: Vec<&str> = circle.map(|module| module.name.as_str()).collect();
    if names.len() > NAMED_MAX {
        names.truncate(NAMED_MAX);
        names.push("…");
    }
    let sentence = format!(
        "modules {} need symbols of each other in a circle: none can be loaded first",
        names.join(", ")
    );
    Reason::new(ReasonCode::ModuleCycle, sentence).subject(names[0])
}

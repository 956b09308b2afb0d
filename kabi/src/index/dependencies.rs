//! Which modules need which, and in what order modprobe must load them.

use std::collections::{HashMap, HashSet};

use super::order::Modules;
use super::{IndexError, order};
use crate::{Import, SymbolName};

type Owners<'a> = HashMap<&'a SymbolName, usize>;

/// Modules by their place in the list of all modules.
pub(super) struct Dependencies {
    /// What each needs itself.
    direct: Vec<Vec<usize>>,
    /// The place of each in an order in which every module comes before those that it needs.
    rank: Vec<usize>,
}

impl Dependencies {
    /// A module needs those that export what it imports, weak or not; the CRC does not count here.
    pub(super) fn of(modules: &Modules<'_>, owners: &Owners<'_>) -> Result<Dependencies, IndexError> {
        let sorted = |counts: fn(&Import) -> bool| {
            let direct: Vec<_> =
                modules.iter().enumerate().map(|entry| direct(entry, owners, counts)).collect();
            rank(&direct).map(|rank| Dependencies { direct, rank })
        };
        sorted(|_| true).or_else(|_| sorted(|import| !import.weak)).map_err(|circle| {
            let mut names: Vec<_> = circle.iter().map(|place| modules[*place].module.name.as_str()).collect();
            names.sort_unstable();
            IndexError::Circle(names.join(", "))
        })
    }

    /// `PATH: NEEDED NEEDED` of each module, with everything that it needs: modprobe loads from the end. A long chain of
    /// modules makes lines that are too long together; they end before memory does.
    pub(super) fn lines(&self, modules: &Modules<'_>, max_bytes: usize) -> Result<Vec<String>, IndexError> {
        let mut reached_for = vec![usize::MAX; modules.len()];
        let mut lines = Vec::with_capacity(modules.len());
        let mut bytes = 0;
        for (place, entry) in modules.iter().enumerate() {
            let mut line = format!("{}:", entry.path);
            for needed in self.all(place, &mut reached_for) {
                line.push(' ');
                line.push_str(modules[needed].path);
            }
            bytes += line.len();
            if bytes > max_bytes {
                return Err(IndexError::TooLarge("modules.dep"));
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// What a module needs itself.
    pub(super) fn direct(&self, module: usize) -> &[usize] {
        &self.direct[module]
    }

    /// Everything that a module needs, each before what it needs itself. `reached_for` says of each module for which
    /// one it was reached last.
    fn all(&self, module: usize, reached_for: &mut [usize]) -> Vec<usize> {
        let mut needed = Vec::new();
        let mut waiting = vec![module];
        while let Some(next) = waiting.pop() {
            for &one in &self.direct[next] {
                if std::mem::replace(&mut reached_for[one], module) != module {
                    needed.push(one);
                    waiting.push(one);
                }
            }
        }
        needed.sort_unstable_by_key(|one| self.rank[*one]);
        needed
    }
}

/// What a module needs itself, each once, in the order in which its symbol table first names a symbol of it.
fn direct(
    (place, entry): (usize, &order::Entry<'_>),
    owners: &Owners<'_>,
    counts: fn(&Import) -> bool,
) -> Vec<usize> {
    let counted = entry.module.imports.iter().filter(|(_, import)| counts(import));
    let mut needed: Vec<(u32, usize)> =
        counted.filter_map(|(symbol, import)| Some((import.place, *owners.get(symbol)?))).collect();
    needed.sort_unstable();
    let mut seen = HashSet::from([place]);
    needed.into_iter().map(|(_, owner)| owner).filter(|owner| seen.insert(*owner)).collect()
}

/// Ranks modules so that each comes before those that it needs, exactly as depmod does, for its order shows in
/// modules.dep: from a stack of modules that nobody needs any more. What is left over needs each other in a circle, or
/// is needed from there.
fn rank(direct: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut users = vec![0_usize; direct.len()];
    for &needed in direct.iter().flatten() {
        users[needed] += 1;
    }
    let mut free: Vec<usize> = (0..direct.len()).filter(|module| users[*module] == 0).collect();
    let mut rank = vec![usize::MAX; direct.len()];
    let mut ranked = 0;
    while let Some(module) = free.pop() {
        rank[module] = ranked;
        ranked += 1;
        for &needed in &direct[module] {
            users[needed] -= 1;
            if users[needed] == 0 {
                free.push(needed);
            }
        }
    }
    let left: Vec<usize> = (0..direct.len()).filter(|module| users[*module] > 0).collect();
    if left.is_empty() { Ok(rank) } else { Err(left) }
}

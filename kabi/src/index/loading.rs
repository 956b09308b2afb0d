//! In what order modules are to be loaded, as modprobe would.

use std::collections::HashMap;

use spec::ModuleName;

use super::dependencies::Dependencies;
use super::order::Modules;
use super::{IndexError, Inputs};
use crate::Module;

/// The modules of these names with everything that they need, each after what it needs. Names that no module has are
/// passed over: they are built into the kernel, or an error of whoever asks.
///
/// What a module would like to have before it (`softdep: pre:`) comes before it if it is there; what it would like to have
/// after it comes last.
pub fn loading<'a>(inputs: &Inputs<'a>, names: &[&ModuleName]) -> Result<Vec<&'a Module>, IndexError> {
    let modules = Modules::of(inputs)?;
    let dependencies = Dependencies::of(&modules, &modules.owners())?;
    let places: HashMap<&ModuleName, usize> =
        modules.iter().enumerate().map(|(place, entry)| (&entry.module.name, place)).collect();
    let mut order =
        Order { modules: &modules, dependencies: &dependencies, places, seen: vec![false; modules.len()] };
    let mut found = Vec::new();
    for name in names {
        if let Some(place) = order.places.get(*name).copied() {
            order.add(place, &mut found);
        }
    }
    Ok(found)
}

struct Order<'m, 'a> {
    modules: &'m Modules<'a>,
    dependencies: &'m Dependencies,
    places: HashMap<&'a ModuleName, usize>,
    seen: Vec<bool>,
}

/// What is left to do about a module.
enum Step {
    Enter(usize),
    Load(usize),
}

impl<'a> Order<'_, 'a> {
    fn add(&mut self, first: usize, found: &mut Vec<&'a Module>) {
        // The last one is done next, so what comes first is pushed last.
        let mut waiting = vec![Step::Enter(first)];
        while let Some(step) = waiting.pop() {
            match step {
                Step::Load(place) => found.push(self.modules[place].module),
                Step::Enter(place) if std::mem::replace(&mut self.seen[place], true) => {}
                Step::Enter(place) => {
                    let (before, after) = self.wishes(place);
                    waiting.extend(after.into_iter().rev().map(Step::Enter));
                    waiting.push(Step::Load(place));
                    waiting.extend(
                        self.dependencies.direct(place).iter().rev().map(|needed| Step::Enter(*needed)),
                    );
                    waiting.extend(before.into_iter().rev().map(Step::Enter));
                }
            }
        }
    }

    /// What a module would like to have before it, and after it (modprobe.d(5), `softdep`).
    fn wishes(&self, place: usize) -> (Vec<usize>, Vec<usize>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for softdep in &self.modules[place].module.softdeps {
            let mut side = None;
            for word in softdep.as_str().split_whitespace() {
                match (word, side.as_deref_mut()) {
                    ("pre:", _) => side = Some(&mut before),
                    ("post:", _) => side = Some(&mut after),
                    (name, Some(side)) => side.extend(self.named(name)),
                    (_, None) => {}
                }
            }
        }
        (before, after)
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.places.get(&name.parse::<ModuleName>().ok()?).copied()
    }
}

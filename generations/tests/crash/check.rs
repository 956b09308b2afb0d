//! What must be true after a power cut: I1 to I6 of the protocol.
//!
//! * I1: what is active is what was before, or what was to be, and whole; and so is all else that has its name.
//! * I2: nothing else is needed than the disk; nothing here has a network.
//! * I3: booted again and again without being confirmed, the machine ends on what was confirmed last.
//! * I4: also when the power fails again at such a boot.
//! * I5: what fails leaves what was there (`errors.rs`).
//! * I6: what was interrupted can be done again, with the same result, and leaves no litter.

use std::collections::HashSet;

use generations::disk::Disk;
use generations::layout::{BLOBS, GENERATIONS, TOP};
use generations::state::TRIES;
use generations::{Generation, Role, Store, View};
use spec::Digest;

use crate::model::{FileSystem, Model, Node};
use crate::scenes::{Meaning, Op, base, label, perform, running};
use crate::states::{STATES_MAX, after_power_cut, is_complete};

/// After so many violations there is no need for more.
const ENOUGH: usize = 20;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Instants at which the power was cut.
    pub(crate) cuts: usize,
    /// Different disks after that, each for what was expected of it.
    pub(crate) states: usize,
    /// What was wrong, in words.
    pub(crate) violations: Vec<String>,
    /// Was something left out because there was too much?
    pub(crate) cut_short: bool,
    seen: HashSet<(Node, String)>,
}

/// What is allowed after a power cut during something.
pub(crate) struct Expected {
    pub(crate) op: Op,
    pub(crate) running: Generation,
    pub(crate) before: Meaning,
    pub(crate) after: Meaning,
}

impl Report {
    /// Cuts the power at each instant of something that was recorded. When it is over, it must have happened.
    pub(crate) fn cut_everywhere(&mut self, trace: &[FileSystem], expected: &Expected, place: &str) {
        let last = trace.len().saturating_sub(1);
        for (instant, files) in trace.iter().enumerate() {
            self.cut(files, expected, instant == last, &format!("{place}, cut {instant} of {last}"));
        }
    }

    fn cut(&mut self, files: &FileSystem, expected: &Expected, is_over: bool, place: &str) {
        if self.violations.len() >= ENOUGH {
            return;
        }
        self.cuts += 1;
        let trees = after_power_cut(files);
        self.cut_short |= trees.len() >= STATES_MAX || !is_complete(files);
        for tree in trees {
            let known = format!("{:?} {} {} {is_over}", expected.op, expected.before, expected.after);
            if self.violations.len() < ENOUGH && self.seen.insert((tree.clone(), known)) {
                self.states += 1;
                if let Err(violation) = check(&tree, expected, is_over) {
                    self.violations.push(format!("{place}: {violation}"));
                }
            }
        }
    }
}

/// Does something on a disk that has been through a scene, and notes what a power cut may meet.
pub(crate) fn record<D: Disk>(
    disk: &Model,
    op: Op,
    wrap: impl Fn(Model) -> D,
) -> (Expected, Vec<FileSystem>) {
    let before = Meaning::of(&View::new(disk.clone()));
    let running = running(disk.clone());
    disk.record();
    if let Err(error) = perform(wrap(disk.clone()), op, running) {
        panic!("{op:?} fails without a fault: {}", spec::sentence(&error));
    }
    let trace = disk.recorded();
    let after = Meaning::of(&View::new(disk.clone()));
    (Expected { op, running, before, after }, trace)
}

/// The disk after a scene, with all that its last program left pending.
pub(crate) fn scene<D: Disk>(ops: &[Op], wrap: impl Fn(Model) -> D) -> Model {
    let disk = Model::empty();
    for op in ops {
        perform(wrap(disk.clone()), *op, running(disk.clone())).unwrap();
    }
    disk
}

/// Each operation in each scene, and a power cut at each instant of it.
pub(crate) fn one_operation<D: Disk>(
    scenes: &[&[Op]],
    ops: &[Op],
    wrap: impl Fn(Model) -> D + Copy,
) -> Report {
    let mut report = Report::default();
    for before in scenes {
        let files = scene(before, wrap).files();
        for op in ops {
            let disk = Model::new(files.clone());
            let (expected, trace) = record(&disk, *op, wrap);
            report.cut_everywhere(&trace, &expected, &format!("{op:?} after {before:?}"));
        }
    }
    report
}

fn check(tree: &Node, expected: &Expected, is_over: bool) -> Result<(), String> {
    let Expected { op, running, before, after } = expected;
    let found = Meaning::of(&View::new(Model::of(tree)));
    if found != *after && (is_over || found != *before) {
        return Err(format!("the state is {found}; it was {before}, and was to be {after}"));
    }
    names_are_true(&View::new(Model::of(tree)))?;
    settles(Model::of(tree), &found)?;
    let disk = Model::of(tree);
    perform(disk.clone(), *op, *running).map_err(|error| format!("not again: {}", spec::sentence(&error)))?;
    let again = Meaning::of(&View::new(disk.clone()));
    let wanted = match op {
        Op::Boot => found.booted(),
        _ => after.clone(),
    };
    if again != wanted {
        return Err(format!("done again it leads to {again} instead of {wanted}"));
    }
    tidy(&disk, &again)
}

/// What has its name is whole, whether the state names it or not: whoever finds it may use it.
fn names_are_true(view: &View<Model>) -> Result<(), String> {
    for generation in view.generations().map_err(|error| spec::sentence(&error))? {
        view.check(generation).map_err(|error| spec::sentence(&error))?;
    }
    let disk = view.disk();
    let is_there = disk.look(BLOBS).map_err(|error| spec::sentence(&error))?.is_some();
    let names = if is_there { disk.list(BLOBS).map_err(|error| spec::sentence(&error))? } else { Vec::new() };
    for name in names {
        let Ok(digest) = Digest::from_hex(&name) else { continue };
        let bytes = disk.read(&format!("{BLOBS}/{name}"), 1 << 20).map_err(|error| spec::sentence(&error))?;
        if bytes.is_none_or(|bytes| Digest::of(&bytes) != digest) {
            return Err(format!("blob {digest} has its name and is not whole"));
        }
    }
    Ok(())
}

/// Boots until there is nothing more to try.
fn settles(disk: Model, found: &Meaning) -> Result<(), String> {
    let mut meaning = found.clone();
    for boot in 0..TRIES.get() + 2 {
        let mut store = Store::open(disk.clone()).map_err(|error| spec::sentence(&error))?;
        let begun = store.begin_boot(&base());
        let runs = label(store.view(), begun.choice.generation);
        if runs != meaning.runs() {
            return Err(format!("boot {boot} runs {runs} instead of {}: {:?}", meaning.runs(), begun.choice));
        }
        if boot > TRIES.get() && (begun.choice.role == Role::Trial || runs != found.current) {
            return Err(format!("boot {boot} does not end on {}: {:?}", found.current, begun.choice));
        }
        meaning = meaning.booted();
    }
    Ok(())
}

/// A collection takes all that is of no use, and nothing that is.
fn tidy(disk: &Model, meaning: &Meaning) -> Result<(), String> {
    let mut store = Store::open(disk.clone()).map_err(|error| spec::sentence(&error))?;
    store.gc(0).map_err(|error| spec::sentence(&error))?;
    let view = store.view();
    let left = Meaning::of(view);
    if left != *meaning {
        return Err(format!("a collection makes {left} of {meaning}"));
    }
    let mut blobs: Vec<String> = Vec::new();
    for name in disk.list(GENERATIONS).map_err(|error| spec::sentence(&error))? {
        let generation: Generation = name.parse().map_err(|_| format!("{name} is left"))?;
        let set = view.check(generation).map_err(|error| spec::sentence(&error))?;
        blobs.extend(set.blobs.iter().map(|blob| blob.digest.hex()));
    }
    blobs.sort();
    blobs.dedup();
    let found = disk.list(BLOBS).map_err(|error| spec::sentence(&error))?;
    let top = disk.list(TOP).map_err(|error| spec::sentence(&error))?;
    match found == blobs && top == ["blobs", "generations", "state.0", "state.1"] {
        true => Ok(()),
        false => Err(format!("a collection leaves {found:?} and {top:?}")),
    }
}

//! The sets of the tests, the operations on a store, and the situations that a store can be in before one.

use std::fmt;

use generations::disk::Disk;
use generations::state::TRIES;
use generations::{BaseIdentity, Blob, Generation, Member, NewSet, Store, StoreError, View};
use spec::Digest;

/// Long enough that a slot with it differs from another in all of its sectors but some.
const REASON: &str = "a probe of the set did not answer in time. ";

/// What is done to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Opening alone.
    Open,
    /// The blob of the set is put, and nothing else.
    Put(char),
    /// The blob of the set is put, and the set is staged.
    Stage(char),
    /// A boot begins.
    Boot,
    /// What runs is confirmed.
    Confirm,
    /// What runs is left, with a long reason.
    Rollback,
    /// Garbage is collected, and nothing kept for its age.
    Collect,
}

pub(crate) const OPS: [Op; 9] = [
    Op::Open,
    Op::Put('c'),
    Op::Stage('a'),
    Op::Stage('b'),
    Op::Stage('c'),
    Op::Boot,
    Op::Confirm,
    Op::Rollback,
    Op::Collect,
];

/// What leads to the situations that are worth a power cut.
pub(crate) const SCENES: [&[Op]; 12] = [
    &[],
    &[Op::Stage('a')],
    &[Op::Stage('a'), Op::Boot],
    // An old set that runs.
    &[Op::Stage('a'), Op::Boot, Op::Confirm],
    // A new one beside it: staged, tried, tried too often, given up.
    &[Op::Stage('a'), Op::Boot, Op::Confirm, Op::Stage('b')],
    &[Op::Stage('a'), Op::Boot, Op::Confirm, Op::Stage('b'), Op::Boot],
    &[Op::Stage('a'), Op::Boot, Op::Confirm, Op::Stage('b'), Op::Boot, Op::Boot],
    &[Op::Stage('a'), Op::Boot, Op::Confirm, Op::Stage('b'), Op::Boot, Op::Boot, Op::Boot],
    // A new one that runs; left again; a third.
    &[Op::Stage('a'), Op::Boot, Op::Confirm, Op::Stage('b'), Op::Boot, Op::Confirm],
    &[Op::Stage('a'), Op::Boot, Op::Confirm, Op::Stage('b'), Op::Boot, Op::Confirm, Op::Rollback],
    &[Op::Stage('a'), Op::Boot, Op::Confirm, Op::Stage('b'), Op::Boot, Op::Confirm, Op::Stage('c')],
    // A blob that nobody needs, and generations that nobody needs.
    &[Op::Stage('a'), Op::Stage('b'), Op::Stage('c'), Op::Boot, Op::Confirm, Op::Put('d')],
];

pub(crate) fn base() -> BaseIdentity {
    BaseIdentity {
        name: "debian".parse().unwrap(),
        version: "12.0.0".parse().unwrap(),
        kernel: "6.1.0-56-cloud-amd64".parse().unwrap(),
        build_id: Some("7f76f39f".parse().unwrap()),
        facts: Digest::of(b"facts"),
    }
}

/// The bytes of a blob: some sectors and a part of one.
pub(crate) fn bytes(name: char) -> Vec<u8> {
    [name as u8; 1100].to_vec()
}

pub(crate) fn blob(name: char) -> Blob {
    Blob { digest: Digest::of(&bytes(name)), size: 1100 }
}

/// A set of one extension with that name.
pub(crate) fn set(name: char) -> NewSet {
    let member = Member {
        name: name.to_string().parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        manifest: blob(name).digest,
    };
    let file = |path: &str| (path.parse().unwrap(), format!("{path} of {name}").into_bytes());
    NewSet {
        base: base(),
        members: vec![member],
        blobs: vec![blob(name)],
        files: ["machine.yaml", "index.json", "trust/policy.yaml"].map(file).into(),
    }
}

/// What a boot may have activated: that is what is confirmed or left.
pub(crate) fn running(disk: impl Disk) -> Generation {
    let state = View::new(disk).state();
    state.trial().map_or(state.current(), |trial| trial.generation)
}

/// Does one thing to the store on a disk on which that runs, as a program of its own does.
pub(crate) fn perform(disk: impl Disk, op: Op, running: Generation) -> Result<(), StoreError> {
    let mut store = Store::open(disk)?;
    match op {
        Op::Open => Ok(()),
        Op::Put(name) => store.put_blob(&mut &bytes(name)[..], &blob(name)),
        Op::Stage(name) => {
            store.put_blob(&mut &bytes(name)[..], &blob(name))?;
            store.stage(&set(name), TRIES).map(drop)
        }
        Op::Boot => match store.begin_boot(&base()) {
            begun if begun.unsaved.is_none() => Ok(()),
            begun => {
                assert_ne!(begun.choice.role, generations::Role::Trial, "nothing is tried uncounted");
                Err(begun.unsaved.unwrap())
            }
        },
        Op::Confirm => store.confirm(running),
        Op::Rollback if running.is_base() => Ok(()),
        Op::Rollback => store.rollback(running, &REASON.repeat(17)),
        Op::Collect => store.gc(0).map(drop),
    }
}

/// What a state means: names of sets and not of numbers, and what is not whole has no name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Meaning {
    pub(crate) current: String,
    pub(crate) previous: String,
    pub(crate) trial: Option<(String, u32)>,
}

impl Meaning {
    pub(crate) fn of<D: Disk>(view: &View<D>) -> Meaning {
        let state = view.state();
        Meaning {
            current: label(view, state.current()),
            previous: label(view, state.previous()),
            trial: state.trial().map(|trial| (label(view, trial.generation), trial.tries_left)),
        }
    }

    /// What the next boot activates.
    pub(crate) fn runs(&self) -> &str {
        self.trial.as_ref().filter(|(_, left)| *left > 0).map_or(&self.current, |(label, _)| label)
    }

    /// What the next boot makes of it.
    pub(crate) fn booted(&self) -> Meaning {
        let counted = |(label, left): &(String, u32)| Some((label.clone(), left.checked_sub(1)?));
        Meaning { trial: self.trial.as_ref().and_then(counted), ..self.clone() }
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {}, trial {:?}", self.current, self.previous, self.trial)
    }
}

/// The name of the set of a generation, all files and blobs of which read with the right digest and are those of the set.
pub(crate) fn label<D: Disk>(view: &View<D>, generation: Generation) -> String {
    if generation.is_base() {
        return "base".into();
    }
    match view.check(generation) {
        Ok(found) => {
            let name = found.members[0].name.to_string();
            let wanted = set(name.chars().next().unwrap());
            let is_all = found.members == wanted.members && found.files.len() == wanted.files.len();
            if is_all { name } else { format!("generation {generation}: not what was staged") }
        }
        Err(error) => format!("generation {generation}: {}", spec::sentence(&error)),
    }
}

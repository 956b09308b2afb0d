//! Which set a boot or an activation is about: one of those that the node keeps, or what the medium has.

use std::path::{Path, PathBuf};

use generations::{BaseIdentity, Choice, Generation, RealDisk, Role, Store, StoreError};
use spec::status::{SetRole, SetStatus};
use spec::{Diagnose, Outcome};

use crate::offer::Offer;

/// A node that keeps sets, while nobody else changes them.
#[derive(Debug)]
pub(crate) struct Node {
    dir: PathBuf,
    store: Store<RealDisk>,
}

/// What is to run.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The set; none where the base is to run alone.
    pub(crate) offer: Option<Offer>,
    /// Which of the node's sets that is, on a node that keeps any.
    pub(crate) set: Option<SetStatus>,
    /// Why it is this one and no other.
    pub(crate) notes: Vec<String>,
}

impl Chosen {
    /// The one on a medium, where there is no node to choose.
    pub(crate) fn offered(offer: Offer) -> Chosen {
        Chosen { offer: Some(offer), set: None, notes: Vec::new() }
    }

    /// Its number among those that the node keeps; none for the base alone.
    pub(crate) fn generation(&self) -> Option<Generation> {
        self.set
            .as_ref()
            .map(|set| Generation::new(set.generation))
            .filter(|generation| !generation.is_base())
    }
}

impl Node {
    /// Opens the directory of a node, and makes of an empty one the directory of a node with no sets.
    pub(crate) fn open(dir: &Path) -> Result<Node, OpenError> {
        Ok(Node { dir: dir.to_owned(), store: open(dir)? })
    }

    /// Chooses for this base, and counts a try before anything is tried. `otherwise` is what generation 0 has, if that
    /// is not the base alone.
    pub(crate) fn choose(&mut self, base: &BaseIdentity, otherwise: Option<Offer>) -> Chosen {
        let begun = self.store.begin_boot(base);
        let damage = self.store.view().damage();
        let Choice { generation, role, mut notes } = begun.choice;
        notes.extend(damage);
        let tries_left =
            self.store.state().trial().filter(|_| role == Role::Trial).map(|trial| trial.tries_left);
        let offer = match generation.is_base() {
            true => otherwise,
            false => Some(Offer::of_generation(&self.dir, generation)),
        };
        let offer = offer.map(|offer| offer.with_updates(known_updates(&self.dir, &self.store)));
        let set = SetStatus { generation: generation.number(), role: role_of(role), tries_left };
        Chosen { offer, set: Some(set), notes }
    }

    /// Leaves a set for good, so that the next choice is another one. What cannot be written is said, and the set is
    /// chosen again.
    pub(crate) fn leave(&mut self, generation: Generation, why: &str) -> Result<(), StoreError> {
        self.store.rollback(generation, why)
    }
}

/// What came with any set that a node keeps: to go back to an older one takes no revocation away.
pub(crate) fn known_updates(dir: &Path, store: &Store<RealDisk>) -> Vec<PathBuf> {
    let generations = store.view().generations().unwrap_or_default();
    generations.into_iter().flat_map(|generation| Offer::of_generation(dir, generation).updates).collect()
}

/// Opens what a node keeps, to change it.
pub(crate) fn open(dir: &Path) -> Result<Store<RealDisk>, OpenError> {
    Ok(Store::open(disk(dir)?)?)
}

/// The directory in which a node keeps its sets.
pub(crate) fn disk(dir: &Path) -> Result<RealDisk, OpenError> {
    match dir.is_dir() {
        true => Ok(RealDisk::open(dir).map_err(StoreError::from)?),
        false => Err(OpenError::Nothing(dir.to_owned())),
    }
}

/// Why nothing is known of the sets of a node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("this node keeps no sets: there is no directory {}", .0.display())]
    Nothing(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Diagnose for OpenError {
    fn outcome(&self) -> Outcome {
        match self {
            OpenError::Nothing(_) => Outcome::Unavailable,
            OpenError::Store(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            OpenError::Nothing(_) => {
                Some("stage a set, which makes it, or name another directory with --state".into())
            }
            OpenError::Store(error) => error.hint(),
        }
    }
}

fn role_of(role: Role) -> SetRole {
    match role {
        Role::Trial => SetRole::Trial,
        Role::Current => SetRole::Current,
        Role::Previous => SetRole::Previous,
        Role::Fallback => SetRole::Fallback,
    }
}

//! Changing the state of a node: opening it, booting, confirming, going back.
//!
//! Each change is prepared beside what is there, made durable, and then switched to by one write of one slot. Whatever
//! fails before that leaves files that nobody names, which the next change or collection removes.

use std::num::NonZeroU32;

use spec::sentence;

use crate::base::BaseIdentity;
use crate::disk::{Disk, Kind};
use crate::error::StoreError;
use crate::fault;
use crate::layout::{BLOBS, BLOBS_TOP, GENERATIONS, Generation, NEW_SLOTS, SLOTS, TOP};
use crate::set::{DEPTH_MAX, NewSet};
use crate::slots;
use crate::state::{Choice, State};
use crate::view::{View, read_slots};

/// The state of a node, which nobody else changes while this lives.
#[derive(Debug)]
pub struct Store<D: Disk> {
    pub(crate) view: View<D>,
    _lock: D::Lock,
}

/// A boot that has begun.
#[derive(Debug)]
pub struct Begun {
    /// What is to be activated.
    pub choice: Choice,
    /// Why the state could not be written. Then nothing is on trial at this boot.
    pub unsaved: Option<StoreError>,
}

impl<D: Disk> Store<D> {
    /// Opens the state in `disk`, and makes an empty one where there is none. A damaged one is opened too:
    /// [`View::damage`] says what is wrong, and the state is at worst that of the base alone.
    pub fn open(disk: D) -> Result<Store<D>, StoreError> {
        let lock = disk.lock()?;
        fault::point("open.locked")?;
        let view = View::new(disk);
        let mut store = Store { view, _lock: lock };
        // Until there is a state, a program that was killed may have left names that are not durable yet.
        if store.view.slots.newest().is_none() {
            store.lay_out()?;
            store.view.slots = read_slots(&store.view.disk);
        }
        Ok(store)
    }

    /// What can be read.
    pub fn view(&self) -> &View<D> {
        &self.view
    }

    /// The state.
    pub fn state(&self) -> State {
        self.view.state()
    }

    /// Puts a set under a number of its own, and has it tried at the next boots, `tries` times at most. Its blobs must be
    /// in the store. A set that is there already gets no second number.
    pub fn stage(&mut self, set: &NewSet, tries: NonZeroU32) -> Result<Generation, StoreError> {
        let generation = self.put_set(set)?;
        self.write(self.state().stage(generation, tries))?;
        Ok(generation)
    }

    /// Decides what this boot activates, and counts it before it is activated.
    pub fn begin_boot(&mut self, base: &BaseIdentity) -> Begun {
        let boot = self.state().boot(|generation| self.view.fitness(generation, base));
        let Some(state) = boot.write else { return Begun { choice: boot.choice, unsaved: None } };
        match self.write(state).and_then(|()| fault::point("boot.counted")) {
            Ok(()) => Begun { choice: boot.choice, unsaved: None },
            Err(error) => {
                let note = format!("nothing is tried, because it cannot be counted: {}", sentence(&error));
                Begun { choice: self.view.settled(base, vec![note]), unsaved: Some(error) }
            }
        }
    }

    /// The generation that runs proved good.
    pub fn confirm(&mut self, generation: Generation) -> Result<(), StoreError> {
        self.write(self.state().confirm(generation)?)
    }

    /// The generation that runs is not to run again.
    pub fn rollback(&mut self, generation: Generation, why: &str) -> Result<(), StoreError> {
        self.write(self.state().rollback(generation, why)?)
    }

    /// The one switch: the slot that is not the newest is written over, also with what the newest says, which may not be
    /// durable.
    fn write(&mut self, state: State) -> Result<(), StoreError> {
        let (place, copy) = self.view.slots.next(state);
        // A program that was killed may have written the newest slot and not synced it. Until it is durable, the other one
        // is all that a power cut leaves.
        self.view.disk.sync_written(SLOTS[1 - place])?;
        fault::point("state.decided")?;
        if let Err(error) = self.view.disk.overwrite(SLOTS[place], &slots::encode(&copy)) {
            // What failed may have been the sync alone, and then the new state is what readers see. It was not promised
            // to anybody, so it is taken back, as far as the disk lets us.
            let _ = self.view.disk.overwrite(SLOTS[place], &self.view.slots.block(place));
            return Err(error.into());
        }
        self.view.slots.put(place, copy);
        fault::point("state.written")
    }

    /// Makes what is missing of an empty store. The slots come last: where they are, the rest is.
    fn lay_out(&self) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        for (dir, parent) in [(BLOBS_TOP, TOP), (BLOBS, BLOBS_TOP), (GENERATIONS, TOP)] {
            if disk.look(dir)?.is_none() {
                disk.make_dir(dir)?;
                fault::point("open.dir-made")?;
            }
            disk.sync_dir(parent)?;
        }
        for (slot, new) in SLOTS.into_iter().zip(NEW_SLOTS) {
            self.remove_any(new)?;
            if disk.look(slot)?.is_none() {
                let mut file = disk.create(new)?;
                disk.append(&mut file, &slots::BLANK)?;
                disk.sync_file(&file)?;
                fault::point("open.slot-written")?;
                disk.rename(new, slot)?;
                fault::point("open.slot-named")?;
            }
        }
        Ok(disk.sync_dir(TOP)?)
    }

    /// Removes what is at `path` with all that is in it, if there is anything.
    pub(crate) fn remove_any(&self, path: &str) -> Result<(), StoreError> {
        match self.view.disk.look(path)? {
            None => Ok(()),
            Some(Kind::File(_) | Kind::Other) => Ok(self.view.disk.remove_file(path)?),
            Some(Kind::Dir) => self.remove_dir(path, DEPTH_MAX),
        }
    }

    /// Directories of generations are not deeper than `depth`; what is, is not ours and stays.
    fn remove_dir(&self, path: &str, depth: usize) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        for name in disk.list(path)? {
            let path = format!("{path}/{name}");
            match (disk.look(&path)?, depth.checked_sub(1)) {
                (Some(Kind::Dir), Some(depth)) => self.remove_dir(&path, depth)?,
                (Some(Kind::Dir), None) => disk.remove_dir(&path)?,
                (Some(Kind::File(_) | Kind::Other), _) => disk.remove_file(&path)?,
                (None, _) => {}
            }
        }
        Ok(disk.remove_dir(path)?)
    }
}

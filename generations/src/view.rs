//! Reading the state of a node. Nothing here writes, so it needs no lock: a slot that is being written is not believed, and
//! the other one is what was true a moment ago.

use std::io::Read;

use spec::{Digest, Hasher, sentence};

use crate::base::BaseIdentity;
use crate::disk::{Disk, DiskError, Kind};
use crate::error::StoreError;
use crate::layout::{self, GENERATIONS, Generation, SET_FILE, SLOTS};
use crate::set::{self, Blob, Set};
use crate::slots::{self, Slot, SlotError, Slots};
use crate::state::{Choice, Fitness, State};

/// How much of a blob is read at a time.
pub(crate) const CHUNK: usize = 64 * 1024;

/// The state of a node as it was when it was looked at.
#[derive(Debug)]
pub struct View<D> {
    pub(crate) disk: D,
    pub(crate) slots: Slots,
}

impl<D: Disk> View<D> {
    /// Looks at the state in `disk`. Whatever is there, there is a state: at worst that of the base alone.
    pub fn new(disk: D) -> View<D> {
        let slots = read_slots(&disk);
        View { disk, slots }
    }

    /// The disk, for whoever opens what the state names.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// The state.
    pub fn state(&self) -> State {
        match self.slots.newest() {
            Some(copy) => copy.state.clone(),
            None if self.slots.are_blank() => State::new(""),
            None => State::new("the state of this node cannot be read"),
        }
    }

    /// What is wrong with the state on disk, a sentence for each. One damaged slot is what a power cut leaves, and no harm.
    pub fn damage(&self) -> Vec<String> {
        let slot = |(place, error): (usize, &SlotError)| {
            format!("{} is damaged: {error}", self.disk.name(SLOTS[place]).display())
        };
        self.slots.damage().map(slot).collect()
    }

    /// What a boot activates that cannot write, and so cannot count: no trial.
    pub fn settled(&self, base: &BaseIdentity, notes: Vec<String>) -> Choice {
        self.state().settled(|generation| self.fitness(generation, base), notes)
    }

    /// The generations that have a directory, in order.
    pub fn generations(&self) -> Result<Vec<Generation>, StoreError> {
        if self.disk.look(GENERATIONS)?.is_none() {
            return Ok(Vec::new());
        }
        let names = self.disk.list(GENERATIONS)?;
        let mut found: Vec<Generation> = names.iter().filter_map(|name| name.parse().ok()).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// What a generation is made of. The base alone has no document.
    pub fn set(&self, generation: Generation) -> Result<Set, StoreError> {
        let path = format!("{}/{SET_FILE}", generation.dir());
        let Some(json) = self.disk.read(&path, set::BYTES_MAX)? else {
            return Err(StoreError::NoGeneration { generation, path: self.disk.name(GENERATIONS) });
        };
        Set::parse(&json, generation)
            .map_err(|source| StoreError::Set { path: self.disk.name(&path), source })
    }

    /// Can a generation run on that base? Files are read, and blobs are looked at: who activates them hashes them.
    pub fn fitness(&self, generation: Generation, base: &BaseIdentity) -> Fitness {
        let set = match self.set(generation) {
            Ok(set) => set,
            Err(error) => return Fitness::Damaged(sentence(&error)),
        };
        if let Some(difference) = set.base.difference(base) {
            return Fitness::OtherBase(difference);
        }
        let blobs_there = || set.blobs.iter().try_for_each(|blob| self.look_at_blob(blob));
        match self.check_files(&set).and_then(|()| blobs_there()) {
            Ok(()) => Fitness::Fits,
            Err(error) => Fitness::Damaged(sentence(&error)),
        }
    }

    /// Reads all of a generation, its blobs included.
    pub fn check(&self, generation: Generation) -> Result<Set, StoreError> {
        let set = self.set(generation)?;
        self.check_files(&set)?;
        set.blobs.iter().try_for_each(|blob| self.check_blob(blob))?;
        Ok(set)
    }

    fn check_files(&self, set: &Set) -> Result<(), StoreError> {
        for file in &set.files {
            let path = format!("{}/{}", set.generation.dir(), file.path.as_str());
            let bytes = self.disk.read(&path, file.size)?;
            if bytes.is_none_or(|bytes| Digest::of(&bytes) != file.digest) {
                return Err(StoreError::FileChanged { path: self.disk.name(&path) });
            }
        }
        Ok(())
    }

    fn look_at_blob(&self, blob: &Blob) -> Result<(), StoreError> {
        match self.disk.look(&layout::blob(&blob.digest))? {
            Some(Kind::File(size)) if size == blob.size => Ok(()),
            _ => Err(self.blob_missing(blob)),
        }
    }

    /// Reads all of a blob.
    pub(crate) fn check_blob(&self, blob: &Blob) -> Result<(), StoreError> {
        self.look_at_blob(blob)?;
        let path = layout::blob(&blob.digest);
        let Some(mut file) = self.disk.open(&path)? else { return Err(self.blob_missing(blob)) };
        let mut hasher = Hasher::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk).map_err(DiskError::at("read", self.disk.name(&path)))? {
                0 => break,
                count => hasher.update(&chunk[..count]),
            }
        }
        match hasher.finish() == blob.digest {
            true => Ok(()),
            false => Err(self.blob_missing(blob)),
        }
    }

    fn blob_missing(&self, blob: &Blob) -> StoreError {
        let path = self.disk.name(&layout::blob(&blob.digest));
        StoreError::BlobMissing { digest: blob.digest, path }
    }
}

pub(crate) fn read_slots(disk: &impl Disk) -> Slots {
    Slots::new(SLOTS.map(|path| match disk.read(path, slots::SIZE as u64) {
        Ok(Some(bytes)) => slots::decode(&bytes),
        Ok(None) => Slot::Blank,
        Err(error) => Slot::Damaged(SlotError::Unreadable(sentence(&error))),
    }))
}

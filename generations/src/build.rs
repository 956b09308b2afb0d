//! Making the directory of a generation.

use std::collections::BTreeSet;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::fault;
use crate::layout::{GENERATIONS, Generation, SET_FILE};
use crate::set::{NewSet, Set};
use crate::store::Store;

impl<D: Disk> Store<D> {
    /// The generation that holds this set: one that there is, or a new one.
    pub(crate) fn put_set(&mut self, new: &NewSet) -> Result<Generation, StoreError> {
        self.finish_collection()?;
        let generation = match self.same_as(new)? {
            Some(generation) => generation,
            None => self.make(new)?,
        };
        // Also where it was there: whoever made it may have been killed before this.
        self.view.disk.sync_dir(GENERATIONS)?;
        fault::point("stage.durable")?;
        Ok(generation)
    }

    /// What is current or the newest, if it is this set and whole: that is what there is to find when somebody stages a set
    /// once more. Older ones are left alone.
    fn same_as(&self, new: &NewSet) -> Result<Option<Generation>, StoreError> {
        let newest = self.view.generations()?.last().copied();
        let current = Some(self.state().current()).filter(|generation| !generation.is_base());
        for generation in [current, newest].into_iter().flatten() {
            let wanted = self.document(new, generation)?;
            if self.view.check(generation).is_ok_and(|found| found == wanted) {
                return Ok(Some(generation));
            }
        }
        Ok(None)
    }

    fn make(&self, new: &NewSet) -> Result<Generation, StoreError> {
        let generation = self.unused()?;
        let set = self.document(new, generation)?;
        set.blobs.iter().try_for_each(|blob| self.view.check_blob(blob))?;
        fault::point("stage.checked")?;
        let temporary = generation.temporary();
        self.remove_any(&temporary)?;
        if let Err(error) = self.fill(&temporary, new, &set) {
            // Only the room that it takes is at stake, and the next collection removes it as well.
            let _ = self.remove_any(&temporary);
            return Err(error);
        }
        self.view.disk.rename(&temporary, &generation.dir())?;
        fault::point("stage.named")?;
        Ok(generation)
    }

    /// All that a generation has, durable but for its name.
    fn fill(&self, dir: &str, new: &NewSet, set: &Set) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        disk.make_dir(dir)?;
        fault::point("stage.dir-made")?;
        let dirs: BTreeSet<&str> = new.files.iter().flat_map(|(path, _)| path.dirs()).collect();
        for inner in &dirs {
            disk.make_dir(&format!("{dir}/{inner}"))?;
        }
        for (path, bytes) in &new.files {
            self.write_file(&format!("{dir}/{}", path.as_str()), bytes)?;
            fault::point("stage.file-synced")?;
        }
        let path = format!("{dir}/{SET_FILE}");
        let json = set.to_json().map_err(|source| StoreError::Set { path: disk.name(&path), source })?;
        self.write_file(&path, &json)?;
        fault::point("stage.set-synced")?;
        for inner in dirs {
            disk.sync_dir(&format!("{dir}/{inner}"))?;
        }
        disk.sync_dir(dir)?;
        fault::point("stage.dir-synced")
    }

    fn write_file(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        let mut file = disk.create(path)?;
        disk.append(&mut file, bytes)?;
        Ok(disk.sync_file(&file)?)
    }

    /// A number that neither a directory nor any copy of the state has: an old copy that comes back must not find
    /// something else under the number that it names.
    fn unused(&self) -> Result<Generation, StoreError> {
        let mut greatest = self.view.generations()?.last().copied().unwrap_or(Generation::BASE);
        for copy in self.view.slots.copies() {
            greatest = copy.state.named().fold(greatest, Ord::max);
        }
        greatest.next().ok_or(StoreError::NoNumber(greatest))
    }

    fn document(&self, new: &NewSet, generation: Generation) -> Result<Set, StoreError> {
        let path = || self.view.disk.name(&format!("{}/{SET_FILE}", generation.dir()));
        new.to_set(generation).map_err(|source| StoreError::Set { path: path(), source })
    }
}

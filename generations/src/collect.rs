//! Removing generations that nobody needs, and the blobs that only they needed.
//!
//! A generation goes by a rename, so it is there whole or not at all, and the rename is durable before any of its blobs
//! goes. A mark says that removing has begun; whoever finds it ends what was interrupted.

use std::collections::BTreeSet;

use spec::Digest;

use crate::disk::{Disk, Kind};
use crate::error::StoreError;
use crate::fault;
use crate::layout::{BLOBS, GENERATIONS, Generation, MARK, TEMPORARY, TOP, TRASH};
use crate::store::Store;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The generations.
    pub generations: Vec<Generation>,
    /// How many blobs.
    pub blobs: usize,
    /// How many bytes they had.
    pub bytes: u64,
    /// Why blobs were left that may be of no use: a generation that is needed cannot be read.
    pub blobs_left: Option<String>,
}

impl<D: Disk> Store<D> {
    /// Removes all but what the state names, in either copy of it, and the newest `keep` generations.
    pub fn gc(&mut self, keep: usize) -> Result<Collected, StoreError> {
        let generations = self.view.generations()?;
        let mut kept: BTreeSet<Generation> = generations.iter().rev().take(keep).copied().collect();
        kept.extend(self.view.slots.copies().flat_map(|copy| copy.state.named()));
        let (kept, dead): (Vec<_>, Vec<_>) =
            generations.into_iter().partition(|generation| kept.contains(generation));
        fault::point("collect.chosen")?;
        self.mark()?;
        self.trash(&dead)?;
        let mut collected = Collected { generations: dead, ..Collected::default() };
        match self.needed_by(&kept) {
            Ok(needed) => self.remove_blobs(&needed, &mut collected)?,
            Err(error) => collected.blobs_left = Some(spec::sentence(&error)),
        }
        self.sweep()?;
        Ok(collected)
    }

    /// Ends a collection that was interrupted.
    pub(crate) fn finish_collection(&self) -> Result<(), StoreError> {
        match self.view.disk.look(MARK)? {
            Some(_) => self.sweep(),
            None => Ok(()),
        }
    }

    fn mark(&self) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        if disk.look(MARK)?.is_none() {
            let mark = disk.create(MARK)?;
            disk.sync_file(&mark)?;
        }
        disk.sync_dir(TOP)?;
        fault::point("collect.marked")
    }

    fn trash(&self, dead: &[Generation]) -> Result<(), StoreError> {
        for generation in dead {
            self.remove_any(&generation.trash())?;
            self.view.disk.rename(&generation.dir(), &generation.trash())?;
            fault::point("collect.trashed")?;
        }
        // Also without any: an interrupted collection may have renamed some.
        self.view.disk.sync_dir(GENERATIONS)?;
        fault::point("collect.trash-durable")
    }

    fn needed_by(&self, kept: &[Generation]) -> Result<BTreeSet<Digest>, StoreError> {
        let mut needed = BTreeSet::new();
        for generation in kept {
            needed.extend(self.view.set(*generation)?.blobs.iter().map(|blob| blob.digest));
        }
        Ok(needed)
    }

    fn remove_blobs(&self, needed: &BTreeSet<Digest>, collected: &mut Collected) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        for name in disk.list(BLOBS)? {
            // What has no digest for a name is not ours to judge, or is swept.
            let Ok(digest) = Digest::from_hex(&name) else { continue };
            let path = format!("{BLOBS}/{name}");
            match disk.look(&path)? {
                Some(Kind::File(size)) if !needed.contains(&digest) => {
                    disk.remove_file(&path)?;
                    collected.blobs += 1;
                    collected.bytes += size;
                    fault::point("collect.blob-removed")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes what nobody uses any more or yet, and the mark last.
    fn sweep(&self) -> Result<(), StoreError> {
        let disk = &self.view.disk;
        for dir in [GENERATIONS, BLOBS] {
            for name in disk.list(dir)? {
                if name.starts_with(TRASH) || name.starts_with(TEMPORARY) {
                    self.remove_any(&format!("{dir}/{name}"))?;
                    fault::point("collect.tree-removed")?;
                }
            }
            disk.sync_dir(dir)?;
        }
        fault::point("collect.swept")?;
        self.remove_any(MARK)?;
        disk.sync_dir(TOP)?;
        fault::point("collect.unmarked")
    }
}

//! A set that a machine could run: where its parts lie. Nothing there is believed before it is judged.

use std::path::{Path, PathBuf};

use catalog::{CatalogError, Layout};
use generations::Generation;
use spec::boot::medium;

/// Config, extensions, and what the keys of the policy have signed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The machine config.
    pub(crate) config: PathBuf,
    /// The extensions.
    pub(crate) store: StorePlace,
    /// The directory of updates of trust that belongs to it, and more that are known here.
    pub(crate) updates: Vec<PathBuf>,
}

/// Where extensions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StorePlace {
    /// In an OCI layout.
    Layout(PathBuf),
    /// In a layout whose blobs are shared with others, and whose index is a file of its own.
    Shared {
        /// The directory that has `blobs`.
        dir: PathBuf,
        /// The index.
        index: PathBuf,
    },
}

/// The files of a generation, beside its `set.json`.
pub(crate) mod files {
    /// The machine config.
    pub(crate) const CONFIG: &str = "machine.yaml";
    /// The index of its extensions.
    pub(crate) const INDEX: &str = "index.json";
    /// The directory of updates of trust.
    pub(crate) const UPDATES: &str = "trust";
}

/// Where these things are on a system, below its root.
pub(crate) mod system {
    /// The machine config.
    pub(crate) const CONFIG: &str = "etc/tenon/machine.yaml";
    /// The trust policy.
    pub(crate) const TRUST: &str = "etc/tenon/trust.yaml";
    /// What the keys of the policy have signed since.
    pub(crate) const UPDATES: &str = "etc/tenon/trust.d";
    /// What a node keeps whose boot program chooses among its sets.
    pub(crate) const BOOT_STATE: &str = "/run/tenon/disk/tenon";
    /// What a node keeps.
    pub(crate) const STATE: &str = "var/lib/tenon";
}

impl Offer {
    /// The one of a medium.
    pub(crate) fn of_medium(dir: &Path) -> Offer {
        Offer {
            config: dir.join(medium::MACHINE),
            store: StorePlace::Layout(dir.join(medium::STORE)),
            updates: vec![dir.join(medium::TRUST)],
        }
    }

    /// The one that a node has kept under a number.
    pub(crate) fn of_generation(dir: &Path, generation: Generation) -> Offer {
        let own = dir.join(generation.dir());
        Offer {
            config: own.join(files::CONFIG),
            store: StorePlace::Shared { dir: dir.to_owned(), index: own.join(files::INDEX) },
            updates: vec![own.join(files::UPDATES)],
        }
    }
}

impl Offer {
    /// The same with more updates of trust, after its own.
    pub(crate) fn with_updates(mut self, more: Vec<PathBuf>) -> Offer {
        self.updates.extend(more.into_iter().filter(|dir| !self.updates.contains(dir)).collect::<Vec<_>>());
        self
    }
}

impl StorePlace {
    /// Opens it.
    pub(crate) fn open(&self) -> Result<Layout, CatalogError> {
        match self {
            StorePlace::Layout(dir) => Layout::open(dir),
            StorePlace::Shared { dir, index } => Layout::with_index(dir, index),
        }
    }
}

//! Where things are below `/run/tenon`, which outlives the initramfs and not the boot.

use std::fs;
use std::path::PathBuf;

/// The directory of everything that is of this boot.
const RUN: &str = "/run/tenon";

/// The places of one activation. Each has its own, so that a new set can be ready before the old one goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    number: u32,
}

impl Run {
    /// Where the base appears by itself, or what of it is covered; the same for all of them.
    pub(crate) fn base() -> PathBuf {
        PathBuf::from(RUN).join("base")
    }

    /// What whoever changes mounts holds a lock on.
    pub(crate) fn lock() -> PathBuf {
        PathBuf::from(RUN).join("lock")
    }

    /// Where something is mounted that is wanted somewhere else.
    pub(crate) fn aside() -> PathBuf {
        PathBuf::from(RUN).join("aside")
    }

    /// The places of activations whose directories are there.
    pub(crate) fn all() -> Vec<Run> {
        let entries = fs::read_dir(sets()).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut all: Vec<Run> = numbers.map(|number| Run { number }).collect();
        all.sort();
        all
    }

    /// Places that none of these has.
    pub(crate) fn after(all: &[Run]) -> Run {
        Run { number: all.iter().map(|run| run.number + 1).max().unwrap_or(1) }
    }

    /// Those of the boot.
    pub const BOOT: Run = Run { number: 0 };

    /// Where the module index of base and extensions is written, as a layer.
    pub(crate) fn index(self) -> PathBuf {
        self.own().join("index")
    }

    /// Where an extension appears by itself.
    pub(crate) fn layer(self, extension: usize) -> PathBuf {
        self.own().join(extension.to_string())
    }

    /// The directory of this activation.
    pub(crate) fn own(self) -> PathBuf {
        sets().join(self.number.to_string())
    }
}

fn sets() -> PathBuf {
    PathBuf::from(RUN).join("sets")
}

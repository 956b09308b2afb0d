//! What lies where in the directory of a node's state, and the numbers of generations.
//!
//! ```text
//! blobs/sha256/HEX                  one blob
//! blobs/sha256/.tmp-HEX             the same, while it is written
//! generations/N/set.json            what the generation is made of, and the digests of all of it
//! generations/N/...                 the files that came with it: machine.yaml, index.json, trust/...
//! generations/.tmp-N                the same, while it is made
//! generations/.trash-N              a generation that is being removed
//! state.0, state.1                  the two slots of the state
//! .tmp-state.0, .tmp-state.1        the same, before there is a state
//! collecting                        garbage is being removed, or was when the power failed
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use spec::Digest;

/// The directory itself, for what is asked of its names.
pub const TOP: &str = ".";
/// The directory above that of the blobs, as OCI layouts have it.
pub const BLOBS_TOP: &str = "blobs";
/// The directory of the blobs.
pub const BLOBS: &str = "blobs/sha256";
/// The directory of the generations.
pub const GENERATIONS: &str = "generations";
/// The document of a generation.
pub const SET_FILE: &str = "set.json";
/// The slots of the state.
pub const SLOTS: [&str; 2] = ["state.0", "state.1"];
/// The same, while they are made.
pub const NEW_SLOTS: [&str; 2] = [".tmp-state.0", ".tmp-state.1"];
/// The mark of a collection that has begun and not ended.
pub const MARK: &str = "collecting";

/// How the name of something starts that is being made.
pub const TEMPORARY: &str = ".tmp-";
/// How the name of something starts that is being removed.
pub const TRASH: &str = ".trash-";

/// The number of a generation. [`Generation::BASE`], the base alone, is in no directory and always exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The base alone.
    pub const BASE: Generation = Generation(0);

    /// The generation with that number.
    pub const fn new(number: u64) -> Generation {
        Generation(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Is it the base alone?
    pub const fn is_base(self) -> bool {
        self.0 == 0
    }

    /// The one after it, if there is a number for it.
    pub fn next(self) -> Option<Generation> {
        self.0.checked_add(1).map(Generation)
    }

    /// Its directory.
    pub fn dir(self) -> String {
        format!("{GENERATIONS}/{self}")
    }

    /// Its directory while it is made.
    pub(crate) fn temporary(self) -> String {
        format!("{GENERATIONS}/{TEMPORARY}{self}")
    }

    /// Its directory while it is removed.
    pub(crate) fn trash(self) -> String {
        format!("{GENERATIONS}/{TRASH}{self}")
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The text is not the number of a generation that has a directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the number of a generation: expected 1 or more, without zeros in front")]
pub struct GenerationError(String);

impl FromStr for Generation {
    type Err = GenerationError;

    /// Each number has one form, so that no two directories are the same generation.
    fn from_str(text: &str) -> Result<Generation, GenerationError> {
        let wrong = || GenerationError(text.chars().take(40).collect());
        let sound = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        match sound {
            true => text.parse().map(Generation).map_err(|_| wrong()),
            false => Err(wrong()),
        }
    }
}

/// Where a blob is.
pub(crate) fn blob(digest: &Digest) -> String {
    format!("{BLOBS}/{}", digest.hex())
}

/// Where it is while it is written.
pub(crate) fn temporary_blob(digest: &Digest) -> String {
    format!("{BLOBS}/{TEMPORARY}{}", digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        assert_eq!("12".parse(), Ok(Generation::new(12)));
        for wrong in ["", "0", "012", "+1", "-1", " 1", "1.", "18446744073709551616", ".tmp-1"] {
            assert!(wrong.parse::<Generation>().is_err(), "{wrong}");
        }
    }
}

//! Does a kernel module fit a kernel?
//!
//! Builders read `.ko` files into [`Module`]s and keep them as a [`Record`] beside the image; a base carries its
//! kernel's exports as a [`Profile`]. [`judge`] holds the two against each other, at build time and at boot alike,
//! and is the only source of [`Fits`]. [`index`] then says to modprobe what base and extensions have together.
//!
//! Nothing here reads a file: callers bring bytes and text.

pub mod closure;
pub mod compress;
mod conflict;
mod crc;
mod elf;
pub mod index;
mod linkage;
mod modinfo;
mod module;
mod problem;
mod profile;
mod record;
mod symbols;
#[cfg(test)]
mod testing;
mod text;
mod verdict;

pub use closure::{ClosureError, closure};
pub use compress::{DecompressError, decompress};
pub use conflict::first_conflict;
pub use crc::{Crc, CrcError};
pub use index::ModuleIndex;
pub use module::{Export, Import, Module};
pub use problem::{ModuleError, ModuleProblem};
pub use profile::{KernelExport, Owner, Profile, ProfileError};
pub use record::{Record, RecordError};
pub use text::{Alias, InfoText, SymbolName, TextError};
pub use verdict::{Candidate, Fits, Verdict, judge, objections};

//! Does a kernel module fit a kernel?
//!
//! Builders read `.ko` files into [`Module`]s and keep them as a [`Record`] beside the image; a base carries its
//! kernel's exports as a [`Profile`]. [`judge`] holds the two against each other, at build time and at boot alike,
//! and is the only source of [`Fits`]. [`index`] then says to modprobe what base and extensions have together.
//!
//! Nothing here reads a file: callers bring bytes and text.

pub mod closure;
pub mod compress;
mod crc;
mod diff;
mod elf;
pub mod index;
mod kernel;
mod ksymtab;
mod module;
mod profile;
mod record;
pub mod signature;
#[cfg(test)]
mod testing;
mod text;
mod verdict;

pub use closure::{ClosureError, closure};
pub use compress::{DecompressError, decompress};
pub use crc::{Crc, CrcError};
pub use diff::{ChangeKind, Diff, ExportChange, diff};
pub use index::ModuleIndex;
pub use kernel::{BuiltinError, ImageError, KernelImage, build_id, certificate_key, read_builtins};
pub use module::{Btf, Export, Import, InfoEntry, Module, ModuleError, ModuleProblem, StructLayout};
pub use profile::{
    ConfigError, Exports, ExportsError, KernelExport, KernelFacts, KernelOption, KernelOptions, Owner,
    Profile, ProfileError, SymversError, TrustedKey,
};
pub use record::{Record, RecordError};
pub use signature::{KeyId, ModuleSignature};
pub use text::{Alias, InfoText, SymbolName, TextError};
pub use verdict::{Candidate, Fits, Host, SignatureRule, Verdict, first_conflict, judge, objections};

//! `kabi.db`, the binary form of a profile: small, the same bytes for the same profile, and fit to be searched where it
//! lies.
//!
//! All numbers are little-endian. A header of [`HEADER`] bytes comes first:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 4 | [`VERSION`] |
//! | 12 | 4 | architecture: `e_machine` of its ELF files |
//! | 16 | 8 | options that are known, each the bit with its number in [`KernelOption`](super::KernelOption) |
//! | 24 | 8 | which of these are on |
//! | 32 | 4 | size of `struct module`, 0 if it is not known |
//! | 36 | 4 | offset in it of the function that starts a module, [`NOWHERE`] if that is not known |
//! | 40 | 4 | the same for the function that ends it |
//! | 44 | 4 | size of the file |
//! | 48 | 96 | offset and length of each [`Table`], 4 bytes each |
//!
//! The tables follow in their order, each from the next multiple of 4 after zeros:
//!
//! | table | |
//! |---|---|
//! | release | text |
//! | vermagic | text, empty if it is not known |
//! | build id | hexadecimal digits, none if it is not known |
//! | tokens | 256 lengths of a byte, then the strings that the bytes stand for, in order |
//! | namespaces | list of those that some export is in |
//! | modules | list of those that export something, each behind its directory in the sources and `/`, if that is known |
//! | built-in modules | list |
//! | symbols | list of all exports |
//! | versions | CRC of each export, 4 bytes, 0 for none |
//! | owners | 2 bytes for each export: 0 for the kernel image, else 1 and the number of the module; bit 15: GPL only |
//! | scopes | for each export in a namespace: its number and that of the namespace, 4 bytes each, sorted |
//! | keys | number of keys, then subject, digest of the issuer's name, serial number, subject key id and public key of
//! each, each behind its length |
//!
//! A list is sorted, without repetition: the number of its strings, the offset of each block of [`BLOCK`] strings from
//! the end of these offsets, and the blocks. A string is the number of bytes that it has in common with the one before it
//! in its block, the number of bytes that follow here, and these bytes; both numbers have 7 bits in a byte, the lowest
//! first, with bit 7 set in all bytes but the last. Each of the bytes stands for a string of the table of tokens. So a
//! symbol is found by looking at the first strings of some blocks and then at those of one block.

mod list;
mod part;
mod read;
#[cfg(test)]
mod tests;
mod tokens;
mod write;

use spec::{Diagnose, Outcome};

pub(super) use read::read;
pub(super) use write::write;

/// How the file starts.
const MAGIC: &[u8; 8] = b"kabi.db\0";
/// The version of this layout.
const VERSION: u32 = 2;
/// Size of the header in bytes.
const HEADER: usize = 48 + 8 * Table::ALL.len();
/// Tables start at multiples of this, so that their numbers can be read in place.
const ALIGN: usize = 4;
/// The offset of a field that no module shows.
const NOWHERE: u32 = u32::MAX;
/// The bit of an owner that says that the export is for GPL-compatible modules only.
const GPL: u16 = 1 << 15;
/// Strings in a block of a list.
const BLOCK: usize = 16;
/// Longest string of a list in bytes: a directory and a module. Most strings are as many as exports.
const STRING_MAX: usize = 8192;
const STRINGS_MAX: usize = super::exports::EXPORTS_MAX;
/// Most keys; Debian's kernels have one or two.
const KEYS_MAX: u32 = 256;

/// A part of the file, by its place in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Release,
    Vermagic,
    BuildId,
    Tokens,
    Namespaces,
    Modules,
    Builtins,
    Symbols,
    Versions,
    Owners,
    Scopes,
    Keys,
}

impl Table {
    const ALL: [Table; 12] = [
        Table::Release,
        Table::Vermagic,
        Table::BuildId,
        Table::Tokens,
        Table::Namespaces,
        Table::Modules,
        Table::Builtins,
        Table::Symbols,
        Table::Versions,
        Table::Owners,
        Table::Scopes,
        Table::Keys,
    ];

    const fn name(self) -> &'static str {
        match self {
            Table::Release => "release",
            Table::Vermagic => "vermagic",
            Table::BuildId => "build id",
            Table::Tokens => "tokens",
            Table::Namespaces => "namespaces",
            Table::Modules => "modules",
            Table::Builtins => "built-in modules",
            Table::Symbols => "symbols",
            Table::Versions => "versions",
            Table::Owners => "owners",
            Table::Scopes => "scopes",
            Table::Keys => "keys",
        }
    }
}

/// The bytes are not a kernel profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// They start otherwise.
    #[error("the file does not start as a kernel profile does")]
    Magic,
    /// They are of another version of Tenon.
    #[error("the kernel profile has version {0}; this program reads {VERSION}")]
    Version(u32),
    /// Something in them is not as it must be.
    #[error("kernel profile, {part} at offset {offset:#x}: {complaint}")]
    Broken {
        /// The table, or the header.
        part: &'static str,
        /// Where in the file, in bytes.
        offset: usize,
        /// What is wrong there.
        complaint: String,
    },
}

impl Diagnose for ProfileError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            ProfileError::Version(found) if *found > VERSION => "use a newer version of this program".into(),
            _ => "make it again with extbuild kernel profile, or with the base that it is of".into(),
        })
    }
}

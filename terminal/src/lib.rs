//! How Tenon's programs speak to a person: errors with causes and a hint, tables, progress, man pages.
//!
//! Data goes to stdout and words to stderr. This is the one library that prints; the boot program, which must stay
//! small, does without it.

mod documents;
mod failure;
mod files;
mod output;
mod progress;

pub use documents::{Generate, GenerateError, generate};
pub use failure::{Failure, Place, run};
pub use files::{open_regular, read_regular};
pub use output::{OutputError, Table, hint, json, note, success, text, warning};
pub use progress::Progress;

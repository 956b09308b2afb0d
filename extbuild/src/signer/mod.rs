//! Who signs: a key in a file, or a program that asks whatever has the key. Behind [`signing::Signer`] they are the same.

mod program;
mod words;

pub(crate) use program::Program;

//! The builder: from a manifest to a signed artifact in a registry.
//!
//! [`pipeline`] tells how an extension is built, [`base`] how a base OS is. `commands` has one file for each
//! subcommand; [`cli`] has their arguments.

pub mod base;
mod base_dir;
pub mod cli;
mod commands;
mod granted;
mod ground;
mod kernel;
mod lint;
mod modules;
mod new_file;
pub mod packing;
pub mod pipeline;
mod plan;
mod registry_args;
pub mod root_hash;
mod source;
mod tree;
mod trust;

use signer::{key_file, passphrase};

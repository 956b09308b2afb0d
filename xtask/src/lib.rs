//! The project's chores as modules: what `cargo xtask …` does, each step usable by the next chore.
//!
//! A chore starts from a fresh Debian machine with Rust. [`packages`] brings the system's tools, [`inputs`] the real
//! kernels and firmware, [`programs`] our own programs, and [`vm`] boots what they made; [`demo`](mod@demo)
//! is the main job from start to end, [`test`](mod@test) the whole check, and [`bench`](mod@bench) the measurements.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for people; its progress is its output"
)]

pub mod apt;
pub mod bench;
pub mod boots;
pub mod cache;
pub mod command;
pub mod demo;
mod dependencies;
pub mod error;
pub mod fuzz;
pub mod inputs;
mod machine;
pub mod npm;
pub mod packages;
pub mod powercut;
pub mod programs;
pub mod progress;
pub mod record;
pub mod serial;
pub mod sources;
pub mod steps;
pub mod test;
#[cfg(feature = "truth")]
pub mod truth;
pub mod vm;
pub mod workspace;

pub use error::Error;

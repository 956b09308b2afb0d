//! Named places at which a test lets a program end, fail, or reset the machine.
//!
//! In every normal build a place does nothing and costs nothing.

#[cfg(all(feature = "fault-points", not(debug_assertions)))]
compile_error!("programs with faults that can be asked for are for tests: build them without --release");

use crate::error::StoreError;

/// Where a build for tests is told what to do: `NAME:kill`, `NAME:reboot` or `NAME:error`.
pub const SWITCH: &str = "TENON_FAULT";

/// All places, in the order in which a node comes to them.
pub const POINTS: &[&str] = &[
    "open.locked",
    "open.dir-made",
    "open.slot-written",
    "open.slot-named",
    "put.started",
    "put.written",
    "put.synced",
    "put.named",
    "put.durable",
    "stage.checked",
    "stage.dir-made",
    "stage.file-synced",
    "stage.set-synced",
    "stage.dir-synced",
    "stage.named",
    "stage.durable",
    "state.decided",
    "state.written",
    "boot.counted",
    "collect.chosen",
    "collect.marked",
    "collect.trashed",
    "collect.trash-durable",
    "collect.tree-removed",
    "collect.blob-removed",
    "collect.swept",
    "collect.unmarked",
];

/// The program passes a place.
///
/// # Errors
/// None, but where a test asks for one.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) const fn point(_: &'static str) -> Result<(), StoreError> {
    Ok(())
}

/// The program passes a place, and does there what [`SWITCH`] says.
#[cfg(feature = "fault-points")]
pub(crate) fn point(name: &'static str) -> Result<(), StoreError> {
    use rustix::process::{Signal, getpid, kill_process};
    use rustix::system::{RebootCommand, reboot};

    assert!(POINTS.contains(&name), "{name} is not listed");
    let asked = std::env::var(SWITCH).unwrap_or_default();
    match asked.split_once(':') {
        Some((place, "kill")) if place == name => {
            // A signal to oneself arrives before the call returns (signal(7)).
            let _ = kill_process(getpid(), Signal::KILL);
            Err(StoreError::Fault(name))
        }
        Some((place, "reboot")) if place == name => {
            // Without a sync before it: that is the point.
            let _ = reboot(RebootCommand::Restart);
            Err(StoreError::Fault(name))
        }
        Some((place, "error")) if place == name => Err(StoreError::Fault(name)),
        _ => Ok(()),
    }
}

//! Named places of the boot at which a test lets it go wrong as a bug would, beside those of [`generations::fault`]. In every
//! normal build a place does nothing and costs nothing.

/// The boot passes a place.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) const fn point(_: &'static str) {}

/// The boot passes a place, and panics there if [`generations::fault::SWITCH`] says `NAME:panic`: the kernel gives what it
/// does not know of its command line to its first process as environment (kernel-parameters.txt).
#[cfg(feature = "fault-points")]
pub(crate) fn point(name: &'static str) {
    let asked = std::env::var(generations::fault::SWITCH).unwrap_or_default();
    if asked.strip_suffix(":panic") == Some(name) {
        panic!("asked for at {name}");
    }
}

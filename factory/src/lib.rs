//! Bootable media: a base, a machine config, a trust policy and a layout of extensions become one ISO image that
//! UEFI firmware starts from a CD drive or a USB stick.
//!
//! ```text
//! Schematic ─read▶ base, machine config, policy, layout ─plan▶ Plan ─write▶ ISO image
//! ```
//!
//! | on the medium | what | who checks it |
//! |---|---|---|
//! | EFI system partition, `EFI/BOOT/BOOTX64.EFI` | unified kernel image: kernel, command line, initramfs | the firmware, if it is signed |
//! | `/tenon/root.squashfs` | root image of the base | the boot program, by the digest in the initramfs |
//! | `/tenon/store/` | OCI layout: the extensions and their signatures | the boot program, by the trust policy in the initramfs |
//! | `/tenon/machine.yaml` | machine config: it only chooses among what is trusted | – |
//!
//! [`compose`] tells the story. `cpio`, `uki`, `esp` and `iso` each write one format and know nothing else.

pub mod base;
pub mod cli;
mod compose;
pub mod cpio;
mod error;
pub mod esp;
pub mod initramfs;
mod inputs;
pub mod iso;
mod pe;
mod plan;
pub mod runtime;
pub mod schematic;
mod secure_boot;
mod select;
mod signature;
#[cfg(test)]
mod testing;
pub mod uki;

pub use compose::{Composed, Step, compose, plan, write};
pub use error::ComposeError;
pub use inputs::Inputs;
pub use pe::{PeError, is_uefi_program};
pub use plan::{COMMAND_LINE_MAX, DEFAULT_KERNEL_ARGS, Plan};
pub use schematic::Schematic;
pub use secure_boot::{SecureBoot, SecureBootError};
pub use select::Selected;

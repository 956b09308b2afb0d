//! Kernel images: what a kernel says of itself, with nothing beside it but its modules.
//!
//! An image is a `vmlinux`, the ELF file that the build links, or a `vmlinuz` for x86, which has one inside. The images
//! that boot on arm64 have no sections any more, so there is nothing to be read from them.

mod builtin;
mod certificates;
mod exports;
mod notes;
mod problem;
mod vmlinux;
mod vmlinuz;

use std::collections::BTreeMap;

use spec::{Arch, KernelRelease};

pub use builtin::{BuiltinError, read_builtins};
pub use certificates::key as certificate_key;
pub use problem::ImageError;

pub use notes::build_id;

use spec::BuildId;

use crate::{Export, SymbolName, TrustedKey};
use vmlinux::Vmlinux;

const MAX_BYTES: usize = 1 << 30;

/// What a kernel image says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelImage {
    /// `uname -r` of it.
    pub release: KernelRelease,
    /// Its architecture.
    pub arch: Arch,
    /// Which build of the release it is, if the build says so.
    pub build_id: Option<BuildId>,
    /// What it exports, without its modules.
    pub exports: BTreeMap<SymbolName, Export>,
    /// The keys that are built into it.
    pub keys: Vec<TrustedKey>,
}

impl KernelImage {
    /// Largest image, in bytes, packed or not: with debug information, vmlinux has hundreds of megabytes.
    pub const MAX_BYTES: u64 = MAX_BYTES as u64;

    /// Reads a `vmlinux`, or a `vmlinuz` for x86 that is packed with gzip, xz, zstd or lz4.
    pub fn parse(bytes: &[u8]) -> Result<KernelImage, ImageError> {
        match vmlinuz::unpack(bytes)? {
            Some(unpacked) => read(&Vmlinux::parse(&unpacked)?),
            None => read(&Vmlinux::parse(bytes)?),
        }
    }
}

fn read(vmlinux: &Vmlinux<'_>) -> Result<KernelImage, ImageError> {
    Ok(KernelImage {
        release: vmlinux.release()?,
        arch: vmlinux.arch,
        build_id: vmlinux.build_id()?,
        exports: exports::read(vmlinux)?,
        keys: certificates::find(vmlinux.section(".init.data")?.map_or(&[], |section| section.data)),
    })
}

#[cfg(test)]
mod tests;

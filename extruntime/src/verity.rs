//! An image that stays where it is: the kernel shows its blocks through dm-verity, each only if the signed root hash
//! stands for it.
//!
//! That costs the same for any size, and no memory. What is behind it may change or vanish at any time; then reads fail,
//! and never give other bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use spec::verity::{BLOCK_SIZE, RootHashSignature, VerityFacts};
use squash::image::Source;

use crate::cannot::{Cannot, cannot};
use crate::sys::device_mapper::{Mapped, Mapper, Target};
use crate::sys::keyring::Lent;
use crate::sys::loopdev::LoopDevice;

/// Bytes of a sector, the unit of every device-mapper table (linux/types.h).
const SECTOR: u64 = 512;
/// The target of the kernel (drivers/md/dm-verity-target.c).
const TARGET: &str = "verity";

/// The kernel's dm-verity.
#[derive(Debug)]
pub(crate) struct Verity(Mapper);

impl Verity {
    /// dm-verity, where this kernel has it. Loading modules is the business of whoever made the initramfs.
    pub(crate) fn find() -> Option<Verity> {
        let mapper = Mapper::open().ok()?;
        mapper.has_target(TARGET).then_some(Verity(mapper))
    }

    /// Shows the data of an image. With a signature of the root hash the kernel shows it only if it knows who signed.
    pub(crate) fn open(
        &self,
        source: &File,
        facts: &VerityFacts,
        signature: Option<&RootHashSignature>,
    ) -> Result<VerityImage, Cannot> {
        let failed = |error: io::Error| cannot("open through dm-verity", "an image")(error);
        let blocks = facts.data_blocks().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?.get();
        let backing = LoopDevice::attach(source).map_err(cannot("attach an image to", "a loop device"))?;
        let sectors = blocks * (BLOCK_SIZE / SECTOR);
        let name = format!("tenon:{}", facts.root_hash.hex());
        let lent = signature.map(|signature| Lent::new(&name, signature.as_der())).transpose();
        let lent = lent.map_err(failed)?;
        let parameters = parameters(backing.path(), facts, blocks, lent.as_ref().map(Lent::name));
        let target = Target { kind: TARGET, sectors, parameters: &parameters };
        let mapped = self.0.create(&format!("tenon-{}", facts.root_hash.hex()), &target).map_err(failed)?;
        Ok(VerityImage { mapped, size: blocks * BLOCK_SIZE })
    }
}

/// A line of a device-mapper table (Linux Documentation/admin-guide/device-mapper/verity.rst, "Construction Parameters").
/// The superblock takes the first block after the data, and the tree begins behind it.
fn parameters(device: &Path, facts: &VerityFacts, blocks: u64, signature: Option<&str>) -> String {
    let VerityFacts { root_hash, salt, .. } = facts;
    let (device, root_hash) = (device.display(), root_hash.hex());
    let tree = blocks + 1;
    // How many words follow, and then a name under which the kernel finds the signature.
    let signature = signature.map(|name| format!(" 2 root_hash_sig_key_desc {name}")).unwrap_or_default();
    format!(
        "1 {device} {device} {BLOCK_SIZE} {BLOCK_SIZE} {blocks} {tree} sha256 {root_hash} {salt}{signature}"
    )
}

/// The data of an image, as far as its root hash stands for it.
#[derive(Debug)]
pub(crate) struct VerityImage {
    mapped: Mapped,
    size: u64,
}

impl VerityImage {
    /// The device node.
    pub(crate) fn device(&self) -> &Path {
        self.mapped.path()
    }
}

/// What is behind the data is the tree, which nobody but the kernel reads.
impl Source for VerityImage {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self.mapped.file(), buffer, at)
    }
}

#[cfg(test)]
mod tests {
    use spec::Digest;
    use spec::verity::Salt;

    use super::*;

    #[test]
    fn the_table_is_what_the_kernel_documents() {
        let facts =
            VerityFacts { root_hash: Digest::of(b"x"), salt: Salt::new([0xab; 32]), hash_offset: 8192 };
        let expected = format!(
            "1 /dev/loop7 /dev/loop7 4096 4096 2 3 sha256 {} {}",
            Digest::of(b"x").hex(),
            "ab".repeat(32)
        );
        assert_eq!(parameters(Path::new("/dev/loop7"), &facts, 2, None), expected);
        let signed = parameters(Path::new("/dev/loop7"), &facts, 2, Some("tenon:x"));
        assert_eq!(signed, format!("{expected} 2 root_hash_sig_key_desc tenon:x"));
    }
}

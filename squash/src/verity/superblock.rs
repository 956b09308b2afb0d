//! The verity superblock on disk: `struct verity_sb` of cryptsetup, lib/verity/verity.c.

use spec::Hasher;
use spec::verity::Salt;

use super::{BLOCK, HASH};

/// The fields and where each begins; all little-endian. The structure has 512 bytes, the rest of its block is zero.
const FIELDS: [(&str, usize); 13] = [
    ("signature", 0),
    ("version", 8),
    ("hash type", 12),
    ("UUID", 16),
    ("hash algorithm", 32),
    ("data block size", 64),
    ("hash block size", 68),
    ("number of data blocks", 72),
    ("salt size", 80),
    ("padding", 82),
    ("salt", 88),
    ("padding after the salt", 88 + HASH),
    ("padding after the superblock", 512),
];
/// What every verity area begins with.
pub const MAGIC: &[u8; 8] = b"verity\0\0";
const VERSION: u32 = 1;
/// Salt before block; 0 is the format of Chromium OS, with the salt at the end.
const HASH_TYPE: u32 = 1;
const ALGORITHM: &[u8; 32] = b"sha256\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// What a verity superblock says that is not the same in all of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superblock {
    /// What tools call the volume by.
    pub uuid: [u8; 16],
    /// How many blocks of 4096 bytes the tree is about.
    pub data_blocks: u64,
    /// What is hashed before each block.
    pub salt: Salt,
}

impl Superblock {
    /// The superblock for a tree with this root, whose UUID follows from the root: of RFC 9562's version 8 (section
    /// 5.8), which leaves all but six bits to whoever makes one.
    pub(super) fn new(root: spec::Digest, data_blocks: u64, salt: Salt) -> Superblock {
        let mut hasher = Hasher::new();
        hasher.update(b"tenon verity uuid 1\0");
        hasher.update(root.as_bytes());
        let digest = hasher.finish();
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&digest.as_bytes()[..16]);
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        Superblock { uuid, data_blocks, salt }
    }

    /// The block that begins a verity area.
    pub fn to_block(self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &HASH_TYPE.to_le_bytes());
        put(16, &self.uuid);
        put(32, ALGORITHM);
        put(64, &(BLOCK as u32).to_le_bytes());
        put(68, &(BLOCK as u32).to_le_bytes());
        put(72, &self.data_blocks.to_le_bytes());
        put(80, &(HASH as u16).to_le_bytes());
        put(88, self.salt.as_bytes());
        block
    }

    /// Reads the block that begins a verity area.
    ///
    /// # Errors
    /// [`SuperblockError`] unless it is one that [`Superblock::to_block`] writes: another hash, another block size,
    /// a salt of another length and anything in the padding are all refused.
    pub fn read(block: &[u8; BLOCK]) -> Result<Superblock, SuperblockError> {
        let superblock = Superblock {
            uuid: take(block, 16),
            data_blocks: u64::from_le_bytes(take(block, 72)),
            salt: Salt::new(take(block, 88)),
        };
        superblock.must_be(block)?;
        Ok(superblock)
    }

    /// Refuses a block that says anything else than this superblock.
    pub(super) fn must_be(self, block: &[u8; BLOCK]) -> Result<(), SuperblockError> {
        let Some(at) = self.to_block().iter().zip(block).position(|(ours, theirs)| ours != theirs) else {
            return Ok(());
        };
        let name = FIELDS.iter().rev().find(|(_, start)| *start <= at).map_or("", |(name, _)| name);
        Err(SuperblockError(name))
    }
}

fn take<const N: usize>(block: &[u8; BLOCK], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&block[at..at + N]);
    field
}

/// The block is no verity superblock, or not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {0} of the verity superblock is not the expected one")]
pub struct SuperblockError(&'static str);

#[cfg(test)]
mod tests {
    use spec::Digest;

    use super::*;

    fn sample() -> Superblock {
        Superblock::new(Digest::of(b"root"), 0x0102_0304, Salt::new([7; 32]))
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Superblock::read(&sample().to_block()), Ok(sample()));
        assert_eq!(Superblock::read(&[0; BLOCK]), Err(SuperblockError("signature")));
    }

    #[test]
    fn the_uuid_is_one_of_version_8() {
        for root in 0..32u8 {
            let uuid = Superblock::new(Digest::of(&[root]), 1, Salt::new([0; 32])).uuid;
            assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (8, 2));
        }
    }

    #[test]
    fn every_other_byte_is_refused_and_named() {
        for at in 0..BLOCK {
            let mut block = sample().to_block();
            block[at] ^= 0x10;
            let named = match at {
                0..8 => "signature",
                8..12 => "version",
                12..16 => "hash type",
                16..32 => "UUID",
                32..64 => "hash algorithm",
                64..68 => "data block size",
                68..72 => "hash block size",
                72..80 => "number of data blocks",
                80..82 => "salt size",
                82..88 => "padding",
                88..120 => "salt",
                120..512 => "padding after the salt",
                _ => "padding after the superblock",
            };
            assert_eq!(sample().must_be(&block), Err(SuperblockError(named)), "{at}");
            let is_free = matches!(named, "UUID" | "number of data blocks" | "salt");
            assert_eq!(Superblock::read(&block).is_ok(), is_free, "{at}");
        }
    }
}

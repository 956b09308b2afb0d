//! The choices besides the tree that the bytes of an image depend on.

use spec::{Diagnose, Outcome};

/// How an image is written. The default is what images are built with unless somebody chooses otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The time of every inode and of the image: seconds since 1970-01-01 UTC. 0 by default.
    pub mtime: u32,
    /// How hard to compress.
    pub level: Level,
    /// The unit in which file content is compressed and read.
    pub block_size: BlockSize,
}

/// A zstd compression level, 1 to 22 (`ZSTD_maxCLevel()` of zstd 1.5). 9 by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(i32);

impl Level {
    /// Checks that zstd has the level.
    pub fn new(level: i32) -> Result<Level, OptionsError> {
        if (1..=22).contains(&level) { Ok(Level(level)) } else { Err(OptionsError::Level(level)) }
    }

    /// The level as zstd counts it.
    pub fn get(self) -> i32 {
        self.0
    }
}

impl Default for Level {
    fn default() -> Level {
        Level(9)
    }
}

/// A block size in bytes: a power of two from 4 KiB to 1 MiB (Linux fs/squashfs/squashfs_fs.h,
/// `SQUASHFS_FILE_MAX_SIZE`; the lower bound is mksquashfs's). 128 KiB by default: larger blocks make smaller images
/// whose cold reads decompress more than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSize(u32);

impl BlockSize {
    /// Checks that squashfs has the block size.
    pub fn new(bytes: u32) -> Result<BlockSize, OptionsError> {
        let allowed = bytes.is_power_of_two() && (4 << 10..=1 << 20).contains(&bytes);
        if allowed { Ok(BlockSize(bytes)) } else { Err(OptionsError::BlockSize(bytes)) }
    }

    /// The size in bytes.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Its logarithm to base 2: 12 to 20.
    pub(crate) fn log2(self) -> u16 {
        self.0.trailing_zeros() as u16
    }
}

impl Default for BlockSize {
    fn default() -> BlockSize {
        BlockSize(128 << 10)
    }
}

/// A choice that squashfs or zstd does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not a zstd level.
    #[error("compression level {0} is not within 1 to 22")]
    Level(i32),
    /// Not a squashfs block size.
    #[error("block size {0} is not a power of two from 4096 to 1048576 bytes")]
    BlockSize(u32),
}

impl Diagnose for OptionsError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sizes_and_levels_that_exist_are_taken() {
        for log in 12..=20 {
            let size = BlockSize::new(1 << log).unwrap();
            assert_eq!((size.get(), size.log2()), (1 << log, log));
        }
        for size in [0, 1, 2048, 4097, 3 << 12, 2 << 20, u32::MAX] {
            assert_eq!(BlockSize::new(size), Err(OptionsError::BlockSize(size)));
        }
        for level in [i32::MIN, -1, 0, 23] {
            assert_eq!(Level::new(level), Err(OptionsError::Level(level)));
        }
        assert_eq!(Level::new(22).map(Level::get), Ok(22));
    }
}

//! The choices besides the tree that the bytes of an image depend on.

use std::fmt;
use std::str::FromStr;

use spec::{Diagnose, Outcome, TreePath};

use crate::format::{self, BLOCK_LOGS};
use crate::{Node, Tree};

/// How an image is written. The default is what images are built with unless somebody chooses otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The time of every inode and of the image: seconds since 1970-01-01 UTC, as squashfs has them until 2106. 0 by
    /// default.
    pub mtime: u32,
    /// How to compress.
    pub compression: Compression,
    /// The unit in which file content is compressed and read.
    pub block_size: BlockSize,
    /// The image is followed by its verity area, by which the kernel can check it.
    pub verity: bool,
}

impl Default for Options {
    fn default() -> Options {
        let (compression, block_size) = (Compression::default(), BlockSize::default());
        Options { mtime: 0, compression, block_size, verity: true }
    }
}

/// How blocks are compressed. squashfs 4.0 has more; these are the ones that somebody would still choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// For every kernel since 4.14: the smallest but for xz, and read twice as fast as gzip.
    #[default]
    Zstd,
    /// zlib streams, for any kernel.
    Gzip,
    /// LZMA2, since Linux 2.6.38: small, and slow to read.
    Xz,
    /// LZ4 blocks, since Linux 3.19: large, and the fastest to read.
    Lz4,
}

impl Method {
    const ALL: [(Method, &'static str); 4] =
        [(Method::Zstd, "zstd"), (Method::Gzip, "gzip"), (Method::Xz, "xz"), (Method::Lz4, "lz4")];

    /// The levels that it has, and the one that is taken unless somebody chooses.
    fn levels(self) -> (std::ops::RangeInclusive<u8>, u8) {
        match self {
            // zstd.h, ZSTD_maxCLevel() of zstd 1.5; docs/benchmarks.md has the reasons for the default.
            Method::Zstd => (1..=22, 9),
            // zlib.h, Z_BEST_SPEED and Z_BEST_COMPRESSION, which is mksquashfs's default.
            Method::Gzip => (1..=9, 9),
            // lzma/container.h, lzma_easy_encoder: presets and LZMA_PRESET_DEFAULT.
            Method::Xz => (0..=9, 6),
            Method::Lz4 => (0..=0, 0),
        }
    }

    /// As the superblock says it.
    pub(crate) fn id(self) -> u16 {
        match self {
            Method::Zstd => format::compression::ZSTD,
            Method::Gzip => format::compression::GZIP,
            Method::Xz => format::compression::XZ,
            Method::Lz4 => format::compression::LZ4,
        }
    }

    /// The method that a superblock names.
    pub(crate) fn of_id(id: u16) -> Option<Method> {
        Method::ALL.map(|(method, _)| method).into_iter().find(|method| method.id() == id)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Method::ALL.iter().find(|(method, _)| method == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Method {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Method, OptionsError> {
        let known = Method::ALL.iter().find(|(_, name)| *name == text);
        known.map(|(method, _)| *method).ok_or_else(|| OptionsError::Method(text.to_owned()))
    }
}

/// A method and a level that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compression {
    method: Method,
    level: u8,
}

impl Compression {
    /// Checks that the method has the level; without one it is the method's default.
    pub fn new(method: Method, level: Option<u8>) -> Result<Compression, OptionsError> {
        let (levels, default) = method.levels();
        match level.unwrap_or(default) {
            level if levels.contains(&level) => Ok(Compression { method, level }),
            level => Err(OptionsError::Level { method, level, least: *levels.start(), most: *levels.end() }),
        }
    }

    /// The method.
    pub fn method(self) -> Method {
        self.method
    }

    /// The level as the method counts it.
    pub fn level(self) -> u8 {
        self.level
    }
}

impl Default for Compression {
    fn default() -> Compression {
        let method = Method::default();
        Compression { method, level: method.levels().1 }
    }
}

/// A block size in bytes: a power of two from 4 KiB to 1 MiB. Larger blocks make smaller images whose cold reads
/// decompress more than was asked for (docs/benchmarks.md). 128 KiB by default, which is mksquashfs's too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockSize(u32);

impl BlockSize {
    /// Checks that squashfs has the block size.
    pub fn new(bytes: u32) -> Result<BlockSize, OptionsError> {
        match bytes.is_power_of_two() && BLOCK_LOGS.contains(&(bytes.trailing_zeros() as u16)) {
            true => Ok(BlockSize(bytes)),
            false => Err(OptionsError::BlockSize(bytes.to_string())),
        }
    }

    /// The size for what a tree holds: 256 KiB where most of the content is kernel modules, for boot waits for them and
    /// reads one here and one there; 1 MiB for firmware and programs, which are larger and are read from one end to the
    /// other. docs/benchmarks.md has the figures.
    pub fn suited_to(tree: &Tree) -> BlockSize {
        let (mut all, mut modules) = (0u64, 0u64);
        for (path, node) in tree.iter() {
            let Node::File { content, .. } = node else { continue };
            all = all.saturating_add(content.len());
            if is_module(path) {
                modules = modules.saturating_add(content.len());
            }
        }
        if modules > all / 2 { BlockSize(256 << 10) } else { BlockSize(1 << 20) }
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

/// Compressed or not, as depmod finds them (kmod, tools/depmod.c, `depmod_modules_search_file`).
fn is_module(path: &TreePath) -> bool {
    let name = path.file_name().unwrap_or_default();
    [".ko", ".ko.gz", ".ko.xz", ".ko.zst"].iter().any(|end| name.ends_with(end))
}

impl Default for BlockSize {
    fn default() -> BlockSize {
        BlockSize(128 << 10)
    }
}

impl fmt::Display for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            size if size >= 1 << 20 => write!(f, "{}M", size >> 20),
            size => write!(f, "{}K", size >> 10),
        }
    }
}

/// Bytes, or KiB and MiB with a `K` or `M`, as mksquashfs has them.
impl FromStr for BlockSize {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<BlockSize, OptionsError> {
        let (digits, unit) = match text.strip_suffix(['K', 'k']) {
            Some(digits) => (digits, 1 << 10),
            None => text.strip_suffix(['M', 'm']).map_or((text, 1), |digits| (digits, 1 << 20)),
        };
        let refused = || OptionsError::BlockSize(text.to_owned());
        let count: u32 = digits.parse().map_err(|_| refused())?;
        count.checked_mul(unit).and_then(|bytes| BlockSize::new(bytes).ok()).ok_or_else(refused)
    }
}

/// A choice that squashfs or the compressor does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not a method.
    #[error("{0} is not a compression; there are zstd, gzip, xz and lz4")]
    Method(String),
    /// Not a level of the method.
    #[error("compression level {level} is not within {least} to {most}, the levels of {method}")]
    Level {
        /// The method.
        method: Method,
        /// The level that it does not have.
        level: u8,
        /// Its lowest level.
        least: u8,
        /// Its highest.
        most: u8,
    },
    /// Not a squashfs block size.
    #[error("block size {0} is not a power of two from 4K to 1M")]
    BlockSize(String),
}

impl Diagnose for OptionsError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Mode};

    #[test]
    fn only_sizes_that_exist_are_taken() {
        for log in 12..=20 {
            let size = BlockSize::new(1 << log).unwrap();
            assert_eq!((size.get(), size.log2()), (1 << log, log));
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for size in [0, 1, 2048, 4097, 3 << 12, 2 << 20, u32::MAX] {
            assert!(BlockSize::new(size).is_err(), "{size}");
        }
        for text in ["", "K", "2M", "4097M", "4294967295K", "-4K", "4 K", "0x1000"] {
            assert_eq!(text.parse::<BlockSize>(), Err(OptionsError::BlockSize(text.to_owned())));
        }
    }

    #[test]
    fn modules_get_smaller_blocks_than_the_rest() {
        let tree = |files: &[(&str, usize)]| {
            let mut tree = Tree::new();
            for (path, len) in files {
                let content = Content::Bytes(vec![0; *len]);
                tree.insert(path.parse().unwrap(), Node::File { mode: Mode::FILE, content }).unwrap();
            }
            BlockSize::suited_to(&tree).get() >> 10
        };
        assert_eq!(tree(&[("/m/a.ko", 30), ("/m/b.ko.xz", 30), ("/f", 50)]), 256);
        assert_eq!(tree(&[("/m/a.ko", 50), ("/m/a.konfig", 60)]), 1024);
        assert_eq!(tree(&[]), 1024);
    }

    #[test]
    fn only_methods_and_levels_that_exist_are_taken() {
        for (method, least, most) in
            [(Method::Zstd, 1, 22), (Method::Gzip, 1, 9), (Method::Xz, 0, 9), (Method::Lz4, 0, 0)]
        {
            assert_eq!(method.to_string().parse(), Ok(method));
            assert_eq!(Method::of_id(method.id()), Some(method));
            for level in [least, most] {
                assert_eq!(Compression::new(method, Some(level)).unwrap().level(), level);
            }
            assert!(Compression::new(method, Some(most + 1)).is_err());
            assert!(Compression::new(method, None).is_ok());
        }
        assert!("lzo".parse::<Method>().is_err());
        assert_eq!([0, 2, 3, 7].map(Method::of_id), [None; 4]);
    }
}

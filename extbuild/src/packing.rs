//! How images are packed: what the command line chooses, and the cache of blocks.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::Args;
use squash::{BlockSize, Cache, Compression, Means, Method, Options};
use terminal::Failure;

/// Compression, and what it may use of the machine.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Packing")]
pub(crate) struct PackingArgs {
    /// How to compress: zstd, gzip, xz or lz4 [default: zstd]
    #[arg(long, value_name = "METHOD")]
    compression: Option<Method>,
    /// How hard to compress: zstd 1 to 22 [default: 9], gzip 1 to 9 [default: 9], xz 0 to 9 [default: 6]
    #[arg(long)]
    level: Option<u8>,
    /// The unit in which content is compressed and read: 4K to 1M [default: 128K for a base, 256K where most of
    /// the content is kernel modules, else 1M]
    #[arg(long, value_name = "SIZE")]
    block_size: Option<BlockSize>,
    /// Compress on so many threads [default: one for each processor]; the image is the same for any number
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Compress everything anew, and keep nothing for the next time
    #[arg(long)]
    no_cache: bool,
    /// Keep compressed blocks here for the next time [default: tenon/blocks in the user's cache directory]
    #[arg(long, value_name = "DIR", env = "TENON_CACHE_DIR")]
    cache_dir: Option<PathBuf>,
    /// Let the cache grow to so many bytes, or MiB and GiB with M and G [default: 2G]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    cache_size: Option<u64>,
}

/// Everything that [`squash::pack`] needs besides the tree.
#[derive(Debug)]
pub struct Packing {
    compression: Compression,
    block_size: Option<BlockSize>,
    threads: NonZero<usize>,
    cache: Option<Cache>,
}

impl Packing {
    /// What the bytes of the image depend on; `block_size` is what it has unless somebody chose.
    pub fn options(&self, block_size: BlockSize) -> Options {
        let block_size = self.block_size.unwrap_or(block_size);
        Options { compression: self.compression, block_size, ..Options::default() }
    }

    /// What there is to work with.
    pub fn means(&self) -> Means<'_> {
        Means { threads: self.threads, cache: self.cache.as_ref() }
    }
}

impl PackingArgs {
    pub(crate) fn into_packing(self) -> Result<Packing, Failure> {
        let compression = Compression::new(self.compression.unwrap_or_default(), self.level)?;
        let threads = self.jobs.unwrap_or(Means::of_this_machine().threads);
        Ok(Packing { compression, block_size: self.block_size, threads, cache: self.open_cache()? })
    }

    /// A directory that was named must do; where there is no usual one, or it is of no use, images are packed without.
    fn open_cache(self) -> Result<Option<Cache>, Failure> {
        let limit = self.cache_size.unwrap_or(Cache::LIMIT);
        match (self.no_cache, self.cache_dir) {
            (true, _) => Ok(None),
            (false, Some(dir)) => Ok(Some(Cache::open(&dir, limit)?)),
            (false, None) => {
                let cache = usual_dir().map(|dir| Cache::open(&dir, limit)).transpose();
                Ok(cache.unwrap_or_else(|error| {
                    terminal::warning(&format!("{}; going on without", spec::sentence(&error)));
                    None
                }))
            }
        }
    }
}

/// Where the XDG Base Directory Specification 0.8 has what can be made anew. A relative path there is to be ignored.
fn usual_dir() -> Option<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let caches = dir("XDG_CACHE_HOME").or_else(|| dir("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join(Path::new("tenon/blocks")))
}

pub(crate) fn byte_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['M', 'm']) {
        Some(digits) => (digits, 1 << 20),
        None => text.strip_suffix(['G', 'g']).map_or((text, 1), |digits| (digits, 1 << 30)),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    bytes.ok_or_else(|| "not a number of bytes, or of MiB or GiB with M or G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(["7", "3M", "2G"].map(|text| byte_size(text).unwrap()), [7, 3 << 20, 2 << 30]);
        for text in ["", "M", "-1", "1.5G", "99999999999999999999", "18446744073709551615G"] {
            assert!(byte_size(text).is_err(), "{text}");
        }
    }
}

//! Compressed blocks of earlier builds, so that a build after a small change compresses little.
//!
//! One file an entry, named by the hash of a block and of how it is compressed:
//!
//! ```text
//! DIR/4/fc0ffee…   32 bytes of checksum over name and content, then the compressed block; nothing after the
//!                  checksum says that the block is stored as it is
//! ```
//!
//! Entries appear by a rename and are never changed, so builds may share a cache, and may die at any time. They are not
//! synced: what a power cut tears fails its checksum and is made anew. Nothing that goes wrong here fails a build.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use spec::{Diagnose, Outcome};

use crate::compress::{Compressor, Stored};
use crate::{Options, PackError};

/// Entries are spread over so many directories, by the first digit of their names. Each may keep its part of the limit.
const SHARDS: usize = 16;

/// What the names of entries begin with while they are written.
const UNFINISHED: &str = ".new-";

/// An unfinished entry of this age is left over from a build that was killed.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Most bytes that are compressed to know a compressor: a few milliseconds of work.
const SAMPLE: u32 = 128 << 10;

/// A directory with compressed blocks.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    limit: u64,
    /// Shards that got an entry.
    grown: Mutex<[bool; SHARDS]>,
}

impl Cache {
    /// 2 GiB: the blocks of a dozen driver releases.
    pub const LIMIT: u64 = 2 << 30;

    /// Opens the cache at `dir`, which is created for its owner alone where it is not there. `limit` is how many bytes it
    /// may keep on disk; what was not used for the longest goes first, whenever a build has added something.
    ///
    /// What is in it becomes part of images, so it must belong to whoever uses it, and nobody else may write to it.
    pub fn open(dir: &Path, limit: u64) -> Result<Cache, CacheError> {
        let failed = |source| CacheError::Use { dir: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let meta = fs::metadata(dir).map_err(failed)?;
        let is_ours = meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0;
        match is_ours && meta.is_dir() {
            true => Ok(Cache { dir: dir.to_owned(), limit, grown: Mutex::new([false; SHARDS]) }),
            false => Err(CacheError::Foreign { dir: dir.to_owned() }),
        }
    }

    /// The entries that fit these options.
    pub(crate) fn blocks(&self, options: &Options) -> Result<Blocks<'_>, PackError> {
        let mut key = blake3::Hasher::new_derive_key("tenon squash 1: block and compression");
        let made = fingerprint(options)?;
        key.update(made.as_bytes());
        Ok(Blocks { cache: self, key })
    }

    /// Removes what is too much in the shards that grew, and what killed builds left there.
    pub(crate) fn trim(&self) {
        let Ok(grown) = self.grown.lock().map(|grown| *grown) else { return };
        for shard in (0..SHARDS).filter(|shard| grown[*shard]) {
            // What cannot be removed today can be removed by the next build.
            let _ = trim_shard(&self.dir.join(format!("{shard:x}")), self.limit / SHARDS as u64);
        }
    }

    fn read(&self, name: &Name, most: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(name.path(&self.dir))?;
        let mut bytes = Vec::with_capacity(most + blake3::OUT_LEN);
        (&mut file).take((most + blake3::OUT_LEN) as u64).read_to_end(&mut bytes)?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        // The time of the last use; where it cannot be set, the entry only goes earlier.
        let _ = futimens(&file, &Timestamps { last_access: omit, last_modification: now });
        Ok(bytes)
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        let shard = name.shard(&self.dir);
        DirBuilder::new().recursive(true).mode(0o700).create(&shard)?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&shard)?;
        file.write_all(name.checksum(content).as_bytes())?;
        file.write_all(content)?;
        file.persist(name.path(&self.dir))?;
        if let Ok(mut grown) = self.grown.lock() {
            grown[usize::from(name.0.as_bytes()[0] >> 4)] = true;
        }
        Ok(())
    }
}

/// The entries of a cache for one way to compress.
#[derive(Debug)]
pub(crate) struct Blocks<'a> {
    cache: &'a Cache,
    key: blake3::Hasher,
}

/// What the cache knows of a block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cached {
    /// Its compressed form.
    Compressed(Vec<u8>),
    /// It is not shorter when it is compressed.
    Raw,
}

impl Blocks<'_> {
    /// The name that the block has here.
    pub(crate) fn name(&self, block: &[u8]) -> Name {
        Name(self.key.clone().update(block).finalize())
    }

    /// The entry of a block with `len` bytes, if it is there and whole; a damaged one is removed.
    pub(crate) fn get(&self, name: &Name, len: usize) -> Option<Cached> {
        let bytes = self.cache.read(name, len).ok()?;
        let sound = bytes
            .split_at_checked(blake3::OUT_LEN)
            .filter(|(checksum, content)| name.checksum(content).as_slice() == *checksum);
        match sound {
            Some((_, [])) => Some(Cached::Raw),
            Some((_, content)) if content.len() < len => Some(Cached::Compressed(content.to_vec())),
            _ => {
                // If it cannot be removed it is damaged the next time too.
                let _ = fs::remove_file(name.path(&self.cache.dir));
                None
            }
        }
    }

    /// Keeps what became of a block. A cache that cannot be written to, because its disk is full say, keeps nothing.
    pub(crate) fn put(&self, name: &Name, stored: Stored<'_>) {
        let _ = self.cache.write(
            name,
            match stored {
                Stored::Compressed(bytes) => bytes,
                Stored::Raw(_) => &[],
            },
        );
    }
}

/// Name of an entry: a hash of the block and of how it is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name(blake3::Hash);

impl Name {
    fn shard(&self, dir: &Path) -> PathBuf {
        dir.join(&self.0.to_hex()[..1])
    }

    fn path(&self, dir: &Path) -> PathBuf {
        self.shard(dir).join(&self.0.to_hex()[1..])
    }

    /// Covers the name, so that an entry says nothing under another.
    fn checksum(&self, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_derive_key("tenon squash 1: cache entry");
        hasher.update(self.0.as_bytes()).update(content).finalize()
    }
}

/// Tells ways to compress apart: method, level, block size, and the compressor itself, for another release of it may
/// make something else. It is known by its version where it has one, and by what it makes of a sample.
fn fingerprint(options: &Options) -> Result<blake3::Hash, PackError> {
    let Options { mtime: _, compression, block_size, verity: _ } = options;
    // Numbers of changing length: matches of many distances and literals in between.
    let numbers = (0u32..).flat_map(|n| n.wrapping_mul(n).to_string().into_bytes());
    let sample: Vec<u8> = numbers.take(block_size.get().min(SAMPLE) as usize).collect();
    let mut compressor = Compressor::new(*compression, *block_size)?;
    let (Stored::Compressed(made) | Stored::Raw(made)) = compressor.store(&sample)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&compression.method().id().to_le_bytes());
    hasher.update(&[compression.level()]);
    hasher.update(&block_size.get().to_le_bytes());
    hasher.update(&zstd::zstd_safe::version_number().to_le_bytes());
    Ok(hasher.update(made).finalize())
}

fn trim_shard(shard: &Path, limit: u64) -> io::Result<()> {
    let mut entries = Vec::new();
    // The clock only decides what is kept, never what is in an image.
    let now = SystemTime::now();
    for entry in fs::read_dir(shard)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let used = meta.modified()?;
        if !entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            entries.push((used, meta.blocks() * 512, entry.path())); // st_blocks, inode(7)
        } else if now.duration_since(used).is_ok_and(|age| age > LEFT_OVER) {
            fs::remove_file(entry.path())?;
        }
    }
    entries.sort();
    let mut size: u64 = entries.iter().map(|(_, len, _)| len).sum();
    for (_, len, path) in entries {
        if size <= limit {
            break;
        }
        match fs::remove_file(path) {
            // Another build trims too.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => size -= len,
        }
    }
    Ok(())
}

/// The directory cannot be a cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made or looked at.
    #[error("cannot use the cache {}", dir.display())]
    Use {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others could put something into it.
    #[error("the cache {} belongs to somebody else, or others may write to it", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
}

impl Diagnose for CacheError {
    fn outcome(&self) -> Outcome {
        match self {
            CacheError::Use { .. } => Outcome::Unavailable,
            CacheError::Foreign { .. } => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("give another directory with --cache-dir, or build with --no-cache".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::BlockSize;

    fn cache(limit: u64) -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("blocks"), limit).unwrap();
        (dir, cache)
    }

    #[test]
    fn what_was_put_is_got_under_its_name_only() {
        let (_dir, cache) = cache(Cache::LIMIT);
        let blocks = cache.blocks(&Options::default()).unwrap();
        let (one, other) = (blocks.name(b"a block"), blocks.name(b"another block"));
        assert_eq!(blocks.get(&one, 7), None);
        blocks.put(&one, Stored::Compressed(b"short"));
        blocks.put(&other, Stored::Raw(b"another block"));
        assert_eq!(blocks.get(&one, 7), Some(Cached::Compressed(b"short".to_vec())));
        assert_eq!(blocks.get(&other, 13), Some(Cached::Raw));

        let larger = Options { block_size: BlockSize::new(1 << 20).unwrap(), ..Options::default() };
        assert_ne!(cache.blocks(&larger).unwrap().name(b"a block"), one);
    }

    #[test]
    fn a_damaged_or_misnamed_entry_is_not_believed_and_goes_away() {
        let (_dir, cache) = cache(Cache::LIMIT);
        let blocks = cache.blocks(&Options::default()).unwrap();
        let (name, other) = (blocks.name(b"a block"), blocks.name(b"another"));
        let path = name.path(&cache.dir);
        let damages: [fn(&mut Vec<u8>); 7] = [
            |bytes| bytes.truncate(31),
            |bytes| bytes.truncate(33),
            |bytes| bytes.truncate(32),
            |bytes| bytes[36] ^= 1,
            |bytes| bytes[0] ^= 1,
            |bytes| bytes.push(0),
            |bytes| bytes.clear(),
        ];
        for damage in damages {
            blocks.put(&name, Stored::Compressed(b"short"));
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, bytes).unwrap();
            assert_eq!(blocks.get(&name, 7), None);
            assert!(!path.exists());
        }
        blocks.put(&name, Stored::Compressed(b"short"));
        fs::create_dir_all(other.shard(&cache.dir)).unwrap();
        fs::copy(&path, other.path(&cache.dir)).unwrap();
        assert_eq!(blocks.get(&other, 7), None);
    }

    #[test]
    fn it_keeps_what_was_used_last_and_no_more_than_its_limit() {
        // Room for two entries of a disk block each.
        let (_dir, cache) = cache(SHARDS as u64 * 2 * 4096);
        let blocks = cache.blocks(&Options::default()).unwrap();
        // Names of one shard, with small entries.
        let names: Vec<Name> = (0u32..)
            .map(|n| blocks.name(&n.to_le_bytes()))
            .filter(|name| name.0.as_bytes()[0] >> 4 == 7)
            .take(3)
            .collect();
        for (age, name) in [30, 20, 10].into_iter().zip(&names) {
            blocks.put(name, Stored::Compressed(&[1; 68]));
            let used = SystemTime::now() - Duration::from_secs(age);
            File::open(name.path(&cache.dir)).unwrap().set_modified(used).unwrap();
        }
        let left_over = names[0].shard(&cache.dir).join(format!("{UNFINISHED}x"));
        File::create(&left_over).unwrap().set_modified(SystemTime::now() - 2 * LEFT_OVER).unwrap();
        assert!(blocks.get(&names[0], 100).is_some());
        cache.trim();
        let there: Vec<bool> = names.iter().map(|name| blocks.get(name, 100).is_some()).collect();
        assert_eq!((there, left_over.exists()), (vec![true, false, true], false));
    }

    #[test]
    fn a_cache_that_others_may_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Cache::open(dir.path(), 1), Err(CacheError::Foreign { .. })));
        assert!(matches!(Cache::open(Path::new("/proc/self/none"), 1), Err(CacheError::Use { .. })));
    }
}

//! The content of files, block by block.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use spec::{Diagnose, Outcome, TreePath};

use super::data::{DataFault, Flaw, Part};
use super::inode::{Body, File};
use super::{Entry, Image};
use crate::decompress::Decompressor;
use crate::format::{DATA_RAW, NO_FRAGMENT};

/// Streams the files of an image, in three blocks of memory. The last fragment block that was used is kept, so that
/// small files in the order of their paths, which share them, do not decompress it again and again.
pub struct Reader<'i> {
    image: &'i Image<'i>,
    blocks: Blocks<'i>,
    block: Vec<u8>,
    fragment: Vec<u8>,
    /// Which fragment block is in `fragment`, and how many bytes of it.
    current: Option<(u32, usize)>,
}

impl<'i> Reader<'i> {
    /// Fails only where there is no memory.
    pub(super) fn new(image: &'i Image<'i>) -> io::Result<Reader<'i>> {
        let place = vec![0; image.block_size() as usize];
        let blocks = Blocks::new(image)?;
        Ok(Reader { image, blocks, block: place.clone(), fragment: place, current: None })
    }

    /// Writes the content of the file at `path` and says how long it is. After an error a part of it is written.
    ///
    /// # Errors
    /// [`StreamError`]; every block must have exactly the length that the file needs.
    pub fn stream(&mut self, path: &TreePath, out: &mut dyn Write) -> Result<u64, StreamError> {
        let entry = self.image.entry(path).ok_or_else(|| StreamError::Missing(path.clone()))?;
        self.stream_entry(entry, out)
    }

    /// As [`Reader::stream`], also for an entry of this image that has no path.
    ///
    /// # Errors
    /// [`StreamError`]
    pub fn stream_entry(&mut self, entry: Entry<'i>, out: &mut dyn Write) -> Result<u64, StreamError> {
        let Body::File(file) = &entry.inode().body else {
            return Err(StreamError::NotAFile(entry.shown()));
        };
        self.content(file, out).map_err(|failure| failure.of(entry.shown()))?;
        Ok(file.size)
    }

    fn content(&mut self, file: &File, out: &mut dyn Write) -> Result<(), Failure> {
        let tail = self.whole_blocks(file, out)?;
        if file.fragment != NO_FRAGMENT {
            self.load(file.fragment)?;
            let range = self.tail(file, tail)?;
            out.write_all(&self.fragment[range]).map_err(Failure::Write)?;
        }
        Ok(())
    }

    /// Writes the blocks, and says how many bytes are left for the fragment.
    pub(super) fn whole_blocks(&mut self, file: &File, out: &mut dyn Write) -> Result<u64, Failure> {
        let mut left = file.size;
        let mut at = file.start;
        for (number, size) in (0..).zip(file.stored_sizes(&self.image.tables.inodes.bytes)) {
            let part = Part::Block(number);
            // No more than a block, which has its place in memory.
            let wanted = left.min(self.block.len() as u64) as usize;
            match size {
                0 => self.block[..wanted].fill(0),
                _ => {
                    let found = self.blocks.fetch(part, at, size, &mut self.block)?;
                    if found != wanted {
                        let flaw = Flaw::Length { found: found as u64, wanted: wanted as u64 };
                        return Err(Failure::Data(DataFault { part, flaw }));
                    }
                }
            }
            out.write_all(&self.block[..wanted]).map_err(Failure::Write)?;
            left -= wanted as u64;
            at = at.saturating_add(u64::from(size & !DATA_RAW));
        }
        Ok(left)
    }

    /// Makes a fragment block the current one.
    pub(super) fn load(&mut self, number: u32) -> Result<usize, Failure> {
        if let Some((current, len)) = self.current
            && current == number
        {
            return Ok(len);
        }
        self.current = None;
        let part = Part::Fragment(number);
        let missing = Failure::Data(DataFault { part, flaw: Flaw::Place });
        let fragment = self.image.tables.fragments.get(number as usize).ok_or(missing)?;
        let len = self.blocks.fetch(part, fragment.start, fragment.size, &mut self.fragment)?;
        self.current = Some((number, len));
        Ok(len)
    }

    /// Where the end of a file is in the current fragment block.
    pub(super) fn tail(&self, file: &File, len: u64) -> Result<Range<usize>, Failure> {
        let held = self.current.map_or(0, |(_, held)| held as u64);
        let end = u64::from(file.offset).saturating_add(len);
        if end > held {
            let flaw = Flaw::Length { found: held, wanted: end };
            return Err(Failure::Data(DataFault { part: Part::Fragment(file.fragment), flaw }));
        }
        Ok(file.offset as usize..end as usize)
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("image", &self.image).finish_non_exhaustive()
    }
}

/// Fetches blocks of an image.
struct Blocks<'i> {
    image: &'i Image<'i>,
    decompressor: Decompressor,
    stored: Vec<u8>,
}

impl<'i> Blocks<'i> {
    fn new(image: &'i Image<'i>) -> io::Result<Blocks<'i>> {
        let decompressor = Decompressor::new(image.layout.method)?;
        Ok(Blocks { image, decompressor, stored: vec![0; image.block_size() as usize] })
    }

    /// Puts a block into `place`, which has room for one, and says how long it is.
    fn fetch(&mut self, part: Part, at: u64, size: u32, place: &mut [u8]) -> Result<usize, Failure> {
        let fault = |flaw| Failure::Data(DataFault { part, flaw });
        let len = (size & !DATA_RAW) as usize;
        let data = &self.image.layout.data;
        let is_inside = at >= data.start && at.checked_add(len as u64).is_some_and(|end| end <= data.end);
        let stored = self.stored.get_mut(..len).filter(|_| is_inside).ok_or(fault(Flaw::Place))?;
        self.image.source.read_exact_at(stored, at).map_err(Failure::Read)?;
        if size & DATA_RAW != 0 {
            place[..len].copy_from_slice(stored);
            return Ok(len);
        }
        self.decompressor.decompress(stored, place).map_err(|_| fault(Flaw::Damaged))
    }
}

impl Image<'_> {
    /// Something that streams files out.
    ///
    /// # Errors
    /// Where there is no memory.
    pub fn reader(&self) -> io::Result<Reader<'_>> {
        Reader::new(self)
    }
}

/// Why a file could not be streamed, whatever its path.
pub(super) enum Failure {
    Data(DataFault),
    Read(io::Error),
    Write(io::Error),
}

impl Failure {
    fn of(self, path: String) -> StreamError {
        match self {
            Failure::Data(fault) => StreamError::Data { path, fault },
            Failure::Read(source) => StreamError::Read { path, source },
            Failure::Write(source) => StreamError::Write { path, source },
        }
    }
}

/// A file could not be streamed.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// There is nothing at the path.
    #[error("{0} is not in the image")]
    Missing(TreePath),
    /// It has no content.
    #[error("{0} is not a file")]
    NotAFile(String),
    /// The image is damaged there.
    #[error("{path}: {fault}")]
    Data {
        /// The file.
        path: String,
        /// Where and what.
        fault: DataFault,
    },
    /// The image cannot be read.
    #[error("{path}: the image cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The content could not be put where it should go.
    #[error("{path}: its content cannot be written")]
    Write {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Diagnose for StreamError {
    fn outcome(&self) -> Outcome {
        match self {
            StreamError::Missing(_) | StreamError::NotAFile(_) | StreamError::Data { .. } => Outcome::Refused,
            StreamError::Read { .. } | StreamError::Write { .. } => Outcome::Unavailable,
        }
    }
}

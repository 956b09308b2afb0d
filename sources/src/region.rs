//! A part of an open file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use squash::Content;

/// Some bytes of an open file, named by position: reading them moves nothing, and nothing is copied.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    file: Arc<File>,
    start: u64,
    len: u64,
}

impl Region {
    /// All of a file.
    pub(crate) fn whole(file: File) -> io::Result<Region> {
        let len = file.metadata()?.len();
        Ok(Region::new(Arc::new(file), 0, len))
    }

    /// `len` bytes from `start` on; the caller knows that the file has them.
    pub(crate) fn new(file: Arc<File>, start: u64, len: u64) -> Region {
        Region { file, start, len }
    }

    /// A part of this one, if it has that many bytes.
    pub(crate) fn part(&self, offset: u64, len: u64) -> Option<Region> {
        let end = offset.checked_add(len)?;
        (end <= self.len).then(|| Region::new(Arc::clone(&self.file), self.start + offset, len))
    }

    /// Number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills the buffer from `offset` on as far as there are bytes, and says how many there were.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut reader = Reader { region: self, offset };
        let mut filled = 0;
        while filled < buffer.len() {
            match reader.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Reads it from its first byte on.
    pub(crate) fn reader(&self) -> impl Read + '_ {
        Reader { region: self, offset: 0 }
    }

    /// Its bytes as those of a file.
    pub(crate) fn content(&self) -> Content {
        Content::Span { file: Arc::clone(&self.file), offset: self.start, len: self.len }
    }
}

struct Reader<'a> {
    region: &'a Region,
    offset: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.region.len.saturating_sub(self.offset);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let position = self.region.start.saturating_add(self.offset);
        let count = self.region.file.read_at(&mut buffer[..wanted], position)?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::region;

    #[test]
    fn parts_end_where_the_whole_ends() {
        let whole = region(b"0123456789");
        let part = whole.part(2, 5).unwrap();
        assert_eq!(io::read_to_string(part.reader()).unwrap(), "23456");
        let inner = part.part(1, 4).unwrap();
        assert_eq!(io::read_to_string(inner.content().open().unwrap()).unwrap(), "3456");
        let mut buffer = [0; 4];
        assert_eq!((part.read_at(3, &mut buffer).unwrap(), &buffer[..2]), (2, &b"56"[..]));
        assert!(part.part(3, 3).is_none());
        assert!(part.part(u64::MAX, 2).is_none());
        assert_eq!(part.part(5, 0).unwrap().len(), 0);
    }
}

//! From one header of an archive to the next.

use super::header::{BLOCK, Block, Header};
use crate::error::Problem;
use crate::region::Region;

/// Most bytes that a header for the next entry may have. Names need sixteen times less than a tenth of it (`PATH_MAX`);
/// the rest is for the maps of files with many holes.
const MAX_BODY: u64 = 1 << 20;

/// How much of the end is looked at at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A position in an archive.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    archive: &'a Region,
    position: u64,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(archive: &'a Region) -> Blocks<'a> {
        Blocks { archive, position: 0 }
    }

    /// The next header, or nothing at the end of a sound archive.
    ///
    /// The end is two blocks of zeros (POSIX, pax, "ustar Interchange Format"), or that of the file: umoci writes layers
    /// without the zeros, and all readers take them.
    pub(super) fn next_header(&mut self) -> Result<Option<Header>, Problem> {
        if self.position == self.archive.len() {
            return Ok(None);
        }
        let block = self.next()?;
        match block == [0; BLOCK] {
            true => self.check_end().map(|()| None),
            false => Ok(Some(Header::parse(&block)?)),
        }
    }

    /// The next block, whatever it is.
    pub(super) fn next(&mut self) -> Result<Block, Problem> {
        let mut block = [0; BLOCK];
        match self.archive.read_at(self.position, &mut block).map_err(Problem::Read)? {
            BLOCK => self.position += BLOCK as u64,
            _ => return Err("it ends inside a header".to_owned().into()),
        }
        Ok(block)
    }

    /// The next `size` bytes, which fill whole blocks.
    pub(super) fn data(&mut self, size: u64) -> Result<Region, Problem> {
        let blocks = size.checked_next_multiple_of(BLOCK as u64);
        let next = blocks.and_then(|blocks| self.position.checked_add(blocks));
        let fits = next.filter(|next| *next <= self.archive.len());
        match (fits, self.archive.part(self.position, size)) {
            (Some(next), Some(data)) => {
                self.position = next;
                Ok(data)
            }
            _ => Err("it ends inside an entry".to_owned().into()),
        }
    }

    /// What a header for the next entry says.
    pub(super) fn body(&mut self, header: &Header) -> Result<Vec<u8>, Problem> {
        let limit = match header.kind {
            super::Kind::Label => 0,
            _ => MAX_BODY,
        };
        if header.size > limit {
            return Err(format!("a header has {} bytes, and the limit is {limit}", header.size).into());
        }
        let data = self.data(header.size)?;
        let mut bytes = vec![0; data.len() as usize];
        match data.read_at(0, &mut bytes).map_err(Problem::Read)? {
            count if count == bytes.len() => Ok(bytes),
            _ => Err("it ends inside a header".to_owned().into()),
        }
    }

    /// What fills the last record is zeros too. One reader stops at the first block of them, another goes on behind it.
    fn check_end(&mut self) -> Result<(), Problem> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = self.archive.read_at(self.position, &mut chunk).map_err(Problem::Read)?;
            match chunk[..count].iter().all(|byte| *byte == 0) {
                true if count == 0 => return Ok(()),
                true => self.position += count as u64,
                false => return Err("something is behind its end".to_owned().into()),
            }
        }
    }
}

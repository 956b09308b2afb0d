//! Files with holes. GNU tar has written them in four ways, of which bsdtar reads all and writes the last (GNU tar,
//! "Storing Sparse Files"; libarchive, tar(5), "GNU tar archives"):
//!
//! | way | where the map is |
//! |---|---|
//! | before pax | in the header and in blocks behind it |
//! | pax 0.0 | in records `offset` and `numbytes`, again and again |
//! | pax 0.1 | in one record `map` |
//! | pax 1.0 | before the data |

use super::extended::{decimal, set, text};
use super::header::{BLOCK, Block, number};
use crate::error::Problem;
use crate::region::Region;
use crate::spool::Spool;

/// Most parts between the holes of one file: a part of 4 KiB at every 16 KiB of the largest archive.
const MAX_PARTS: usize = 1 << 20;

/// Where the parts of the old way are in the header, and in each of the blocks behind it; the byte behind them says
/// whether a block follows, and in the header the size of the file comes then (GNU tar, src/tar.h, `oldgnu_header` and
/// `sparse_header`).
const HEADER_PARTS: std::ops::Range<usize> = 386..482;
const BLOCK_PARTS: std::ops::Range<usize> = 0..504;
const REAL_SIZE: std::ops::Range<usize> = 483..495;
const PART_LEN: usize = 24;

/// Where the bytes of a file with holes are in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Map {
    real_size: u64,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    offset: u64,
    len: u64,
}

impl Map {
    /// Parts come in order, do not overlap and lie inside the file.
    ///
    /// All but the last fill whole blocks: GNU tar reads every part from a new block on, libarchive one right behind the
    /// other, and only so do both read the same.
    fn new(real_size: u64, mut parts: Vec<Part>) -> Result<Map, String> {
        parts.retain(|part| part.len > 0);
        let mut end = 0;
        for part in &parts {
            end = part
                .offset
                .checked_add(part.len)
                .filter(|_| part.offset >= end)
                .ok_or("the holes of a file overlap")?;
        }
        if end > real_size {
            return Err("a file with holes has bytes behind its end".to_owned());
        }
        let whole = parts.iter().rev().skip(1).all(|part| part.len % BLOCK as u64 == 0);
        whole
            .then_some(Map { real_size, parts })
            .ok_or_else(|| "a hole of a file begins inside a block".to_owned())
    }

    /// The whole file, holes and all.
    pub(super) fn expand(&self, data: &Region, spool: &mut Spool) -> Result<Region, Problem> {
        let mut regions = Vec::with_capacity(self.parts.len());
        let mut position = 0;
        for part in &self.parts {
            let region = data.part(position, part.len).ok_or_else(wrong_sum)?;
            regions.push((part.offset, region));
            position += part.len;
        }
        match data.len() {
            len if len != position => Err(wrong_sum().into()),
            len if len == self.real_size => Ok(data.clone()),
            _ => spool.add_sparse(self.real_size, regions.into_iter()),
        }
    }
}

fn wrong_sum() -> String {
    "the parts of a file with holes are not what is in the archive".to_owned()
}

/// Reads the map of the old way; `next` is the next block of the archive.
pub(super) fn of_header(
    header: &Block,
    mut next: impl FnMut() -> Result<Block, Problem>,
) -> Result<Map, Problem> {
    let wrong = || "the map of the holes of a file is malformed".to_owned();
    let real_size = number(&header[REAL_SIZE]).ok_or_else(wrong)?;
    let mut parts = Vec::new();
    let mut at_end = add_parts(&mut parts, &header[HEADER_PARTS]).ok_or_else(wrong)?;
    let mut goes_on = header[HEADER_PARTS.end] != 0;
    while goes_on {
        // The one reader stops at the first empty place, the other where no block follows.
        if at_end || parts.len() > MAX_PARTS {
            return Err(wrong().into());
        }
        let block = next()?;
        at_end = add_parts(&mut parts, &block[BLOCK_PARTS]).ok_or_else(wrong)?;
        goes_on = block[BLOCK_PARTS.end] != 0;
    }
    Ok(Map::new(real_size, parts)?)
}

/// Adds the parts of a table; says whether its last place was empty.
fn add_parts(parts: &mut Vec<Part>, table: &[u8]) -> Option<bool> {
    let mut at_end = false;
    for place in table.chunks_exact(PART_LEN) {
        let is_empty = place.iter().all(|byte| *byte == 0);
        if !is_empty {
            let (offset, len) = place.split_at(PART_LEN / 2);
            // GNU tar stops where the one begins with a NUL, libarchive where the other does.
            if at_end || offset[0] == 0 || len[0] == 0 {
                return None;
            }
            parts.push(Part { offset: number(offset)?, len: number(len)? });
        }
        at_end = is_empty;
    }
    Some(at_end)
}

/// What pax records say about the holes of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// The name of the file.
    pub name: Option<Vec<u8>>,
    real_size: Option<u64>,
    major: Option<u64>,
    minor: Option<u64>,
    count: Option<u64>,
    /// A part of which only the first half has come.
    offset: Option<u64>,
    parts: Vec<Part>,
}

impl Records {
    /// Takes in a record; `key` is what comes behind `GNU.sparse.`.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        match key {
            b"name" => set(&mut self.name, text(value)?),
            b"major" => set(&mut self.major, decimal(value)?),
            b"minor" => set(&mut self.minor, decimal(value)?),
            b"size" | b"realsize" => set(&mut self.real_size, decimal(value)?),
            b"numblocks" => set(&mut self.count, decimal(value)?),
            b"offset" => set(&mut self.offset, decimal(value)?),
            b"numbytes" => {
                let offset = self.offset.take().ok_or("a part of a file with holes has no offset")?;
                self.add(offset, decimal(value)?)
            }
            b"map" => {
                let mut numbers = value.split(|byte| *byte == b',');
                while let Some(offset) = numbers.next() {
                    let len = numbers.next().ok_or("a part of a file with holes has no size")?;
                    self.add(decimal(offset)?, decimal(len)?)?;
                }
                Ok(())
            }
            other => Err(format!("it has a file with holes of an unknown kind ({})", other.escape_ascii())),
        }
    }

    fn add(&mut self, offset: u64, len: u64) -> Result<(), String> {
        self.parts.push(Part { offset, len });
        match self.parts.len() > MAX_PARTS {
            true => Err(format!("a file has more than {MAX_PARTS} holes")),
            false => Ok(()),
        }
    }

    /// The map, and the data behind it where it is in the data.
    pub(super) fn map(self, data: Region) -> Result<(Map, Region), Problem> {
        let unknown = || "it has a file with holes of an unknown kind".to_owned();
        let Records { name: _, real_size, major, minor, count, offset, parts } = self;
        let real_size = real_size.ok_or_else(unknown)?;
        match (major.unwrap_or(0), minor.unwrap_or(0)) {
            (0, 0 | 1) if offset.is_none() && count == Some(parts.len() as u64) => {
                Ok((Map::new(real_size, parts)?, data))
            }
            (1, 0) if offset.is_none() && count.is_none() && parts.is_empty() => {
                let (parts, data) = leading_map(&data)?;
                Ok((Map::new(real_size, parts)?, data))
            }
            _ => Err(unknown().into()),
        }
    }
}

/// The map before the data: the number of parts, then offset and size of each, every number a line, and zeros up to the
/// end of the block.
fn leading_map(data: &Region) -> Result<(Vec<Part>, Region), Problem> {
    let mut lines = Lines { data, block: [0; BLOCK], position: 0 };
    let count = lines.next_number()?;
    if count > MAX_PARTS as u64 {
        return Err(format!("a file has more than {MAX_PARTS} holes").into());
    }
    let mut parts = Vec::new();
    for _ in 0..count {
        parts.push(Part { offset: lines.next_number()?, len: lines.next_number()? });
    }
    let len = lines.position.next_multiple_of(BLOCK as u64);
    let rest = data.len().checked_sub(len).and_then(|rest| data.part(len, rest));
    Ok((parts, rest.ok_or_else(wrong_sum)?))
}

/// Reads numbers from the start of the data, block by block.
struct Lines<'a> {
    data: &'a Region,
    block: Block,
    position: u64,
}

impl Lines<'_> {
    fn next_number(&mut self) -> Result<u64, Problem> {
        /// Digits of the largest number.
        const DIGITS: usize = 20;
        let mut line = Vec::new();
        loop {
            match self.next_byte()? {
                b'\n' => return Ok(decimal(&line)?),
                byte if line.len() < DIGITS => line.push(byte),
                _ => return Err("the map of the holes of a file is malformed".to_owned().into()),
            }
        }
    }

    fn next_byte(&mut self) -> Result<u8, Problem> {
        let at = (self.position % BLOCK as u64) as usize;
        if at == 0 && self.data.read_at(self.position, &mut self.block).map_err(Problem::Read)? < BLOCK {
            return Err("it ends inside the map of the holes of a file".to_owned().into());
        }
        self.position += 1;
        Ok(self.block[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(real_size: u64, parts: &[(u64, u64)]) -> Result<Map, String> {
        Map::new(real_size, parts.iter().map(|&(offset, len)| Part { offset, len }).collect())
    }

    #[test]
    fn parts_are_in_order_and_inside() {
        assert!(map(5000, &[(0, 512), (1024, 1024), (4900, 100), (5000, 0)]).is_ok());
        assert_eq!(map(100, &[(90, 11)]).unwrap_err(), "a file with holes has bytes behind its end");
        assert_eq!(map(5000, &[(512, 512), (1000, 1)]).unwrap_err(), "the holes of a file overlap");
        assert_eq!(map(5000, &[(u64::MAX, 2)]).unwrap_err(), "the holes of a file overlap");
        assert_eq!(map(5000, &[(0, 100), (512, 1)]).unwrap_err(), "a hole of a file begins inside a block");
    }
}

//! One nameless temporary file that holds the bytes of many.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::error::Problem;
use crate::region::Region;

/// Most bytes that one source may unpack to: twice the largest driver release there is, so that an archive of zeros
/// ends here and not when the disk is full. Holes count as the zeros that they are read as.
const MAX_BYTES: u64 = 16 << 30;

/// How much is copied at once, in bytes.
const CHUNK: usize = 256 << 10;

/// What had to be unpacked, one thing behind another, so that a source costs one file descriptor whatever it holds.
#[derive(Debug)]
pub(crate) struct Spool {
    /// Made when it is needed: most sources need none.
    file: Option<Arc<File>>,
    end: u64,
    limit: u64,
}

impl Spool {
    /// An empty one for one source.
    pub(crate) fn new() -> Spool {
        Spool { file: None, end: 0, limit: MAX_BYTES }
    }

    /// Takes all of `from`.
    pub(crate) fn add(&mut self, mut from: impl Read) -> Result<Region, Problem> {
        let file = self.file()?;
        let start = self.end;
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Problem::while_reading(error)),
            };
            let place = self.grow(count as u64)?;
            // Zeros become holes: an archive of nothing else costs no disk.
            if chunk[..count].iter().any(|byte| *byte != 0) {
                file.write_all_at(&chunk[..count], place).map_err(Problem::Temporary)?;
            }
        }
        file.set_len(self.end).map_err(Problem::Temporary)?;
        Ok(Region::new(file, start, self.end - start))
    }

    /// Makes a file of `len` bytes from these parts of it, in their order; what lies between them is holes.
    pub(crate) fn add_sparse(
        &mut self,
        len: u64,
        parts: impl Iterator<Item = (u64, Region)>,
    ) -> Result<Region, Problem> {
        let file = self.file()?;
        let start = self.grow(len)?;
        file.set_len(self.end).map_err(Problem::Temporary)?;
        let mut chunk = vec![0; CHUNK];
        for (offset, part) in parts {
            let mut done = 0;
            while done < part.len() {
                let count = part.read_at(done, &mut chunk).map_err(Problem::Read)?;
                if count == 0 {
                    return Err(Problem::Unsound("it became shorter while it was read".to_owned()));
                }
                file.write_all_at(&chunk[..count], start + offset + done).map_err(Problem::Temporary)?;
                done += count as u64;
            }
        }
        Ok(Region::new(file, start, len))
    }

    /// Makes room and says where it begins.
    fn grow(&mut self, bytes: u64) -> Result<u64, Problem> {
        let start = self.end;
        match start.checked_add(bytes).filter(|end| *end <= self.limit) {
            Some(end) => self.end = end,
            None => return Err(format!("it unpacks to more than {} bytes", self.limit).into()),
        }
        Ok(start)
    }

    fn file(&mut self) -> Result<Arc<File>, Problem> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Arc::new(tempfile::tempfile().map_err(Problem::Temporary)?),
        };
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::region;

    fn spool(limit: u64) -> Spool {
        Spool { limit, ..Spool::new() }
    }

    #[test]
    fn a_source_may_unpack_to_the_limit_and_not_a_byte_more() {
        let mut spool = spool(100);
        assert_eq!(spool.add(io::repeat(0).take(60)).unwrap().len(), 60);
        assert_eq!(spool.add(io::repeat(0).take(40)).unwrap().len(), 40);
        let Err(Problem::Unsound(problem)) = spool.add(&b"x"[..]) else { panic!("it took more") };
        assert_eq!(problem, "it unpacks to more than 100 bytes");
        assert!(spool.add_sparse(u64::MAX, std::iter::empty()).is_err());
    }

    #[test]
    fn holes_are_zeros_at_the_end_too() {
        let mut spool = spool(100);
        spool.add(&b"before"[..]).unwrap();
        let parts = [(2, region(b"ab")), (6, region(b"c"))];
        let sparse = spool.add_sparse(9, parts.into_iter()).unwrap();
        let after = spool.add(&b"after"[..]).unwrap();
        assert_eq!(io::read_to_string(sparse.content().open().unwrap()).unwrap(), "\0\0ab\0\0c\0\0");
        assert_eq!(io::read_to_string(after.reader()).unwrap(), "after");
    }
}

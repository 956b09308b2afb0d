//! The file that becomes the image: it is appended to, its head is filled in last, and then it is hashed.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use spec::verity::{Salt, VerityFacts};
use spec::{Digest, Hasher};

use crate::PackError;
use crate::verity::{BLOCK, Leaves};

/// Appends to an image and knows how long it is.
pub(crate) struct Output<'a> {
    file: BufWriter<&'a mut File>,
    position: u64,
    verity: Option<Leaves>,
}

/// A file that is finished.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) verity: Option<VerityFacts>,
}

impl<'a> Output<'a> {
    /// Starts at the beginning of `file`; what was in it is gone. With a salt it gets a verity area.
    pub(crate) fn new(file: &'a mut File, verity: Option<Salt>) -> Result<Output<'a>, PackError> {
        file.set_len(0).map_err(PackError::Write)?;
        file.seek(SeekFrom::Start(0)).map_err(PackError::Write)?;
        let file = BufWriter::with_capacity(128 << 10, file);
        Ok(Output { file, position: 0, verity: verity.map(Leaves::new) })
    }

    /// Where the next byte will be.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.file.write_all(bytes).map_err(PackError::Write)?;
        self.position += bytes.len() as u64;
        if let Some(leaves) = &mut self.verity {
            leaves.append(bytes);
        }
        Ok(())
    }

    /// Appends zeros until the length is a multiple of `alignment`.
    pub(crate) fn pad(&mut self, alignment: u64) -> Result<(), PackError> {
        let missing = self.position.next_multiple_of(alignment) - self.position;
        self.append(&vec![0; missing as usize])
    }

    /// Puts `head` over the first bytes, appends the verity area, and reads everything back for its digest, which no
    /// head that is only known now could be part of otherwise.
    pub(crate) fn finish(mut self, head: &[u8]) -> Result<Finished, PackError> {
        self.file.flush().map_err(PackError::Write)?;
        let (file, verity) = (self.file.get_mut(), self.verity.take());
        finish(file, head, verity).map_err(PackError::Write)
    }
}

fn finish(file: &mut File, head: &[u8], leaves: Option<Leaves>) -> io::Result<Finished> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(head)?;
    let tree = match leaves {
        Some(leaves) => {
            let mut first = [0; BLOCK];
            file.seek(SeekFrom::Start(0))?;
            file.read_exact(&mut first)?;
            Some(leaves.finish(&first))
        }
        None => None,
    };
    let mut size = file.seek(SeekFrom::End(0))?;
    if let Some(tree) = &tree {
        let mut end = BufWriter::with_capacity(128 << 10, &mut *file);
        tree.write(&mut end)?;
        end.flush()?;
        drop(end);
        size = file.stream_position()?;
    }
    Ok(Finished { digest: digest(file, size)?, size, verity: tree.map(|tree| tree.facts()) })
}

fn digest(file: &mut File, size: u64) -> io::Result<Digest> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut left = size;
    while left > 0 {
        let part = &mut buffer[..left.min(256 << 10) as usize];
        file.read_exact(part)?;
        hasher.update(part);
        left -= part.len() as u64;
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verity;

    #[test]
    fn digest_and_root_are_those_of_the_finished_file() {
        for salt in [None, Some(Salt::new([7; 32]))] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[1; 90_000]).unwrap();
            let mut output = Output::new(&mut file, salt).unwrap();
            output.append(b"....body").unwrap();
            output.pad(4096).unwrap();
            output.pad(4096).unwrap();
            let finished = output.finish(b"head").unwrap();

            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0)).unwrap();
            file.read_to_end(&mut bytes).unwrap();
            assert_eq!((bytes.len() as u64, &bytes[..8]), (finished.size, b"headbody".as_slice()));
            assert_eq!(finished.digest, Digest::of(&bytes));
            assert_eq!(finished.size, 4096 + salt.map_or(0, |_| verity::area_len(4096)));
            if let Some(facts) = finished.verity {
                verity::check(&file, &facts).unwrap();
            }
        }
    }
}

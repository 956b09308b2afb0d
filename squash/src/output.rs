//! The file that becomes the image: it is appended to, its head is filled in last, and then it is hashed.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use spec::{Digest, Hasher};

use crate::PackError;

/// Appends to an image and knows how long it is.
pub(crate) struct Output<'a> {
    file: BufWriter<&'a mut File>,
    position: u64,
}

impl<'a> Output<'a> {
    /// Starts at the beginning of `file`; what was in it is gone.
    pub(crate) fn new(file: &'a mut File) -> Result<Output<'a>, PackError> {
        file.set_len(0).map_err(PackError::Write)?;
        file.seek(SeekFrom::Start(0)).map_err(PackError::Write)?;
        Ok(Output { file: BufWriter::with_capacity(1 << 20, file), position: 0 })
    }

    /// Where the next byte will be.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.file.write_all(bytes).map_err(PackError::Write)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Appends zeros until the length is a multiple of `alignment`.
    pub(crate) fn pad(&mut self, alignment: u64) -> Result<(), PackError> {
        let missing = self.position.next_multiple_of(alignment) - self.position;
        self.append(&vec![0; missing as usize])
    }

    /// Puts `head` over the first bytes and reads everything back for its digest.
    pub(crate) fn finish(mut self, head: &[u8]) -> Result<Digest, PackError> {
        self.file.flush().map_err(PackError::Write)?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(PackError::Write)?;
        file.write_all(head).map_err(PackError::Write)?;
        digest(file, self.position).map_err(PackError::Write)
    }
}

fn digest(file: &mut File, size: u64) -> std::io::Result<Digest> {
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

    #[test]
    fn the_digest_is_that_of_the_finished_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 9000]).unwrap();
        let mut output = Output::new(&mut file).unwrap();
        output.append(b"....body").unwrap();
        output.pad(4096).unwrap();
        output.pad(4096).unwrap();
        let digest = output.finish(b"head").unwrap();

        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.len(), &bytes[..8]), (4096, b"headbody".as_slice()));
        assert_eq!(digest, Digest::of(&bytes));
    }
}

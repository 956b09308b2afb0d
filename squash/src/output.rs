//! The file that becomes the image: it is appended to, its head is filled in last, and then it is hashed.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::thread;

use spec::verity::{Salt, VerityFacts};
use spec::{Digest, Hasher};

use crate::PackError;
use crate::content::At;
use crate::verity::HashTree;

/// Appends to an image and knows how long it is.
pub(crate) struct Output<'a> {
    file: BufWriter<&'a mut File>,
    position: u64,
    salt: Option<Salt>,
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
    pub(crate) fn new(file: &'a mut File, salt: Option<Salt>) -> Result<Output<'a>, PackError> {
        file.set_len(0).map_err(PackError::Write)?;
        file.seek(SeekFrom::Start(0)).map_err(PackError::Write)?;
        let file = BufWriter::with_capacity(128 << 10, file);
        Ok(Output { file, position: 0, salt })
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

    /// Puts `head` over the first bytes, appends the verity area, and reads everything back: the first bytes are what
    /// hashes begin with, and they were not known before.
    pub(crate) fn finish(mut self, head: &[u8]) -> Result<Finished, PackError> {
        self.file.flush().map_err(PackError::Write)?;
        finish(self.file.get_mut(), head, self.salt).map_err(PackError::Write)
    }
}

/// The digest and the hash tree are made at the same time, for each takes a thread as long.
fn finish(file: &mut File, head: &[u8], salt: Option<Salt>) -> io::Result<Finished> {
    file.write_all_at(head, 0)?;
    let data_size = file.seek(SeekFrom::End(0))?;
    let mut hasher = Hasher::new();
    let tree = thread::scope(|scope| {
        let data = || At::new(file, 0).take(data_size);
        let tree = salt.map(|salt| scope.spawn(move || HashTree::of(data(), salt)));
        update(&mut hasher, data())?;
        tree.map(|tree| tree.join().unwrap_or_else(|panic| resume_unwind(panic))).transpose()
    })?;
    let mut size = data_size;
    if let Some(tree) = &tree {
        let mut end = BufWriter::with_capacity(128 << 10, &mut *file);
        tree.write(&mut end)?;
        end.flush()?;
        drop(end);
        size = file.stream_position()?;
        update(&mut hasher, At::new(file, data_size).take(size - data_size))?;
    }
    Ok(Finished { digest: hasher.finish(), size, verity: tree.map(|tree| tree.facts()) })
}

fn update(hasher: &mut Hasher, mut from: impl Read) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
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

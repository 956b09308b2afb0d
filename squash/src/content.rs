//! Where the bytes of a file come from, and a reader that yields exactly as many as were announced.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use spec::TreePath;

/// The bytes of one file. Its length is known before it is read, and reading holds it to that.
#[derive(Clone)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A part of an open file, such as a member of an archive.
    Span {
        /// The file; its own position is neither used nor moved.
        file: Arc<File>,
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// A whole file of the host; symbolic links are followed. A tree has many of these, so what they have in common is
    /// shared.
    Path {
        /// A directory above it.
        dir: Arc<PathBuf>,
        /// Where it lies below that.
        path: TreePath,
        /// Its size in bytes.
        len: u64,
    },
}

impl Content {
    /// Number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Span { len, .. } | Content::Path { len, .. } => *len,
        }
    }

    /// Is there not a single byte?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader from the first byte on. It yields [`Content::len`] bytes; where the source has fewer it fails with
    /// [`io::ErrorKind::UnexpectedEof`], where it has more with [`io::ErrorKind::InvalidData`].
    pub fn open(&self) -> io::Result<impl Read + '_> {
        self.reader()
    }

    /// As [`Content::open`].
    pub(crate) fn reader(&self) -> io::Result<Exactly<'_>> {
        let source: Box<dyn Read + '_> = match self {
            Content::Bytes(bytes) => Box::new(bytes.as_slice()),
            Content::Span { file, offset, len } => Box::new(At::new(file, *offset).take(*len)),
            Content::Path { dir, path, .. } => Box::new(File::open(dir.join(path.relative()))?),
        };
        Ok(Exactly { source, expected: self.len(), seen: 0 })
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Content::Span { offset, len, .. } => write!(f, "Span({offset} + {len})"),
            Content::Path { dir, path, len } => write!(f, "Path({dir:?} and {path}, {len})"),
        }
    }
}

/// Reads a shared file from a position of its own.
pub(crate) struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl At<'_> {
    pub(crate) fn new(file: &File, offset: u64) -> At<'_> {
        At { file, offset }
    }
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }
}

/// Passes bytes on and fails at the end unless there were exactly `expected`.
pub(crate) struct Exactly<'a> {
    source: Box<dyn Read + 'a>,
    expected: u64,
    seen: u64,
}

impl Exactly<'_> {
    /// Appends the next bytes to a block, `most` of them or all that are left. A file goes there directly, without zeros
    /// being written first.
    pub(crate) fn fill(&mut self, block: &mut Vec<u8>, most: u64) -> io::Result<()> {
        let count = (&mut self.source).take(most).read_to_end(block)?;
        self.count(count, (count as u64) < most)
    }

    fn count(&mut self, count: usize, ended: bool) -> io::Result<()> {
        self.seen = self.seen.saturating_add(count as u64);
        let Exactly { expected, seen, .. } = self;
        if ended && seen < expected {
            let sentence = format!("it ended after {seen} of {expected} bytes");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, sentence));
        }
        if seen > expected {
            let sentence = format!("it has more than the {expected} bytes it was listed with");
            return Err(io::Error::new(io::ErrorKind::InvalidData, sentence));
        }
        Ok(())
    }
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.source.read(buffer)?;
        self.count(count, count == 0)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(content: &Content) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        content.open()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn of_host(file: &tempfile::NamedTempFile, len: u64) -> Content {
        let path = file.path().to_str().unwrap().parse().unwrap();
        Content::Path { dir: Arc::new("/".into()), path, len }
    }

    #[test]
    fn every_source_yields_its_bytes_and_can_be_opened_again() {
        let file = on_disk(b"0123456789");
        let span = Content::Span { file: Arc::new(file.reopen().unwrap()), offset: 2, len: 5 };
        let path = of_host(&file, 10);
        let bytes = Content::Bytes(b"abc".to_vec());
        for _ in 0..2 {
            assert_eq!(read(&span).unwrap(), b"23456");
            assert_eq!(read(&path).unwrap(), b"0123456789");
            assert_eq!(read(&bytes).unwrap(), b"abc");
        }
    }

    #[test]
    fn a_source_of_another_length_is_an_error() {
        let file = on_disk(b"0123456789");
        let of_length = |len| of_host(&file, len);
        assert_eq!(read(&of_length(11)).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(&of_length(9)).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read(&of_length(0)).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let span = Content::Span { file: Arc::new(file.reopen().unwrap()), offset: 6, len: 5 };
        assert_eq!(read(&span).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

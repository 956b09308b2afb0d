//! One nameless temporary file that holds the bytes of many.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use squash::Content;

/// Collects file contents behind one another, so that a source costs one file descriptor whatever it holds.
#[derive(Debug)]
pub(super) struct Spool {
    file: Arc<File>,
    end: u64,
}

impl Spool {
    pub(super) fn new() -> io::Result<Spool> {
        Ok(Spool { file: Arc::new(tempfile::tempfile()?), end: 0 })
    }

    /// Takes all of `from`.
    pub(super) fn add(&mut self, mut from: impl Read) -> io::Result<Content> {
        let len = io::copy(&mut from, &mut Appender(&self.file))?;
        let offset = self.end;
        self.end += len;
        Ok(Content::Span { file: Arc::clone(&self.file), offset, len })
    }
}

/// `&File` writes at the cursor, which only ever stands at the end: contents are read by offset.
struct Appender<'a>(&'a File);

impl Write for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

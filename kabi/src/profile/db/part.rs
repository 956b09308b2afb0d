//! Reading a part of a file from its start to its end. No number is believed before it is checked against the end.

use std::fmt::Display;
use std::str::FromStr;

use super::ProfileError;

/// A part of the file that is read from its start to its end.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    name: &'static str,
    bytes: &'a [u8],
    /// Where in the file `bytes` starts.
    start: usize,
    /// How much of `bytes` has been read.
    at: usize,
}

impl<'a> Part<'a> {
    /// The part called `name` that starts at `start`.
    pub(super) fn new(name: &'static str, start: usize, bytes: &'a [u8]) -> Part<'a> {
        Part { name, bytes, start, at: 0 }
    }

    /// The complaint about what comes next.
    pub(super) fn wrong(&self, complaint: String) -> ProfileError {
        ProfileError::Broken { part: self.name, offset: self.start + self.at, complaint }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], ProfileError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.get(..length);
        let found = found.ok_or_else(|| {
            self.wrong(format!("{length} bytes are needed here, and there are {}", rest.len()))
        })?;
        self.at += length;
        Ok(found)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProfileError> {
        let bytes = self.take(N)?;
        Ok(*bytes.first_chunk().expect("as many bytes were taken"))
    }

    pub(super) fn number(&mut self) -> Result<u32, ProfileError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn long(&mut self) -> Result<u64, ProfileError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number in as many bytes as it needs, two at most.
    pub(super) fn small(&mut self) -> Result<usize, ProfileError> {
        let place = *self;
        let [low] = self.array()?;
        if low < 0x80 {
            return Ok(usize::from(low));
        }
        match self.array()? {
            [high @ 1..0x80] => Ok(usize::from(low & 0x7f) | usize::from(high) << 7),
            _ => Err(place.wrong("the number has more bytes than it needs, or than any has".to_owned())),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), ProfileError> {
        match self.is_at_end() {
            true => Ok(()),
            false => Err(self.wrong("there should be no more bytes".to_owned())),
        }
    }

    /// The whole part as a text of some kind; none if it is empty.
    pub(super) fn text<T: FromStr<Err: Display>>(self) -> Result<Option<T>, ProfileError> {
        let text = str::from_utf8(self.bytes).map_err(|_| self.wrong("the text is not UTF-8".to_owned()))?;
        Some(text)
            .filter(|text| !text.is_empty())
            .map(parse)
            .transpose()
            .map_err(|complaint| self.wrong(complaint))
    }

    /// The whole part as so many entries.
    pub(super) fn entries<const N: usize>(self, count: usize) -> Result<&'a [[u8; N]], ProfileError> {
        match self.bytes.as_chunks() {
            (entries, []) if entries.len() == count => Ok(entries),
            _ => Err(self
                .wrong(format!("{} bytes are not one entry for each of {count} exports", self.bytes.len()))),
        }
    }
}

/// The text as what it must be, or why it is not.
pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

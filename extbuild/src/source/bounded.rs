//! A stream that may not become too long.

use std::io::{self, Read};

/// Reads a stream, and fails where it goes on behind the limit: a small archive can unpack to any size.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    stream: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Bounded<R> {
    /// At most `limit` bytes of the stream.
    pub(super) fn new(stream: R, limit: u64) -> Bounded<R> {
        Bounded { stream, limit, left: limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        let too_long = || io::Error::other(format!("it unpacks to more than {} bytes", self.limit));
        self.left = self.left.checked_sub(count as u64).ok_or_else(too_long)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_may_have_the_limit_and_not_a_byte_more() {
        let read = |len: u64| io::copy(&mut Bounded::new(io::repeat(0).take(len), 100), &mut io::sink());
        assert_eq!(read(100).unwrap(), 100);
        assert_eq!(read(101).unwrap_err().to_string(), "it unpacks to more than 100 bytes");
    }
}

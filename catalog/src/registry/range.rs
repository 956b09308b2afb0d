//! Parts of blobs: the headers that say which bytes are meant.

/// Which part of a blob an answer with status 206 holds (`Content-Range: bytes 5-9/10`, RFC 9110 section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// The first byte.
    pub(super) first: u64,
    /// The last byte.
    pub(super) last: u64,
    /// The size of the whole, where the server says it.
    pub(super) size: Option<u64>,
}

impl ContentRange {
    pub(super) fn parse(header: &str) -> Option<ContentRange> {
        let (unit, rest) = header.trim().split_once(' ')?;
        let (range, size) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let size = match size {
            "*" => None,
            size => Some(number(size)?),
        };
        let found = ContentRange { first: number(first)?, last: number(last)?, size };
        unit.eq_ignore_ascii_case("bytes").then_some(found)
    }

    /// Is it the rest, from byte `from` on, of a blob of `size` bytes?
    pub(super) fn is_rest(&self, from: u64, size: u64) -> bool {
        self.first == from
            && self.last.checked_add(1) == Some(size)
            && self.size.is_none_or(|found| found == size)
    }
}

/// How many bytes of an upload a registry has, by its header `Range: 0-LAST` (distribution-spec 1.1, "Pushing a blob
/// in chunks"). `0-0` says nothing: one byte in the specification, and none in docker-registry.
pub(super) fn taken(header: &str) -> Option<u64> {
    let header = header.trim();
    // RFC 9110 would have the unit; the specification does not, and some registries do.
    let (first, last) = header.strip_prefix("bytes=").unwrap_or(header).split_once('-')?;
    let last = number(last)?;
    (number(first)? == 0 && last > 0).then(|| last.checked_add(1)).flatten()
}

/// Digits and nothing else: `parse` alone would let `+1` through.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_content_range_is_read() {
        let range = ContentRange::parse("bytes 5-9/10").unwrap();
        assert_eq!(range, ContentRange { first: 5, last: 9, size: Some(10) });
        assert!(range.is_rest(5, 10));
        assert!(ContentRange::parse("Bytes 5-9/*").unwrap().is_rest(5, 10));
        for (header, from, size) in [
            ("bytes 4-9/10", 5, 10),
            ("bytes 5-8/10", 5, 10),
            ("bytes 5-9/11", 5, 10),
            ("bytes 5-10/*", 5, 10),
            ("bytes 0-18446744073709551615/*", 0, 0),
        ] {
            assert!(!ContentRange::parse(header).unwrap().is_rest(from, size), "{header}");
        }
        for other in ["", "bytes", "bytes */10", "bytes 5-9", "items 5-9/10", "bytes +5-9/10", "bytes -5/10"]
        {
            assert_eq!(ContentRange::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_registry_has_taken_is_read() {
        assert_eq!(taken("0-9"), Some(10));
        assert_eq!(taken("bytes=0-9"), Some(10));
        for other in ["", "0-0", "1-9", "9", "0-", "0-x", "0-18446744073709551615"] {
            assert_eq!(taken(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(header in "(bytes )?[0-9+*/ =-]{0,44}") {
            let _ = (ContentRange::parse(&header), taken(&header));
        }
    }
}

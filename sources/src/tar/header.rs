//! One block of an archive that says what comes behind it (POSIX, pax, "ustar Interchange Format"; GNU tar,
//! "Basic Tar Format" and src/tar.h; libarchive, tar(5)).
//!
//! | bytes | v7 | ustar, pax | GNU |
//! |---|---|---|---|
//! | 0..100 | name | name | name |
//! | 100..108 | mode | mode | mode |
//! | 124..136 | size | size | size |
//! | 148..156 | checksum | checksum | checksum |
//! | 156 | link flag | type | type |
//! | 157..257 | target | target | target |
//! | 257..265 | zeros | magic, version | magic |
//! | 345..500 | – | what is before the name | times, then from 386 on holes |
//!
//! Owner, times and device numbers are not read: an image has none of them.

/// Size of a block in bytes.
pub(super) const BLOCK: usize = 512;
pub(super) type Block = [u8; BLOCK];

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    pub name: Vec<u8>,
    pub mode: u32,
    /// Bytes of the archive that come behind the header.
    pub size: u64,
    pub kind: Kind,
    /// The target of a link.
    pub link: Vec<u8>,
    /// Where the holes of a [`Kind::SparseFile`] are, as far as they are in the header.
    pub sparse: Option<Block>,
}

/// What comes behind a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A file with holes as GNU tar wrote it before pax.
    SparseFile,
    HardLink,
    Symlink,
    Device,
    Directory,
    Fifo,
    /// The name of the next entry (GNU).
    LongName,
    /// The target of the next entry (GNU).
    LongLink,
    /// Records about the next entry (pax).
    Records,
    /// Records about all entries that follow (pax).
    GlobalRecords,
    /// The name of the archive (GNU).
    Label,
}

/// Who wrote a header, by its magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V7,
    Ustar,
    Gnu,
}

impl Header {
    pub(super) fn parse(block: &Block) -> Result<Header, String> {
        let text = |field: &[u8]| field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        let name = text(&block[..100]);
        let shown = || String::from_utf8_lossy(&name).escape_debug().to_string();
        let number = |field: &[u8], what: &str| {
            number(field).ok_or_else(|| format!("the {what} of \"{}\" is not a number", shown()))
        };
        if number(&block[148..156], "checksum")? != checksum(block) {
            return Err("the checksum of a header is wrong".to_owned());
        }
        let dialect =
            Dialect::of(block).ok_or_else(|| format!("\"{}\" is in an unknown dialect of tar", shown()))?;
        let letter = char::from(block[156]);
        let kind = Kind::of(block[156], dialect)
            .ok_or_else(|| format!("\"{}\" is of an unknown kind (tar type {letter:?})", shown()))?;
        if dialect == Dialect::Gnu && kind != Kind::SparseFile && block[386..] != [0; BLOCK - 386] {
            // GNU tar goes by the type, libarchive by these bytes.
            return Err(format!("\"{}\" is no file with holes and has some", shown()));
        }
        let mode = number(&block[100..108], "mode")?;
        let size = number(&block[124..136], "size")?;
        let prefix = text(&block[345..500]);
        let name = match dialect == Dialect::Ustar && !prefix.is_empty() {
            true => [&prefix[..], &name].join(&b'/'),
            false => name,
        };
        let sparse = (kind == Kind::SparseFile).then_some(*block);
        Ok(Header { name, mode: (mode & 0o7777) as u32, size, kind, link: text(&block[157..257]), sparse })
    }
}

impl Dialect {
    fn of(block: &Block) -> Option<Dialect> {
        match &block[257..265] {
            b"\0\0\0\0\0\0\0\0" => Some(Dialect::V7),
            b"ustar  \0" => Some(Dialect::Gnu),
            b"ustar\x0000" => Some(Dialect::Ustar),
            _ => None,
        }
    }
}

impl Kind {
    fn of(letter: u8, dialect: Dialect) -> Option<Kind> {
        match (letter, dialect) {
            // 7 is a file whose bytes lie together on the disk, if the disk can do that.
            (0 | b'0' | b'7', _) => Some(Kind::File),
            (b'1', _) => Some(Kind::HardLink),
            (b'2', _) => Some(Kind::Symlink),
            (b'3' | b'4', _) => Some(Kind::Device),
            (b'5', _) => Some(Kind::Directory),
            (b'6', _) => Some(Kind::Fifo),
            (b'x', _) => Some(Kind::Records),
            (b'g', _) => Some(Kind::GlobalRecords),
            (b'L', _) => Some(Kind::LongName),
            (b'K', _) => Some(Kind::LongLink),
            // Other tars have this letter too, with other fields.
            (b'S', Dialect::Gnu) => Some(Kind::SparseFile),
            (b'V', Dialect::Gnu) => Some(Kind::Label),
            _ => None,
        }
    }
}

/// The sum of all bytes, those of the checksum itself counted as spaces.
fn checksum(block: &Block) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    sum(&block[..148]) + 8 * u64::from(b' ') + sum(&block[156..])
}

/// A number field: octal digits with spaces before and spaces or NULs behind them, nothing at all for 0, or where the
/// first bit is set, the number itself in the bits behind it, highest first (GNU tar, "Large or Negative Values").
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        return rest
            .iter()
            .try_fold(0u64, |number, byte| number.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let start = field.iter().position(|byte| *byte != b' ').unwrap_or(field.len());
    let digits = field[start..].iter().take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let (digits, rest) = field[start..].split_at(digits);
    let is_filled = rest.iter().all(|byte| matches!(byte, 0 | b' '));
    is_filled.then(|| digits.iter().fold(0, |number, digit| number * 8 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"77777777777\0", Some(0o77777777777)),
            (b"777777777777", Some(0o777777777777)),
            (b"\0\0\0\0", Some(0)),
            (b"    ", Some(0)),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(8 << 30)),
            (b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", Some(u64::MAX)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\x81\0\0\0", None),
            (b"0000648\0", None),
            (b"-000644\0", None),
            (b"644\0junk", None),
        ] {
            assert_eq!(number(field), expected, "{}", field.escape_ascii());
        }
    }
}

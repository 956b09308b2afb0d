//! The ar archives of deb(5): a magic line, then members behind one another. Long names, symbol tables and what else
//! the linkers' archives have are not part of that format.

use crate::error::Problem;
use crate::region::Region;

/// The line that an archive begins with, and the end of each header (Debian, deb(5); binutils, include/aout/ar.h).
const MAGIC: &[u8] = b"!<arch>\n";
const HEADER_END: &[u8] = b"`\n";
const HEADER_LEN: u64 = 60;

/// Reads member after member; nothing but headers is read.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    archive: &'a Region,
    position: u64,
}

/// A file in an archive.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name, without the slash that some writers put behind it.
    pub name: String,
    /// Its bytes.
    pub data: Region,
}

impl<'a> Members<'a> {
    pub(crate) fn new(archive: &'a Region) -> Result<Members<'a>, Problem> {
        let mut magic = [0; MAGIC.len()];
        archive.read_at(0, &mut magic).map_err(Problem::Read)?;
        match magic == MAGIC {
            true => Ok(Members { archive, position: MAGIC.len() as u64 }),
            false => Err("it does not begin like an ar archive".to_owned().into()),
        }
    }

    /// The next member, or nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, Problem> {
        let mut header = [0; HEADER_LEN as usize];
        let count = self.archive.read_at(self.position, &mut header).map_err(Problem::Read)?;
        if count == 0 {
            return Ok(None);
        }
        let (name, size) = parse(&header).ok_or_else(|| format!("at byte {} is no member", self.position))?;
        let start = self.position + HEADER_LEN;
        let data =
            self.archive.part(start, size).ok_or_else(|| format!("it ends inside its member {name}"))?;
        // Members begin at even positions; the byte between them is not counted.
        self.position = start + size + size % 2;
        Ok(Some(Member { name, data }))
    }
}

/// Name and size: bytes 0 to 15 and 48 to 57, filled with spaces.
fn parse(header: &[u8; HEADER_LEN as usize]) -> Option<(String, u64)> {
    let text = std::str::from_utf8(header)
        .ok()
        .filter(|text| text.is_ascii() && text.as_bytes().ends_with(HEADER_END))?;
    let name = text[..16].trim_end_matches(' ');
    let name = name.strip_suffix('/').unwrap_or(name);
    let size = text[48..58].trim_end_matches(' ');
    let is_number = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    Some((name.to_owned(), size.parse().ok()?)).filter(|_| is_number && is_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ar, region};

    fn names(bytes: &[u8]) -> Result<Vec<String>, Problem> {
        let archive = region(bytes);
        let mut members = Members::new(&archive)?;
        let mut names = Vec::new();
        while let Some(member) = members.next()? {
            names.push(format!("{} {}", member.name, member.data.len()));
        }
        Ok(names)
    }

    #[test]
    fn members_of_odd_and_even_length_are_found() {
        let archive = ar(&[("odd", b"x"), ("even/", b"xy"), ("none", b"")]);
        assert_eq!(names(&archive).unwrap(), ["odd 1", "even 2", "none 0"]);
        // The last padding may be missing.
        assert_eq!(names(&ar(&[("odd", b"x")])[..69]).unwrap(), ["odd 1"]);
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        let good = ar(&[("a", b"x")]);
        let broken = |at: usize, bytes: &[u8]| {
            let mut archive = good.clone();
            archive[at..at + bytes.len()].copy_from_slice(bytes);
            archive
        };
        for (what, archive) in [
            ("magic", broken(0, b"?")),
            ("name table", broken(8, b"//")),
            ("symbol table", broken(8, b"/ ")),
            ("end of header", broken(66, b"??")),
            ("sign", broken(56, b"+1")),
            ("no size", broken(56, b"  ")),
            ("too large", broken(56, b"9999999999")),
            ("longer than the archive", broken(56, b"3 ")),
            ("cut", good[..40].to_vec()),
        ] {
            assert!(names(&archive).is_err(), "{what}");
        }
    }
}

//! What an archive says about an entry before the entry: names that are too long for its header, and pax records.
//! The `tar` crate would read all of it into memory, however long it is.

use std::io::Read;

use tar::EntryType;

/// Most bytes that one such header may have: sixteen times the longest path that Linux takes (`PATH_MAX`).
const MAX_BYTES: u64 = 64 << 10;

/// Records that hold extended attributes, and with them file capabilities, access lists and SELinux labels: star(5),
/// "SCHILY.*"; tar(5) of libarchive, "LIBARCHIVE.xattr"; GNU tar, src/xheader.c.
const ATTRIBUTES: [&[u8]; 4] =
    [b"SCHILY.xattr.", b"LIBARCHIVE.xattr.", b"SCHILY.acl.", b"RHT.security.selinux"];

/// What has been said about the next entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    /// Its name.
    pub name: Option<Vec<u8>>,
    /// The target of the link that it is.
    pub link: Option<Vec<u8>>,
    /// Its size as decimal digits.
    pub size: Option<Vec<u8>>,
    /// It has extended attributes.
    pub has_attributes: bool,
}

impl Extended {
    /// Takes an entry in if it is about the next one; false if it stands for itself.
    pub(super) fn take_in<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<bool, String> {
        match entry.header().entry_type() {
            EntryType::GNULongName => set(&mut self.name, without_nul(&body(entry)?))?,
            EntryType::GNULongLink => set(&mut self.link, without_nul(&body(entry)?))?,
            EntryType::XHeader => self.take_in_records(&body(entry)?)?,
            EntryType::XGlobalHeader => {
                let mut all = Extended::default();
                all.take_in_records(&body(entry)?)?;
                if all != Extended::default() {
                    return Err("a global header describes all its entries at once".to_owned());
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_in_records(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let (key, value, rest) = first_record(bytes).ok_or("a pax record is malformed")?;
            match key {
                b"path" => set(&mut self.name, value)?,
                b"linkpath" => set(&mut self.link, value)?,
                b"size" => set(&mut self.size, value)?,
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err("it has a sparse file; pack it without --sparse".to_owned());
                }
                key => self.has_attributes |= ATTRIBUTES.iter().any(|prefix| key.starts_with(prefix)),
            }
            bytes = rest;
        }
        Ok(())
    }
}

/// Two headers that disagree would mean different things to different readers.
fn set(place: &mut Option<Vec<u8>>, value: &[u8]) -> Result<(), String> {
    match place.replace(value.to_owned()) {
        None => Ok(()),
        Some(_) => Err("two headers describe the same entry".to_owned()),
    }
}

fn body<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, String> {
    let size = entry.size();
    if size > MAX_BYTES {
        return Err(format!("a header has {size} bytes, and the limit is {MAX_BYTES}"));
    }
    let mut bytes = Vec::new();
    match entry.read_to_end(&mut bytes) {
        Ok(read) if read as u64 == size => Ok(bytes),
        Ok(_) => Err("it ends inside a header".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn without_nul(name: &[u8]) -> &[u8] {
    name.strip_suffix(b"\0").unwrap_or(name)
}

/// Key, value and what follows. A record is `LENGTH KEY=VALUE` and an end of line, and the length counts all of it
/// (POSIX, pax, "pax Extended Header").
fn first_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let len = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(len)?;
    let text = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|byte| *byte == b'=')?;
    Some((&text[..equals], &text[equals + 1..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bytes: &[u8]) -> Result<Extended, String> {
        let mut extended = Extended::default();
        extended.take_in_records(bytes).map(|()| extended)
    }

    #[test]
    fn records_are_read_by_their_length() {
        let extended = records(b"16 comment=a\nb=\n12 path=a b\n14 linkpath=c\n").unwrap();
        assert_eq!(extended.name.as_deref(), Some(&b"a b"[..]));
        assert_eq!(extended.link.as_deref(), Some(&b"c"[..]));
        assert!(!extended.has_attributes);
    }

    #[test]
    fn every_kind_of_attribute_is_seen() {
        let binary = b"27 SCHILY.xattr.user.a=\0\n\xff\n";
        for record in [&binary[..], b"25 LIBARCHIVE.xattr.a=YQ\n", b"22 SCHILY.acl.access=\n"] {
            assert!(records(record).unwrap().has_attributes, "{}", record.escape_ascii());
        }
    }

    #[test]
    fn malformed_and_contradicting_records_are_refused() {
        for bytes in ["x", "\n", "5 a=b", "6 a=b\nx", "99 a=b\n", "0 a=b\n", "2 a=b\n", "-6 a=b\n", "5 ab\n"]
        {
            assert_eq!(records(bytes.as_bytes()), Err("a pax record is malformed".to_owned()), "{bytes:?}");
        }
        let twice = records(b"9 path=a\n9 path=b\n");
        assert_eq!(twice, Err("two headers describe the same entry".to_owned()));
        let sparse = records(b"22 GNU.sparse.major=1\n");
        assert_eq!(sparse, Err("it has a sparse file; pack it without --sparse".to_owned()));
    }
}

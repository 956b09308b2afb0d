//! What an archive says about an entry before the entry: names that are too long for its header, and pax records.

use super::sparse::Records;
use crate::attributes::Attribute;

/// Records for the restoring of several volumes; one volume alone means something else with them than without.
const VOLUME: &[u8] = b"GNU.volume.";

/// What has been said about the next entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    /// Its name.
    path: Option<Vec<u8>>,
    /// The target of the link that it is.
    pub link: Option<Vec<u8>>,
    /// Its bytes in the archive.
    pub size: Option<u64>,
    /// An extended attribute that it has.
    pub attribute: Option<Attribute>,
    /// Where its holes are.
    pub sparse: Option<Records>,
    /// There were records, even such as mean nothing here.
    has_records: bool,
}

impl Extended {
    /// The name of the next entry. For a file with holes, its header and `path` have a name made up for readers that do
    /// not know of holes.
    pub(super) fn name(&self) -> Option<&Vec<u8>> {
        let real = self.sparse.as_ref().and_then(|records| records.name.as_ref());
        real.or(self.path.as_ref())
    }

    /// Takes in a GNU long name.
    pub(super) fn take_name(&mut self, body: &[u8]) -> Result<(), String> {
        set(&mut self.path, text(ended(body)?)?)
    }

    /// Takes in a GNU long target.
    pub(super) fn take_link(&mut self, body: &[u8]) -> Result<(), String> {
        set(&mut self.link, text(ended(body)?)?)
    }

    /// Takes in pax records.
    pub(super) fn take_records(&mut self, body: &[u8]) -> Result<(), String> {
        if std::mem::replace(&mut self.has_records, true) {
            return Err("two headers describe the same entry".to_owned());
        }
        for record in records(body) {
            let (key, value) = record?;
            match key {
                b"path" => set(&mut self.path, text(value)?)?,
                b"linkpath" => set(&mut self.link, text(value)?)?,
                b"size" => set(&mut self.size, decimal(value)?)?,
                b"SCHILY.realsize" => {
                    return Err("it has a file with holes as only star writes them".to_owned());
                }
                key if key.starts_with(VOLUME) => return Err("it is one of several volumes".to_owned()),
                key => match key.strip_prefix(b"GNU.sparse.") {
                    Some(key) => self.sparse.get_or_insert_default().take(key, value)?,
                    None => self.attribute = self.attribute.take().or(Attribute::of_record(key)),
                },
            }
        }
        Ok(())
    }
}

/// Refuses records about all entries at once, unless they mean nothing here: comments, times, owners.
pub(super) fn check_global(body: &[u8]) -> Result<(), String> {
    for record in records(body) {
        let (key, _) = record?;
        let names_archive = key == b"GNU.volume.label";
        let matters = [&b"path"[..], b"linkpath", b"size", b"SCHILY.realsize"].contains(&key)
            || key.starts_with(b"GNU.sparse.")
            || key.starts_with(VOLUME)
            || Attribute::of_record(key).is_some();
        if matters && !names_archive {
            return Err("a global header describes all its entries at once".to_owned());
        }
    }
    Ok(())
}

/// Two headers that disagree would mean different things to different readers.
pub(super) fn set<T>(place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("two headers describe the same entry".to_owned()),
    }
}

/// A name that is there and goes on to its end for every reader.
pub(super) fn text(value: &[u8]) -> Result<Vec<u8>, String> {
    match value.is_empty() || value.contains(&0) {
        true => Err("a name in a header is empty or has a NUL".to_owned()),
        false => Ok(value.to_vec()),
    }
}

/// Decimal digits and nothing else.
pub(super) fn decimal(value: &[u8]) -> Result<u64, String> {
    let digits =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| format!("\"{}\" in a header is not a number", value.escape_ascii()))
}

/// Without the NUL at its end, which every writer counts. Where it is missing, GNU tar reads on, and libarchive does not.
fn ended(name: &[u8]) -> Result<&[u8], String> {
    name.strip_suffix(b"\0").ok_or_else(|| "a long name has no end".to_owned())
}

/// Keys and values in order; an error is the last.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), String>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let Some((key, value, rest)) = first_record(bytes) else {
            bytes = &[];
            return Some(Err("a pax record is malformed".to_owned()));
        };
        bytes = rest;
        Some(Ok((key, value)))
    })
}

/// Key, value and what follows. A record is `LENGTH KEY=VALUE` and an end of line, and the length counts all of it
/// (POSIX, pax, "pax Extended Header").
fn first_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let digits = bytes[..space].iter().all(u8::is_ascii_digit).then_some(&bytes[..space])?;
    let len = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(len)?;
    let text = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&text[..equals], &text[equals + 1..]);
    (!key.is_empty() && key.iter().all(u8::is_ascii_graphic)).then_some((key, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8]) -> Result<Extended, String> {
        let mut extended = Extended::default();
        extended.take_records(bytes).map(|()| extended)
    }

    #[test]
    fn records_are_read_by_their_length() {
        let extended = taken(b"16 comment=a\nb=\n12 path=a b\n14 linkpath=c\n15 size=001234\n").unwrap();
        assert_eq!(extended.name().unwrap(), b"a b");
        assert_eq!(extended.link.as_deref(), Some(&b"c"[..]));
        assert_eq!(extended.size, Some(1234));
        assert_eq!(extended.attribute, None);
        assert!(taken(b"27 SCHILY.xattr.user.a=\0\n\xff\n").unwrap().attribute.is_some());
    }

    #[test]
    fn malformed_and_contradicting_records_are_refused() {
        for bytes in [
            "x",
            "\n",
            "5 a=b",
            "6 a=b\nx",
            "99 a=b\n",
            "0 a=b\n",
            "2 a=b\n",
            "-6 a=b\n",
            "+6 a=b\n",
            "5 ab\n",
            "5 =b\n",
            "7 \0a=b\n",
        ] {
            assert_eq!(taken(bytes.as_bytes()), Err("a pax record is malformed".to_owned()), "{bytes:?}");
        }
        let twice = Err("two headers describe the same entry".to_owned());
        assert_eq!(taken(b"9 path=a\n9 path=b\n"), twice);
        let mut extended = taken(b"9 path=a\n").unwrap();
        assert_eq!(extended.take_name(b"b\0").map(|()| Extended::default()), twice);
        assert_eq!(extended.take_records(b"7 a=bc\n").map(|()| Extended::default()), twice);
        for bytes in [
            &b"8 path=\n"[..],
            b"11 path=a\0b\n",
            b"10 size=-\n",
            b"9 size=\n",
            b"25 GNU.volume.filename=a\n",
        ] {
            assert!(taken(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn global_records_may_only_say_what_means_nothing() {
        assert_eq!(check_global(b"15 comment=git\n7 a=bc\n22 GNU.volume.label=x\n"), Ok(()));
        for bytes in
            [&b"9 path=a\n"[..], b"10 size=0\n", b"22 GNU.sparse.major=1\n", b"22 SCHILY.xattr.a.b=1\n"]
        {
            assert!(check_global(bytes).unwrap_err().starts_with("a global"), "{}", bytes.escape_ascii());
        }
    }
}

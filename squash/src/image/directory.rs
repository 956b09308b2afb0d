//! The listing of one directory, its names, and the index into it.

use std::ops::Range;

use super::finding::Rule;
use super::inode;
use super::tables::Tables;
use crate::format::{
    DIRECTORY_RUN_MAX, DirectoryEntry, DirectoryHeader, DirectoryIndex, METADATA_SIZE, MetadataRef, NAME_MAX,
};

/// Longest name in bytes: Linux `NAME_MAX` (include/uapi/linux/limits.h).
const LINUX_NAME_MAX: usize = 255;

/// What a directory says of one name.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// Where the name is in the directory table.
    pub(super) name: Range<usize>,
    pub(super) inode: MetadataRef,
    pub(super) number: u32,
    pub(super) kind: u16,
}

/// A listing as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Listed>,
    /// Where each header is in the directory table, and the number of the first entry after it.
    headers: Vec<(usize, usize)>,
    /// How far into the listing it can be read, if not to its end.
    pub(super) broken: Option<u64>,
}

impl Listing {
    /// Reads the listing in this range of the directory table, but no more than `most` entries.
    pub(super) fn read(table: &[u8], range: Range<usize>, most: usize) -> Listing {
        let mut listing = Listing::default();
        let mut at = range.start;
        while at < range.end && listing.entries.len() < most {
            match listing.run(table, at, range.end, most) {
                Some(next) => at = next,
                None => {
                    listing.broken = Some((at - range.start) as u64);
                    break;
                }
            }
        }
        listing
    }

    /// Reads a header and its entries, and says where they end.
    fn run(&mut self, table: &[u8], at: usize, end: usize, most: usize) -> Option<usize> {
        let mut rest = table.get(at..end)?;
        let header = DirectoryHeader::take(&mut rest)?;
        let count = usize::try_from(header.count).ok()?.checked_add(1).filter(|n| *n <= DIRECTORY_RUN_MAX)?;
        self.headers.push((at, self.entries.len()));
        for _ in 0..count.min(most - self.entries.len()) {
            let entry = DirectoryEntry::take(&mut rest)?;
            // The kernel gives up at a name that is longer (fs/squashfs/dir.c, `squashfs_readdir`).
            let len = Some(usize::from(entry.name_size) + 1).filter(|len| *len <= NAME_MAX)?;
            let start = end - rest.len();
            rest.split_off(..len)?;
            self.entries.push(Listed {
                name: start..start + len,
                inode: MetadataRef { block: header.inode_block, offset: entry.inode_offset },
                number: header.number.wrapping_add_signed(entry.number_delta.into()),
                kind: entry.kind,
            });
        }
        Some(end - rest.len())
    }

    /// Does the index lead to headers of this listing, in their order and with the names that follow them?
    ///
    /// The kernel searches for a name where the index sends it (fs/squashfs/namei.c, `get_dir_index_using_name`), which
    /// must not be another place than the one that was listed here.
    pub(super) fn fits_index(
        &self,
        directory: &inode::Directory,
        range: &Range<usize>,
        tables: &Tables,
        names: &[u8],
    ) -> bool {
        let mut rest = &tables.inodes.bytes[directory.index.clone()];
        let mut last = 0;
        while let Some(index) = DirectoryIndex::take(&mut rest) {
            let Some(name) = rest.split_off(..index.name_size as usize + 1) else { return false };
            let at = range.start.saturating_add(index.distance as usize);
            let header = self.headers.binary_search_by_key(&at, |(at, _)| *at).ok();
            let first = header.and_then(|header| self.entries.get(self.headers[header].1));
            let offset =
                (u64::from(directory.listing.offset) + u64::from(index.distance)) % METADATA_SIZE as u64;
            let to = MetadataRef { block: index.block, offset: offset as u16 };
            let fits = at > last
                && tables.directories.position(to) == Some(at)
                && first.is_some_and(|first| names[first.name.clone()] == *name);
            if !fits {
                return false;
            }
            last = at;
        }
        true
    }
}

/// What is wrong with a name. A path can have it if nothing is.
pub(super) fn name_fault(name: &[u8]) -> Option<Rule> {
    match name {
        b"." | b".." => return Some(Rule::NameDots),
        _ if name.contains(&b'/') => return Some(Rule::NameSlash),
        _ if name.contains(&0) => return Some(Rule::NameNul),
        _ if name.len() > LINUX_NAME_MAX => return Some(Rule::NameTooLong(name.len())),
        _ => {}
    }
    match str::from_utf8(name) {
        Err(_) => Some(Rule::NameNotUtf8),
        Ok(name) => name.chars().any(char::is_control).then_some(Rule::NameControl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(claimed: u32, names: &[&str]) -> Vec<u8> {
        let header = DirectoryHeader { count: claimed, inode_block: 7, number: 10 };
        let mut bytes = header.to_bytes();
        for name in names {
            let name_size = name.len() as u16 - 1;
            let entry = DirectoryEntry { inode_offset: 3, number_delta: -1, kind: 2, name_size };
            bytes.extend(entry.to_bytes());
            bytes.extend(name.as_bytes());
        }
        bytes
    }

    fn names(table: &[u8], listing: &Listing) -> Vec<String> {
        let name = |listed: &Listed| String::from_utf8(table[listed.name.clone()].to_vec()).unwrap();
        listing.entries.iter().map(name).collect()
    }

    #[test]
    fn entries_take_block_and_number_from_their_header() {
        let table = [&b"before"[..], &run(1, &["a", "bc"]), &run(0, &["d"])].concat();
        let listing = Listing::read(&table, 6..table.len(), 100);
        assert_eq!(
            (names(&table, &listing), listing.broken),
            (vec!["a".into(), "bc".into(), "d".into()], None)
        );
        assert_eq!(listing.entries[0].number, 9);
        assert_eq!(listing.entries[0].inode, MetadataRef { block: 7, offset: 3 });
        assert_eq!(Listing::read(&table, 6..table.len(), 2).entries.len(), 2);
        assert_eq!(Listing::read(&table, 6..6, 100).broken, None);
    }

    #[test]
    fn a_listing_is_read_as_far_as_it_goes() {
        let good = run(0, &["a"]);
        let cut = run(1, &["b"]);
        let too_many = run(256, &["b"; 257]);
        let cut_name = &run(0, &["b"])[..20];
        let long_name = run(0, &[&"n".repeat(257)]);
        for bad in [&cut[..], &too_many, cut_name, &long_name, &[0; 11]] {
            let table = [&good[..], bad].concat();
            let listing = Listing::read(&table, 0..table.len(), 1000);
            assert_eq!(listing.broken, Some(good.len() as u64));
            assert_eq!(names(&table, &listing)[0], "a");
        }
    }

    #[test]
    fn names_are_what_a_path_can_have() {
        assert_eq!(name_fault(b"..."), None);
        assert_eq!(name_fault(&[b'n'; 255]), None);
        assert_eq!(name_fault("\u{e9}".as_bytes()), None);
        let wrong: [(&[u8], Rule); 8] = [
            (b".", Rule::NameDots),
            (b"..", Rule::NameDots),
            (b"/", Rule::NameSlash),
            (b"../x", Rule::NameSlash),
            (b"a\0b", Rule::NameNul),
            (&[b'n'; 256], Rule::NameTooLong(256)),
            (b"\xff", Rule::NameNotUtf8),
            (b"a\nb", Rule::NameControl),
        ];
        for (name, rule) in wrong {
            assert_eq!(name_fault(name), Some(rule));
        }
    }
}

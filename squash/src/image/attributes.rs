//! The names of extended attributes. Their values are of no use to a checker, which refuses them all.

use super::metadata::Table;
use crate::format::{MetadataRef, XattrEntry, XattrId, XattrValue, xattr};

/// How many names of one inode are told, and how many bytes of each: there may be thousands of 64 KiB, the same ones for
/// every inode, and a reader gets the idea from a few.
const NAMES_MAX: usize = 4;
const SHOWN_MAX: usize = 64;

/// The attribute table of an image.
#[derive(Debug)]
pub(super) struct AttributeNames {
    sets: Vec<XattrId>,
    values: Table,
}

impl AttributeNames {
    pub(super) fn new(sets: Vec<XattrId>, values: Table) -> AttributeNames {
        AttributeNames { sets, values }
    }

    /// The first names in a set, as far as they can be read; nothing if there is no such set.
    pub(super) fn of(&self, set: u32) -> Option<Vec<String>> {
        let set = self.sets.get(usize::try_from(set).ok()?)?;
        let at = MetadataRef::unpack(set.at).and_then(|at| self.values.position(at));
        let mut rest = at.map_or(&[][..], |at| &self.values.bytes[at..]);
        let count = usize::try_from(set.count).unwrap_or(usize::MAX).min(NAMES_MAX);
        let mut names: Vec<String> = (0..count).map_while(|_| take_name(&mut rest)).collect();
        if set.count as usize > names.len() {
            names.push(format!("and {} more", set.count as usize - names.len()));
        }
        Some(names)
    }
}

/// Takes a name and its value off the front.
fn take_name(bytes: &mut &[u8]) -> Option<String> {
    let XattrEntry { kind, name_size } = XattrEntry::take(bytes)?;
    let name = bytes.split_off(..usize::from(name_size))?;
    let value = XattrValue::take(bytes)?;
    bytes.split_off(..usize::try_from(value.size).ok()?)?;
    let prefix = xattr::PREFIXES.iter().find(|(id, _)| *id == kind & !xattr::OUT_OF_LINE);
    Some(format!(
        "{}{}",
        prefix.map_or("", |(_, prefix)| prefix),
        name[..name.len().min(SHOWN_MAX)].escape_ascii()
    ))
}

//! The table of extended attributes.

use std::collections::HashMap;

use crate::format::{NO_TABLE, NO_XATTR, XattrEntry, XattrId, XattrTable, XattrValue, xattr};
use crate::metadata::{LookupTable, MetadataWriter};
use crate::numbering::Numbered;
use crate::output::Output;
use crate::tree::Attributes;
use crate::{Options, PackError, Tree};

/// Who has which attributes. Each set of them is stored once, however many have it: a whole tree has few labels.
pub(crate) struct AttributeSets<'a> {
    /// For each place of the tree, its set; nothing where no place has one.
    of_place: Vec<u32>,
    sets: Vec<&'a Attributes>,
}

impl<'a> AttributeSets<'a> {
    pub(crate) fn new(tree: &'a Tree, nodes: &[Numbered<'_>]) -> Result<AttributeSets<'a>, PackError> {
        let mut known: HashMap<&Attributes, u32> = HashMap::new();
        let mut sets = Vec::new();
        if !tree.has_attributes() {
            return Ok(AttributeSets { of_place: Vec::new(), sets });
        }
        let mut of_place = Vec::with_capacity(nodes.len());
        for node in nodes {
            let Some(attributes) = tree.attributes(node.path) else {
                of_place.push(NO_XATTR);
                continue;
            };
            let next = u32::try_from(sets.len()).ok().filter(|next| *next != NO_XATTR);
            let next = next.ok_or(PackError::TooLarge("table of extended attributes"))?;
            let set = *known.entry(attributes).or_insert(next);
            if set == next {
                sets.push(attributes);
            }
            of_place.push(set);
        }
        Ok(AttributeSets { of_place, sets })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// What the inode of a place says of its attributes.
    pub(crate) fn of(&self, place: usize) -> u32 {
        self.of_place.get(place).copied().unwrap_or(NO_XATTR)
    }

    /// Appends the table, if there is anything in it; returns what the superblock says of it.
    pub(crate) fn append(&self, output: &mut Output<'_>, options: &Options) -> Result<u64, PackError> {
        if self.is_empty() {
            return Ok(NO_TABLE);
        }
        let mut values = MetadataWriter::new("table of extended attributes", options)?;
        let mut ids = Vec::with_capacity(self.sets.len());
        for set in &self.sets {
            let at = values.position()?.packed();
            let bytes = encode(set);
            values.append(&bytes)?;
            ids.push(XattrId { at, count: set.len() as u32, size: bytes.len() as u32 });
        }
        let start = output.position();
        output.append(&values.finish()?)?;
        let table = LookupTable::new(ids.iter().map(|id| id.to_bytes()), output.position(), options)?;
        output.append(table.blocks())?;
        let position = output.position();
        output.append(&XattrTable { start, ids: ids.len() as u32, unused: 0 }.to_bytes())?;
        output.append(table.list())?;
        Ok(position)
    }
}

/// Names and values, one after the other. [`Tree::set_attribute`] has bounded both.
fn encode(set: &Attributes) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in set {
        let stored =
            |(kind, prefix): &(u16, &str)| name.strip_prefix(prefix).map(|rest| (*kind, rest.to_owned()));
        let Some((kind, rest)) = xattr::PREFIXES.iter().find_map(stored) else { continue };
        bytes.extend(XattrEntry { kind, name_size: rest.len() as u16 }.to_bytes());
        bytes.extend(rest.into_bytes());
        bytes.extend(XattrValue { size: value.len() as u32 }.to_bytes());
        bytes.extend(value);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Mode, Node, numbering};

    #[test]
    fn equal_sets_are_one() {
        let mut tree = Tree::new();
        for path in ["/a", "/b", "/c", "/d"] {
            let content = Content::Bytes(Vec::new());
            tree.insert(path.parse().unwrap(), Node::File { mode: Mode::FILE, content }).unwrap();
        }
        for (path, value) in [("/a", "label"), ("/c", "label"), ("/d", "other")] {
            tree.set_attribute(&path.parse().unwrap(), "security.selinux", value).unwrap();
        }
        let nodes = numbering::number(&tree).unwrap();
        let sets = AttributeSets::new(&tree, &nodes).unwrap();
        let of: Vec<u32> = (0..nodes.len()).map(|place| sets.of(place)).collect();
        assert_eq!((of, sets.sets.len()), (vec![NO_XATTR, 0, NO_XATTR, 0, 1], 2));
        assert_eq!(encode(sets.sets[0]), b"\x02\0\x07\0selinux\x05\0\0\0label");
    }
}

//! The tree as a flat list in which everything knows its parent, its children and its inode number.

use std::collections::HashMap;

use spec::TreePath;

use crate::{Node, PackError, Tree};

/// A node of the tree; places in the list are its order: a directory comes before everything below it.
#[derive(Debug)]
pub(crate) struct Numbered<'a> {
    pub(crate) path: &'a TreePath,
    pub(crate) node: &'a Node,
    /// Inode number: 1 for the root. The children of a directory have consecutive numbers in the order of their
    /// names, so that the entries after one directory header are never far apart; a hard link has that of its file.
    pub(crate) number: u32,
    /// Place of the file of which this is another name; nothing for all but hard links.
    pub(crate) file: Option<usize>,
    /// How many names it has.
    pub(crate) names: u32,
    /// Place of the directory that holds it; nothing for the root.
    pub(crate) parent: Option<usize>,
    /// Places of what a directory holds, in bytewise order of the names.
    pub(crate) children: Vec<usize>,
}

/// Numbers every node of the tree.
pub(crate) fn number(tree: &Tree) -> Result<Vec<Numbered<'_>>, PackError> {
    // The root's parent gets the number after the last, and that must exist too.
    u32::try_from(tree.facts().inodes + 1).map_err(|_| PackError::TooLarge("number of inodes"))?;

    let mut list = join(tree);
    let mut next = 2;
    for place in 0..list.len() {
        for child in list[place].children.clone() {
            if !list[child].is_hard_link() {
                list[child].number = next;
                next += 1;
            }
        }
    }
    find_files(&mut list);
    Ok(list)
}

impl Numbered<'_> {
    pub(crate) fn is_hard_link(&self) -> bool {
        matches!(self.node, Node::HardLink { .. })
    }
}

/// Joins hard links to their files, which have numbers.
fn find_files(list: &mut [Numbered<'_>]) {
    let mut linked: HashMap<&TreePath, usize> = list
        .iter()
        .filter_map(|node| match node.node {
            Node::HardLink { target } => Some((target, 0)),
            _ => None,
        })
        .collect();
    for (place, node) in list.iter().enumerate() {
        linked.entry(node.path).and_modify(|file| *file = place);
    }
    for place in 0..list.len() {
        if let Node::HardLink { target } = list[place].node {
            let file = linked[target];
            list[file].names += 1;
            list[place].file = Some(file);
            list[place].number = list[file].number;
        }
    }
}

/// The nodes in order, joined to their parents; all have number 1.
fn join(tree: &Tree) -> Vec<Numbered<'_>> {
    let mut list: Vec<Numbered<'_>> = Vec::new();
    let mut above: Vec<usize> = Vec::new();
    for (place, (path, node)) in tree.iter().enumerate() {
        // Only ancestors of this path stay; the last of them is its parent.
        above.truncate(path.components().count());
        let parent = above.last().copied();
        if let Some(parent) = parent {
            list[parent].children.push(place);
        }
        list.push(Numbered { path, node, number: 1, file: None, names: 1, parent, children: Vec::new() });
        above.push(place);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    #[test]
    fn children_are_numbered_in_a_row_and_know_their_parent() {
        let mut tree = Tree::new();
        for path in ["/a/x/deep", "/a/y", "/b", "/a-b/z"] {
            tree.insert(path.parse().unwrap(), Node::Directory { mode: Mode::DIRECTORY }).unwrap();
        }
        let list = number(&tree).unwrap();
        let told: Vec<_> = list
            .iter()
            .map(|node| {
                (node.path.as_str(), node.number, node.parent.map(|parent| list[parent].path.as_str()))
            })
            .collect();
        assert_eq!(
            told,
            [
                ("/", 1, None),
                ("/a", 2, Some("/")),
                ("/a/x", 5, Some("/a")),
                ("/a/x/deep", 7, Some("/a/x")),
                ("/a/y", 6, Some("/a")),
                ("/a-b", 3, Some("/")),
                ("/a-b/z", 8, Some("/a-b")),
                ("/b", 4, Some("/")),
            ]
        );
    }

    #[test]
    fn a_hard_link_has_the_number_of_its_file_and_takes_none_away() {
        let mut tree = Tree::new();
        let file = Node::File { mode: Mode::FILE, content: crate::Content::Bytes(Vec::new()) };
        tree.insert("/m".parse().unwrap(), file.clone()).unwrap();
        for path in ["/a", "/z/y"] {
            tree.insert(path.parse().unwrap(), Node::HardLink { target: "/m".parse().unwrap() }).unwrap();
        }
        tree.insert("/z/z".parse().unwrap(), file).unwrap();
        let list = number(&tree).unwrap();
        let told: Vec<_> =
            list.iter().map(|node| (node.path.as_str(), node.number, node.file, node.names)).collect();
        let expected = [("/", 1, None, 1), ("/a", 2, Some(2), 1), ("/m", 2, None, 3), ("/z", 3, None, 1)];
        assert_eq!(told[..4], expected);
        assert_eq!(told[4..], [("/z/y", 2, Some(2), 1), ("/z/z", 4, None, 1)]);
    }
}

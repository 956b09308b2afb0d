//! The tree as a flat list in which everything knows its parent, its children and its inode number.

use std::collections::HashMap;

use spec::TreePath;

use crate::{Node, PackError, Tree};

/// A node of the tree; places in the list are its order: a directory comes right before everything below it.
///
/// A tree may have as many of these as files, so places are kept in 32 bits.
#[derive(Debug)]
pub(crate) struct Numbered<'a> {
    pub(crate) path: &'a TreePath,
    pub(crate) node: &'a Node,
    /// Inode number: 1 for the root. The children of a directory have consecutive numbers in the order of their
    /// names, so that the entries after one directory header are never far apart; a hard link has that of its file.
    pub(crate) number: u32,
    /// How many names it has.
    pub(crate) names: u32,
    /// Its own place, or for a hard link that of its file.
    file: u32,
    /// Place of the directory that holds it; the root has its own.
    parent: u32,
    /// The place after everything below it.
    end: u32,
}

/// Numbers every node of the tree.
pub(crate) fn number(tree: &Tree) -> Result<Vec<Numbered<'_>>, PackError> {
    // The root's parent gets the number after the last, and that must exist too.
    u32::try_from(tree.len() + 1).map_err(|_| PackError::TooLarge("number of inodes"))?;

    let mut list = join(tree);
    let mut next = 2;
    for place in 0..list.len() {
        let mut child = place + 1;
        while child < list[place].end as usize {
            if !matches!(list[child].node, Node::HardLink { .. }) {
                list[child].number = next;
                next += 1;
            }
            child = list[child].end as usize;
        }
    }
    find_files(&mut list);
    Ok(list)
}

/// Places of what a directory holds, in bytewise order of the names.
pub(crate) fn children<'a>(list: &'a [Numbered<'_>], place: usize) -> impl Iterator<Item = usize> + 'a {
    let end = list[place].end as usize;
    let next = move |child: &usize| list.get(*child).map(|child| child.end as usize);
    std::iter::successors(Some(place + 1), next).take_while(move |child| *child < end)
}

impl Numbered<'_> {
    /// Place of the file of which a hard link is another name; of anything else its own.
    pub(crate) fn file(&self) -> usize {
        self.file as usize
    }

    /// Place of the directory that holds it; the root has its own.
    pub(crate) fn parent(&self) -> usize {
        self.parent as usize
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
            list[place].file = file as u32;
            list[place].number = list[file].number;
        }
    }
}

/// The nodes in order, joined to their parents; all have number 1.
fn join(tree: &Tree) -> Vec<Numbered<'_>> {
    let mut list: Vec<Numbered<'_>> = Vec::with_capacity(tree.len());
    let mut above: Vec<u32> = Vec::new();
    for (place, (path, node)) in (0u32..).zip(tree.iter()) {
        // Only ancestors of this path stay; the last of them is its parent.
        for ended in above.drain(path.components().count()..) {
            list[ended as usize].end = place;
        }
        let parent = above.last().copied().unwrap_or(place);
        list.push(Numbered { path, node, number: 1, names: 1, file: place, parent, end: 0 });
        above.push(place);
    }
    for ended in above {
        list[ended as usize].end = list.len() as u32;
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
            .map(|node| (node.path.as_str(), node.number, list[node.parent()].path.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("/", 1, "/"),
                ("/a", 2, "/"),
                ("/a/x", 5, "/a"),
                ("/a/x/deep", 7, "/a/x"),
                ("/a/y", 6, "/a"),
                ("/a-b", 3, "/"),
                ("/a-b/z", 8, "/a-b"),
                ("/b", 4, "/"),
            ]
        );
        let held: Vec<Vec<usize>> = (0..list.len()).map(|place| children(&list, place).collect()).collect();
        assert_eq!(held, [vec![1, 5, 7], vec![2, 4], vec![3], vec![], vec![], vec![6], vec![], vec![]]);
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
            list.iter().map(|node| (node.path.as_str(), node.number, node.file(), node.names)).collect();
        assert_eq!(told[..4], [("/", 1, 0, 1), ("/a", 2, 2, 1), ("/m", 2, 2, 3), ("/z", 3, 3, 1)]);
        assert_eq!(told[4..], [("/z/y", 2, 2, 1), ("/z/z", 4, 5, 1)]);
    }
}

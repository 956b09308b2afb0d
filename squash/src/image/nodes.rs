//! The tree: every name and the directory it is in, in the order of paths.

use std::cmp::Ordering;
use std::ops::Range;

use spec::TreePath;

use super::directory::name_fault;
use super::finding::Place;

/// Longest path that a finding shows, in bytes; what is before the end is left out.
const SHOWN_MAX: usize = 4096;

/// All names of an image, the root first. A directory is right before what it holds.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// The directory table, in which the names are.
    names: Vec<u8>,
}

/// One name. It is small because there are many.
#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    name: u32,
    name_len: u16,
    depth: u16,
    inode: u32,
}

/// A place in the tree that is about to become a node: a name in a directory, or nothing for the root.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) parent: usize,
    pub(super) name: Range<usize>,
}

impl Site {
    /// The root, which is the only one without a name.
    pub(super) fn root() -> Site {
        Site { parent: 0, name: 0..0 }
    }

    fn is_root(&self) -> bool {
        self.name.is_empty()
    }
}

impl Nodes {
    pub(super) fn new(names: Vec<u8>) -> Nodes {
        Nodes { nodes: Vec::new(), names }
    }

    /// Adds a name after everything that comes before it. Limits and the size of the table keep all numbers within
    /// their 32 bits, names their 16.
    pub(super) fn push(&mut self, site: &Site, inode: usize) -> usize {
        let depth = if site.is_root() { 0 } else { self.nodes[site.parent].depth.saturating_add(1) };
        self.nodes.push(Node {
            parent: site.parent as u32,
            name: site.name.start as u32,
            name_len: site.name.len() as u16,
            depth,
            inode: inode as u32,
        });
        self.nodes.len() - 1
    }

    /// The directory table.
    pub(super) fn names(&self) -> &[u8] {
        &self.names
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn inode(&self, node: usize) -> usize {
        self.nodes[node].inode as usize
    }

    pub(super) fn depth(&self, node: usize) -> u16 {
        self.nodes[node].depth
    }

    /// The directory that holds the node; the root holds itself.
    pub(super) fn parent(&self, node: usize) -> usize {
        self.nodes[node].parent as usize
    }

    /// The node and the directories above it, up to the root.
    pub(super) fn upwards(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |node| (*node != 0).then(|| self.parent(*node)))
    }

    /// Where something is to be found, for people.
    pub(super) fn place(&self, site: &Site) -> Place {
        if site.is_root() {
            return Place::Path("/".to_owned());
        }
        let mut shown = match self.shown(site.parent) {
            root if root == "/" => root,
            parent => parent + "/",
        };
        show(&self.names[site.name.clone()], &mut shown);
        Place::Path(shown)
    }

    /// The path of a node, for people.
    pub(super) fn shown(&self, node: usize) -> String {
        let mut names = Vec::new();
        let mut len = 0;
        for above in self.upwards(node) {
            if len > SHOWN_MAX {
                names.push(&b"..."[..]);
                break;
            }
            names.push(self.name(above));
            len += self.name(above).len();
        }
        let mut shown = String::new();
        for name in names.iter().rev().filter(|name| !name.is_empty()) {
            shown.push('/');
            show(name, &mut shown);
        }
        if shown.is_empty() { "/".to_owned() } else { shown }
    }

    /// The path of a node; nothing if no path can have one of its names, or if it is too long.
    pub(super) fn path(&self, node: usize) -> Option<TreePath> {
        let components = self.components(node);
        if components.is_empty() {
            return Some(TreePath::root());
        }
        let mut path = String::new();
        for name in components {
            if name_fault(name).is_some() {
                return None;
            }
            path.push('/');
            path.push_str(str::from_utf8(name).ok()?);
        }
        path.parse().ok()
    }

    /// The node with this path. Where a name is in a directory twice, it is one of the two.
    pub(super) fn find(&self, path: &TreePath) -> Option<usize> {
        let wanted: Vec<&[u8]> = path.components().map(str::as_bytes).collect();
        let mut nodes = 0..self.nodes.len();
        while !nodes.is_empty() {
            let middle = nodes.start + nodes.len() / 2;
            match self.components(middle).cmp(&wanted) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => nodes.start = middle + 1,
                Ordering::Greater => nodes.end = middle,
            }
        }
        None
    }

    fn components(&self, node: usize) -> Vec<&[u8]> {
        let mut components: Vec<&[u8]> = self.upwards(node).map(|above| self.name(above)).collect();
        // The root, which has no name.
        components.pop();
        components.reverse();
        components
    }

    fn name(&self, node: usize) -> &[u8] {
        let Node { name, name_len, .. } = self.nodes[node];
        &self.names[name as usize..name as usize + usize::from(name_len)]
    }
}

/// A name, for people.
pub(super) fn shown_name(name: &[u8]) -> String {
    let mut text = String::new();
    show(name, &mut text);
    text
}

/// Appends a name so that no byte of it does anything to a terminal.
fn show(name: &[u8], text: &mut String) {
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => text.extend(character.escape_default()),
                false => text.push(character),
            }
        }
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "a" with "b" and "c\n" in it, and "a-" beside it, in the order of paths.
    fn nodes() -> Nodes {
        let mut nodes = Nodes::new(b"abc\na-\xff".to_vec());
        let root = nodes.push(&Site::root(), 0);
        let a = nodes.push(&Site { parent: root, name: 0..1 }, 1);
        nodes.push(&Site { parent: a, name: 1..2 }, 2);
        nodes.push(&Site { parent: a, name: 2..4 }, 3);
        nodes.push(&Site { parent: root, name: 4..6 }, 4);
        nodes
    }

    #[test]
    fn paths_are_found_and_shown() {
        let nodes = nodes();
        for (node, path) in [(0, "/"), (1, "/a"), (2, "/a/b"), (4, "/a-")] {
            let path: TreePath = path.parse().unwrap();
            assert_eq!(nodes.find(&path), Some(node));
            assert_eq!(nodes.shown(node), path.as_str());
            assert_eq!(nodes.path(node), Some(path));
        }
        assert_eq!(nodes.path(3), None);
        assert_eq!(nodes.shown(3), "/a/c\\n");
        assert_eq!(nodes.place(&Site { parent: 0, name: 6..7 }), Place::Path("/\\xff".to_owned()));
        assert_eq!(nodes.find(&"/a/c".parse().unwrap()), None);
    }
}

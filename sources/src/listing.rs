//! What has been found in a source so far.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use spec::TreePath;
use squash::Content;

use crate::entry::{Entry, EntryKind};

/// Most entries of one source, all of which are kept in memory: five times those of the Linux source.
const MAX_ENTRIES: usize = 500_000;

/// Most bytes of all its names and link targets together: as many entries with names of usual length.
const MAX_NAMES: usize = 64 << 20;

/// Paths and what they name; each path once.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    nodes: BTreeMap<TreePath, Node>,
    /// Bytes of all names and link targets.
    names: usize,
}

/// What a path names.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Directory,
    File(Inode),
    /// A file with several names, which share its inode.
    Linked(Rc<Inode>),
    /// Another name of what is at this path in a layer below, because nothing was there before in this one.
    Below(TreePath),
    Symlink(String),
    Special(String),
}

/// A file without a name.
#[derive(Debug, Clone)]
pub(crate) struct Inode {
    pub mode: u32,
    pub content: Content,
}

impl Node {
    pub(crate) fn file(mode: u32, content: Content) -> Node {
        Node::File(Inode { mode: mode & 0o7777, content })
    }

    /// Another name of the same.
    pub(crate) fn link(&mut self) -> Node {
        *self = match std::mem::replace(self, Node::Directory) {
            Node::File(inode) => Node::Linked(Rc::new(inode)),
            other => other,
        };
        self.clone()
    }

    pub(crate) fn is_empty_file(&self) -> bool {
        match self {
            Node::File(inode) => inode.content.is_empty(),
            Node::Linked(inode) => inode.content.is_empty(),
            Node::Directory | Node::Below(_) | Node::Symlink(_) | Node::Special(_) => false,
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self, Node::Directory)
    }

    /// Bytes of its name and of the target that it has.
    pub(crate) fn names(&self, path: &TreePath) -> usize {
        match self {
            Node::Symlink(target) => path.as_str().len() + target.len(),
            Node::Below(target) => path.as_str().len() + target.as_str().len(),
            _ => path.as_str().len(),
        }
    }
}

impl Listing {
    /// Adds a path. Only a directory may come again: what else does means different things to different readers.
    pub(crate) fn insert(&mut self, path: TreePath, node: Node) -> Result<(), String> {
        if path == TreePath::root() && !node.is_directory() {
            return Err("its root is not a directory".to_owned());
        }
        match self.nodes.get(&path) {
            Some(Node::Directory) if node.is_directory() => return Ok(()),
            Some(_) => return Err(format!("it has {path} twice")),
            None => {}
        }
        self.names += node.names(&path);
        self.nodes.insert(path, node);
        check_size(self.nodes.len(), self.names)
    }

    /// Adds another name of what is at `target` already, which may be a link itself, or in a layer below.
    pub(crate) fn link(&mut self, path: TreePath, target: &TreePath) -> Result<(), String> {
        match self.nodes.get_mut(target) {
            Some(Node::Directory) => Err(format!("{path} is a hard link to the directory {target}")),
            Some(node) => {
                let node = node.link();
                self.insert(path, node)
            }
            None => self.insert(path, Node::Below(target.clone())),
        }
    }

    /// A listing of nodes that were checked when they came.
    pub(crate) fn of_nodes(nodes: BTreeMap<TreePath, Node>) -> Listing {
        Listing { nodes, names: 0 }
    }

    /// The paths with what they name.
    pub(crate) fn into_nodes(self) -> BTreeMap<TreePath, Node> {
        self.nodes
    }

    /// The entries in order, where there are no layers below. Whatever lies below something lies below a directory: a link
    /// above it would lead it elsewhere.
    pub(crate) fn into_entries(self) -> Result<Vec<Entry>, String> {
        let mut first_names: HashMap<*const Inode, TreePath> = HashMap::new();
        let mut leaf: Option<(TreePath, String)> = None;
        let mut entries = Vec::with_capacity(self.nodes.len());
        for (path, node) in self.nodes {
            if let Some((leaf, what)) = leaf.as_ref().filter(|(leaf, _)| path.is_within(leaf)) {
                return Err(format!("it has {path}, but {leaf} is {what}"));
            }
            leaf = match &node {
                Node::Directory => None,
                // A directory with attributes is one of these, and they are what is wrong.
                Node::Special(what) => Some((path.clone(), what.clone())),
                Node::File(_) | Node::Linked(_) | Node::Below(_) | Node::Symlink(_) => {
                    Some((path.clone(), "not a directory".to_owned()))
                }
            };
            let kind = match node {
                Node::Directory => EntryKind::Directory,
                Node::Symlink(target) => EntryKind::Symlink { target },
                Node::Special(what) => EntryKind::Special(what),
                Node::Below(target) => {
                    return Err(format!("{path} is a hard link to {target}, which is not before it"));
                }
                Node::File(Inode { mode, content }) => EntryKind::File { mode, content },
                Node::Linked(inode) => match first_names.get(&Rc::as_ptr(&inode)) {
                    Some(first) => EntryKind::HardLink { target: first.clone() },
                    None => {
                        first_names.insert(Rc::as_ptr(&inode), path.clone());
                        EntryKind::File { mode: inode.mode, content: inode.content.clone() }
                    }
                },
            };
            entries.push(Entry { path, kind });
        }
        Ok(entries)
    }
}

/// Is a source with so many entries, and so many bytes of names and link targets, small enough to be kept in memory?
pub(crate) fn check_size(entries: usize, names: usize) -> Result<(), String> {
    match () {
        () if entries > MAX_ENTRIES => Err(format!("it has more than {MAX_ENTRIES} entries")),
        () if names > MAX_NAMES => Err(format!("its names have more than {MAX_NAMES} bytes")),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn file() -> Node {
        Node::file(0o644, Content::Bytes(Vec::new()))
    }

    #[test]
    fn what_a_thing_is_that_is_no_directory_is_told() {
        for (node, what) in [(file(), "not a directory"), (Node::Special("a fifo".to_owned()), "a fifo")] {
            let mut listing = Listing::default();
            listing.insert(path("/d"), node).unwrap();
            listing.insert(path("/d/f"), file()).unwrap();
            let problem = listing.into_entries().unwrap_err();
            assert_eq!(problem, format!("it has /d/f, but /d is {what}"));
        }
    }

    #[test]
    fn the_first_name_is_the_file_whatever_was_there_first() {
        let mut listing = Listing::default();
        listing.insert(path("/b"), file()).unwrap();
        listing.link(path("/c"), &path("/b")).unwrap();
        listing.link(path("/a"), &path("/c")).unwrap();
        listing.insert(path("/d"), file()).unwrap();
        let entries = listing.into_entries().unwrap();
        let shown: Vec<_> = entries
            .iter()
            .map(|entry| match &entry.kind {
                EntryKind::File { .. } => entry.path.to_string(),
                EntryKind::HardLink { target } => format!("{} -> {target}", entry.path),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(shown, ["/a", "/b -> /a", "/c -> /a", "/d"]);
    }

    #[test]
    fn links_lead_to_what_is_there() {
        let mut listing = Listing::default();
        listing.insert(path("/d"), Node::Directory).unwrap();
        let refused = listing.link(path("/x"), &path("/d")).unwrap_err();
        assert_eq!(refused, "/x is a hard link to the directory /d");
        listing.link(path("/x"), &path("/y")).unwrap();
        listing.insert(path("/y"), file()).unwrap();
        assert_eq!(listing.into_entries().unwrap_err(), "/x is a hard link to /y, which is not before it");
    }

    #[test]
    fn a_path_is_there_once_and_below_directories() {
        let mut listing = Listing::default();
        listing.insert(path("/d"), Node::Directory).unwrap();
        listing.insert(path("/d"), Node::Directory).unwrap();
        assert_eq!(listing.insert(path("/d"), file()).unwrap_err(), "it has /d twice");
        assert!(listing.insert(path("/"), Node::Symlink("/etc".to_owned())).is_err());
        listing.insert(path("/l/x"), file()).unwrap();
        listing.insert(path("/l"), Node::Symlink("/etc".to_owned())).unwrap();
        listing.insert(path("/l-x"), file()).unwrap();
        assert_eq!(listing.into_entries().unwrap_err(), "it has /l/x, but /l is not a directory");
    }

    #[test]
    fn entries_and_names_are_counted() {
        let mut listing = Listing::default();
        listing.insert(path("/abc"), Node::Symlink("abcd".to_owned())).unwrap();
        listing.insert(path("/x"), file()).unwrap();
        assert_eq!(listing.names, 10);
        listing.names = MAX_NAMES;
        assert_eq!(
            listing.insert(path("/y"), file()).unwrap_err(),
            "its names have more than 67108864 bytes"
        );
        assert_eq!(check_size(MAX_ENTRIES, MAX_NAMES), Ok(()));
        assert_eq!(check_size(MAX_ENTRIES + 1, 0).unwrap_err(), "it has more than 500000 entries");
    }
}

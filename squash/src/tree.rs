//! What one image will hold.

use std::collections::BTreeMap;

use spec::artifact::ContentFacts;
use spec::listing::{Kind, Listing};
use spec::path::PATH_MAX;
use spec::{Diagnose, Outcome, TreePath};

use crate::format::xattr;
use crate::{Content, Mode};

/// Longest name of an extended attribute in bytes, and longest value: `XATTR_NAME_MAX` and `XATTR_SIZE_MAX`
/// (include/uapi/linux/limits.h).
const ATTRIBUTE_NAME_MAX: usize = 255;
const ATTRIBUTE_VALUE_MAX: usize = 65536;

/// One thing in an image.
#[derive(Debug, Clone)]
pub enum Node {
    /// A directory; what it holds has paths of its own.
    Directory {
        /// Permissions.
        mode: Mode,
    },
    /// A regular file.
    File {
        /// Permissions.
        mode: Mode,
        /// Its bytes.
        content: Content,
    },
    /// A symbolic link, always with mode 0777.
    Symlink {
        /// Where it points: 1 to [`PATH_MAX`] bytes without NUL. Whether that exists is not asked.
        target: String,
    },
    /// Another name of a file.
    HardLink {
        /// The file, which is in the tree and no hard link itself.
        target: TreePath,
    },
}

/// The extended attributes of one file, directory or link: values by full name, such as `security.selinux`.
pub(crate) type Attributes = BTreeMap<String, Vec<u8>>;

/// Paths in order, each directory right before what it holds; the parent of every path is there.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: BTreeMap<TreePath, Node>,
    attributes: BTreeMap<TreePath, Attributes>,
}

impl Tree {
    /// A tree with nothing but its root, a directory with mode 0755.
    pub fn new() -> Tree {
        let root = (TreePath::root(), Node::Directory { mode: Mode::DIRECTORY });
        Tree { nodes: BTreeMap::from([root]), attributes: BTreeMap::new() }
    }

    /// A tree of all these, whatever their order: what [`Tree::insert`] would make of them one by one, directories first
    /// and hard links last. It takes half the memory of a tree that grew node by node.
    pub fn of(mut nodes: Vec<(TreePath, Node)>) -> Result<Tree, TreeError> {
        nodes.push((TreePath::root(), Node::Directory { mode: Mode::DIRECTORY }));
        nodes.sort_by(|(one, _), (other, _)| one.cmp(other));
        for [(path, node), (next, again)] in nodes.array_windows() {
            if path == next && !meet(node, again) {
                return Err(TreeError::Taken { path: path.clone() });
            }
        }
        let mut tree = Tree { nodes: nodes.into_iter().collect(), attributes: BTreeMap::new() };
        let mut missing = Vec::new();
        for (path, node) in &tree.nodes {
            tree.check(path, node)?;
            missing.extend(tree.missing_parents(path)?);
        }
        tree.nodes.extend(missing.into_iter().map(|path| (path, Node::Directory { mode: Mode::DIRECTORY })));
        Ok(tree)
    }

    /// Adds a node, and the directories above it with mode 0755 where they are not there yet.
    ///
    /// A path can be added once; only a directory can come again, with the mode that it has. Nothing is added when
    /// this fails.
    pub fn insert(&mut self, path: TreePath, node: Node) -> Result<(), TreeError> {
        self.check(&path, &node)?;
        if let Some(present) = self.nodes.get(&path) {
            return if meet(present, &node) { Ok(()) } else { Err(TreeError::Taken { path }) };
        }
        for parent in self.missing_parents(&path)? {
            self.nodes.insert(parent, Node::Directory { mode: Mode::DIRECTORY });
        }
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Gives an extended attribute to what is at the path; one that it has already gets another value.
    ///
    /// The name begins with `user.`, `trusted.` or `security.`; squashfs has no others. All names of a file share its
    /// attributes, so they are given to its [`Node::File`].
    pub fn set_attribute(
        &mut self,
        path: &TreePath,
        name: &str,
        value: impl Into<Vec<u8>>,
    ) -> Result<(), TreeError> {
        let value = value.into();
        let refused = |reason| TreeError::Attribute { path: path.clone(), name: name.to_owned(), reason };
        let known =
            xattr::PREFIXES.iter().any(|(_, prefix)| name.len() > prefix.len() && name.starts_with(prefix));
        match self.nodes.get(path) {
            None => return Err(refused("nothing is there")),
            Some(Node::HardLink { .. }) => return Err(refused("that is a hard link")),
            Some(_) if !known => return Err(refused("squashfs has only user., trusted. and security.")),
            Some(_) if name.len() > ATTRIBUTE_NAME_MAX => {
                return Err(refused("the name has more than 255 bytes"));
            }
            Some(_) if name.contains('\0') => return Err(refused("the name has a NUL")),
            Some(_) if value.len() > ATTRIBUTE_VALUE_MAX => {
                return Err(refused("the value has more than 64 KiB"));
            }
            Some(_) => {}
        }
        self.attributes.entry(path.clone()).or_default().insert(name.to_owned(), value);
        Ok(())
    }

    /// Does anything have extended attributes?
    pub(crate) fn has_attributes(&self) -> bool {
        !self.attributes.is_empty()
    }

    /// The extended attributes of what is at the path, if it has some.
    pub(crate) fn attributes(&self, path: &TreePath) -> Option<&Attributes> {
        self.attributes.get(path)
    }

    /// Does the node say something that an image can say?
    fn check(&self, path: &TreePath, node: &Node) -> Result<(), TreeError> {
        match node {
            Node::Symlink { target } => check_target(path, target),
            Node::HardLink { target } => match self.nodes.get(target) {
                Some(Node::File { .. }) => Ok(()),
                _ => Err(TreeError::HardLink { path: path.clone(), target: target.clone() }),
            },
            Node::Directory { .. } | Node::File { .. } => Ok(()),
        }
    }

    /// The directories above `path` that are not there yet.
    fn missing_parents(&self, path: &TreePath) -> Result<Vec<TreePath>, TreeError> {
        let mut missing = Vec::new();
        let mut next = path.parent();
        while let Some(parent) = next {
            match self.nodes.get(&parent) {
                Some(Node::Directory { .. }) => break,
                Some(_) => return Err(TreeError::ParentNotDirectory { path: path.clone(), parent }),
                None => next = parent.parent(),
            }
            missing.push(parent);
        }
        Ok(missing)
    }

    /// What is at the path?
    pub fn get(&self, path: &TreePath) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Everything in order, the root first.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Node)> {
        self.nodes.iter()
    }

    /// How many paths there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The paths, for the search of collisions.
    pub fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        for (path, node) in &self.nodes {
            let kind = match node {
                Node::Directory { .. } => Kind::Directory,
                Node::File { .. } | Node::Symlink { .. } | Node::HardLink { .. } => Kind::Leaf,
            };
            listing.insert(path.clone(), kind);
        }
        listing
    }

    /// How much is in it, before compression; a file with several names counts once.
    pub fn facts(&self) -> ContentFacts {
        let mut facts = ContentFacts { inodes: 0, bytes: 0 };
        for node in self.nodes.values() {
            match node {
                Node::HardLink { .. } => continue,
                Node::File { content, .. } => facts.bytes = facts.bytes.saturating_add(content.len()),
                Node::Directory { .. } | Node::Symlink { .. } => {}
            }
            facts.inodes += 1;
        }
        facts
    }
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

/// May two nodes have one path?
fn meet(one: &Node, other: &Node) -> bool {
    match (one, other) {
        (Node::Directory { mode }, Node::Directory { mode: again }) => mode == again,
        _ => false,
    }
}

fn check_target(path: &TreePath, target: &str) -> Result<(), TreeError> {
    let reason = match target {
        "" => "is empty",
        // The kernel refuses to read an inode with a longer one (fs/squashfs/inode.c, `squashfs_read_inode`).
        _ if target.len() > PATH_MAX => "is longer than 4095 bytes",
        _ if target.contains('\0') => "has a NUL",
        _ => return Ok(()),
    };
    Err(TreeError::Target { path: path.clone(), reason })
}

/// The node cannot be part of the tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The path has been given to something else.
    #[error("{path} is in the tree already")]
    Taken {
        /// The path.
        path: TreePath,
    },
    /// A file or link is where a directory would have to be.
    #[error("{path} cannot be in the tree: {parent} is not a directory")]
    ParentNotDirectory {
        /// The path that was to be added.
        path: TreePath,
        /// What is in its way.
        parent: TreePath,
    },
    /// The kernel would not follow such a link.
    #[error("{path} cannot be in the tree: the target of the link {reason}")]
    Target {
        /// The link.
        path: TreePath,
        /// What is wrong with its target.
        reason: &'static str,
    },
    /// Only files have several names, and the first must be there.
    #[error(
        "{path} cannot be in the tree: {target}, of which it would be a hard link, is not a file of the tree"
    )]
    HardLink {
        /// The hard link.
        path: TreePath,
        /// What it links to.
        target: TreePath,
    },
    /// The attribute cannot be given.
    #[error("{path} cannot have the extended attribute {name:?}: {reason}")]
    Attribute {
        /// What was to have it.
        path: TreePath,
        /// Its name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Diagnose for TreeError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn file(bytes: &[u8]) -> Node {
        Node::File { mode: Mode::FILE, content: Content::Bytes(bytes.to_vec()) }
    }

    fn link(target: &str) -> Node {
        Node::Symlink { target: target.to_owned() }
    }

    #[test]
    fn parents_appear_and_everything_is_counted() {
        let mut tree = Tree::new();
        tree.insert(path("/usr/lib/x"), file(b"12345")).unwrap();
        tree.insert(path("/usr/lib/y"), link("x")).unwrap();
        assert_eq!(tree.facts(), ContentFacts { inodes: 5, bytes: 5 });
        assert_eq!(tree.listing().to_text(), "/usr/\n/usr/lib/\n/usr/lib/x\n/usr/lib/y\n");
        assert!(matches!(tree.get(&path("/usr")), Some(Node::Directory { mode: Mode::DIRECTORY })));
    }

    #[test]
    fn a_path_is_given_once_and_only_equal_directories_meet() {
        let private = Node::Directory { mode: Mode::new(0o700).unwrap() };
        let mut tree = Tree::new();
        tree.insert(path("/a/b"), file(b"")).unwrap();
        tree.insert(path("/a"), Node::Directory { mode: Mode::DIRECTORY }).unwrap();
        for (taken, node) in [("/a/b", file(b"")), ("/a", private.clone()), ("/a", link("b")), ("/", private)]
        {
            assert_eq!(tree.insert(path(taken), node), Err(TreeError::Taken { path: path(taken) }));
        }
    }

    #[test]
    fn nothing_lies_below_a_file_or_link() {
        let mut tree = Tree::new();
        tree.insert(path("/f"), file(b"")).unwrap();
        tree.insert(path("/l"), link("/usr")).unwrap();
        for (below, parent) in [("/f/x/y", "/f"), ("/l/x", "/l")] {
            let refused = TreeError::ParentNotDirectory { path: path(below), parent: path(parent) };
            assert_eq!(tree.insert(path(below), file(b"")), Err(refused));
        }
        assert_eq!(tree.facts().inodes, 3);
    }

    /// What the nodes make, at once and one by one.
    fn both_ways(nodes: &[(&str, Node)]) -> [Result<Vec<String>, TreeError>; 2] {
        let nodes = || nodes.iter().map(|(at, node)| (path(at), node.clone()));
        let mut one_by_one = Tree::new();
        let inserted = nodes().try_for_each(|(path, node)| one_by_one.insert(path, node));
        let show = |tree: Tree| tree.iter().map(|(path, node)| format!("{path} {node:?}")).collect();
        [Tree::of(nodes().collect()).map(show), inserted.map(|()| show(one_by_one))]
    }

    #[test]
    fn at_once_and_one_by_one_are_the_same() {
        let (dir, hard) =
            (Node::Directory { mode: Mode::DIRECTORY }, Node::HardLink { target: path("/usr/lib/x") });
        let private = Node::Directory { mode: Mode::new(0o700).unwrap() };
        let nodes = [
            ("/usr/lib/x", file(b"12345")),
            ("/a/b/c", link("x")),
            ("/usr", dir.clone()),
            ("/a", dir.clone()),
            ("/a", dir.clone()),
            ("/a/hard", hard.clone()),
            ("/a/private", private.clone()),
        ];
        let [at_once, one_by_one] = both_ways(&nodes);
        assert_eq!(at_once.as_ref().unwrap().len(), 9);
        assert_eq!(at_once, one_by_one);
        assert_eq!(both_ways(&[])[0].as_ref().unwrap().len(), 1);
        for (bad, node) in [
            ("/usr", file(b"")),
            ("/", file(b"")),
            ("/", private.clone()),
            ("/a/private", dir),
            ("/a/b/c", link("x")),
            ("/a/hard", link("x")),
            ("/usr/lib/x/y/z", file(b"")),
            ("/a/b/c/d", hard),
            ("/b", Node::HardLink { target: path("/a/b/c") }),
            ("/b", Node::HardLink { target: path("/c") }),
            ("/b", link("")),
        ] {
            let [at_once, one_by_one] = both_ways(&[&nodes[..], &[(bad, node)]].concat());
            assert_eq!(at_once.unwrap_err(), one_by_one.unwrap_err(), "{bad}");
        }
    }

    #[test]
    fn links_point_somewhere() {
        let mut tree = Tree::new();
        for bad in ["", "a\0b", &"a".repeat(4096)] {
            assert!(matches!(tree.insert(path("/l"), link(bad)), Err(TreeError::Target { .. })), "{bad:?}");
        }
        tree.insert(path("/l"), link(&"a".repeat(4095))).unwrap();
    }

    #[test]
    fn a_hard_link_is_a_name_of_a_file_that_is_there() {
        let mut tree = Tree::new();
        let to = |target: &str| Node::HardLink { target: path(target) };
        tree.insert(path("/f"), file(b"12345")).unwrap();
        tree.insert(path("/g"), to("/f")).unwrap();
        tree.insert(path("/s"), link("f")).unwrap();
        assert_eq!(tree.facts(), ContentFacts { inodes: 3, bytes: 5 });
        for bad in ["/g", "/s", "/", "/none"] {
            let refused = TreeError::HardLink { path: path("/h"), target: path(bad) };
            assert_eq!(tree.insert(path("/h"), to(bad)), Err(refused));
        }
    }

    #[test]
    fn attributes_have_names_and_values_that_squashfs_can_say() {
        let mut tree = Tree::new();
        tree.insert(path("/f"), file(b"")).unwrap();
        tree.insert(path("/g"), Node::HardLink { target: path("/f") }).unwrap();
        let long = format!("user.{}", "n".repeat(251));
        for (at, name, len) in [
            ("/none", "user.a", 0),
            ("/g", "user.a", 0),
            ("/f", "user.", 0),
            ("/f", "system.posix_acl_access", 0),
            ("/f", "user.a\0b", 0),
            ("/f", &long, 0),
            ("/f", "user.a", 65537),
        ] {
            assert!(tree.set_attribute(&path(at), name, vec![0; len]).is_err(), "{at} {name}");
        }
        tree.set_attribute(&path("/f"), &long[..255], vec![0; 65536]).unwrap();
        tree.set_attribute(&path("/"), "security.selinux", "first").unwrap();
        tree.set_attribute(&path("/"), "security.selinux", "second").unwrap();
        let expected = Attributes::from([("security.selinux".to_owned(), b"second".to_vec())]);
        assert_eq!(tree.attributes(&path("/")), Some(&expected));
    }
}

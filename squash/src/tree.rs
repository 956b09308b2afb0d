//! What one image will hold.

use std::collections::BTreeMap;

use spec::artifact::ContentFacts;
use spec::listing::{Kind, Listing};
use spec::{Diagnose, Outcome, TreePath};

use crate::{Content, Mode};

/// Longest target of a symbolic link in bytes: Linux `PATH_MAX` without its NUL. The kernel refuses to read an inode
/// with a longer one (fs/squashfs/inode.c, `squashfs_read_inode`).
const TARGET_MAX: usize = 4095;

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
        /// Where it points: 1 to 4095 bytes without NUL. Whether that exists is not asked.
        target: String,
    },
}

/// Paths in order, each directory right before what it holds; the parent of every path is there.
#[derive(Debug, Clone)]
pub struct Tree(BTreeMap<TreePath, Node>);

impl Tree {
    /// A tree with nothing but its root, a directory with mode 0755.
    pub fn new() -> Tree {
        Tree(BTreeMap::from([(TreePath::root(), Node::Directory { mode: Mode::DIRECTORY })]))
    }

    /// Adds a node, and the directories above it with mode 0755 where they are not there yet.
    ///
    /// A path can be added once; only a directory can come again, with the mode that it has. Nothing is added when
    /// this fails.
    pub fn insert(&mut self, path: TreePath, node: Node) -> Result<(), TreeError> {
        if let Node::Symlink { target } = &node {
            check_target(&path, target)?;
        }
        if let Some(present) = self.0.get(&path) {
            return match (present, &node) {
                (Node::Directory { mode }, Node::Directory { mode: again }) if mode == again => Ok(()),
                _ => Err(TreeError::Taken { path }),
            };
        }
        for parent in self.missing_parents(&path)? {
            self.0.insert(parent, Node::Directory { mode: Mode::DIRECTORY });
        }
        self.0.insert(path, node);
        Ok(())
    }

    /// The directories above `path` that are not there yet.
    fn missing_parents(&self, path: &TreePath) -> Result<Vec<TreePath>, TreeError> {
        let mut missing = Vec::new();
        let mut next = path.parent();
        while let Some(parent) = next {
            match self.0.get(&parent) {
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
        self.0.get(path)
    }

    /// Everything in order, the root first.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Node)> {
        self.0.iter()
    }

    /// The paths, for the search of collisions.
    pub fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        for (path, node) in &self.0 {
            let kind = match node {
                Node::Directory { .. } => Kind::Directory,
                Node::File { .. } | Node::Symlink { .. } => Kind::Leaf,
            };
            listing.insert(path.clone(), kind);
        }
        listing
    }

    /// How much is in it, before compression.
    pub fn facts(&self) -> ContentFacts {
        let bytes = self.0.values().fold(0u64, |sum, node| match node {
            Node::File { content, .. } => sum.saturating_add(content.len()),
            Node::Directory { .. } | Node::Symlink { .. } => sum,
        });
        ContentFacts { inodes: self.0.len() as u64, bytes }
    }
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

fn check_target(path: &TreePath, target: &str) -> Result<(), TreeError> {
    let reason = match target {
        "" => "is empty",
        _ if target.len() > TARGET_MAX => "is longer than 4095 bytes",
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

    #[test]
    fn links_point_somewhere() {
        let mut tree = Tree::new();
        for bad in ["", "a\0b", &"a".repeat(4096)] {
            assert!(matches!(tree.insert(path("/l"), link(bad)), Err(TreeError::Target { .. })), "{bad:?}");
        }
        tree.insert(path("/l"), link(&"a".repeat(4095))).unwrap();
    }
}

//! The needs of a tree that is not packed yet.

use std::io::Read;

use squash::{Content, Node, Tree};

use crate::{FILE_MAX, Needs, Thing, Unread, examine};

/// What an image of this tree would need.
pub fn of_tree(tree: &Tree) -> Needs {
    let mut needs = Needs::default();
    for (path, node) in tree.iter() {
        let node = match node {
            Node::HardLink { target } => tree.get(target).unwrap_or(node),
            own => own,
        };
        match node {
            Node::File { mode, content } => {
                let executable = mode.bits() & 0o111 != 0;
                let mut content = || read(content);
                examine(path, Thing::File { executable, content: &mut content }, &mut needs);
            }
            Node::Symlink { .. } => examine(path, Thing::Link, &mut needs),
            Node::Directory { .. } | Node::HardLink { .. } => examine(path, Thing::Directory, &mut needs),
        }
    }
    needs
}

fn read(content: &Content) -> Result<Vec<u8>, Unread> {
    if content.len() > FILE_MAX {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::new();
    let read = content.open().and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= FILE_MAX => Ok(bytes),
        Ok(_) => Err(Unread::TooLarge),
        Err(error) => Err(Unread::Broken(format!("cannot be read: {error}"))),
    }
}

//! Which files have the same bytes, so that they are stored once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};

use spec::TreePath;

use crate::numbering::Numbered;
use crate::{Content, Node, PackError};

/// Up to this length a file is kept in memory where it must be read for its hash and then for its content: 1 MiB, the
/// largest block.
const HELD_MAX: u64 = 1 << 20;

/// What is known of the files so far.
///
/// Only files of equal length can have the same bytes. The first of a length is hashed while it is packed; a later one
/// before that, and where the hash is known, the two are compared byte by byte. So what is read twice are duplicates,
/// and files above [`HELD_MAX`] that have the length of an earlier one by chance.
pub(super) struct Duplicates<'a> {
    nodes: &'a [Numbered<'a>],
    lengths: HashMap<u64, Length>,
    /// Places of files that were packed.
    originals: HashMap<Key, u32>,
}

/// The first half of the hash of a file: enough that nobody finds two files with the same, and what has the same is
/// compared.
type Key = [u8; blake3::OUT_LEN / 2];

/// The files of one length.
#[derive(Default)]
struct Length {
    files: u32,
    one_was_packed: bool,
}

/// How a file is to be packed.
#[derive(Debug)]
pub(super) enum Sharing<'a> {
    /// It has the bytes of the file at this place.
    CopyOf(usize),
    /// Nothing before it is the same.
    Own(Own<'a>),
}

/// A file with bytes of its own.
#[derive(Debug)]
pub(super) struct Own<'a> {
    /// Its content, which may be in memory by now.
    pub(super) content: Cow<'a, Content>,
    /// Its hash is wanted, because later files may be the same.
    pub(super) hash_wanted: bool,
    /// Its hash, if it has been read.
    hash: Option<blake3::Hash>,
}

impl<'a> Duplicates<'a> {
    pub(super) fn new(nodes: &'a [Numbered<'a>]) -> Duplicates<'a> {
        let mut lengths: HashMap<u64, Length> = HashMap::new();
        for content in nodes.iter().filter_map(content_of) {
            lengths.entry(content.len()).or_default().files += 1;
        }
        let most = lengths.values().map(|length| length.files as usize).filter(|files| *files > 1).sum();
        Duplicates { nodes, lengths, originals: HashMap::with_capacity(most) }
    }

    /// Is the file at this place the same as an earlier one?
    pub(super) fn find(&mut self, place: usize, content: &'a Content) -> Result<Sharing<'a>, PackError> {
        let own = |content, hash_wanted, hash| Sharing::Own(Own { content, hash_wanted, hash });
        match self.lengths.get_mut(&content.len()) {
            Some(length) if length.files > 1 && length.one_was_packed => {}
            Some(length) if length.files > 1 => {
                length.one_was_packed = true;
                return Ok(own(Cow::Borrowed(content), true, None));
            }
            _ => return Ok(own(Cow::Borrowed(content), false, None)),
        }
        let held = if content.len() <= HELD_MAX {
            Cow::Owned(self.hold(place, content)?)
        } else {
            Cow::Borrowed(content)
        };
        let hash = self.hash(place, &held)?;
        match self.originals.get(&key(&hash)).map(|original| *original as usize) {
            Some(original) => {
                self.compare(original, place, &held)?;
                Ok(Sharing::CopyOf(original))
            }
            None => Ok(own(held, true, Some(hash))),
        }
    }

    /// Remembers a file by the hash of the bytes that went into the image.
    pub(super) fn remember(
        &mut self,
        place: usize,
        own: &Own<'_>,
        hash: blake3::Hash,
    ) -> Result<(), PackError> {
        if own.hash.is_some_and(|before| before != hash) {
            return Err(PackError::Changed { path: self.path(place) });
        }
        self.originals.insert(key(&hash), place as u32);
        Ok(())
    }

    fn hold(&self, place: usize, content: &Content) -> Result<Content, PackError> {
        let mut bytes = Vec::with_capacity(content.len() as usize);
        let read = content.reader().and_then(|mut reader| reader.fill(&mut bytes, u64::MAX));
        read.map_err(|source| self.unreadable(place, source))?;
        Ok(Content::Bytes(bytes))
    }

    fn hash(&self, place: usize, content: &Content) -> Result<blake3::Hash, PackError> {
        let mut hasher = blake3::Hasher::new();
        let hashed = content.open().and_then(|reader| hasher.update_reader(reader).map(|_| ()));
        hashed.map_err(|source| self.unreadable(place, source))?;
        Ok(hasher.finalize())
    }

    /// Holds a file against the original with its hash, from whose source the same bytes must come as before.
    fn compare(&self, original: usize, place: usize, content: &Content) -> Result<(), PackError> {
        let Some(packed) = content_of(&self.nodes[original]) else { return Ok(()) };
        let mut packed = packed.open().map_err(|source| self.unreadable(original, source))?;
        let mut content = content.open().map_err(|source| self.unreadable(place, source))?;
        let (mut one, mut other) = (Vec::new(), Vec::new());
        loop {
            next(&mut packed, &mut one).map_err(|source| self.unreadable(original, source))?;
            next(&mut content, &mut other).map_err(|source| self.unreadable(place, source))?;
            if one != other {
                return Err(PackError::Changed { path: self.path(original) });
            }
            if one.is_empty() {
                return Ok(());
            }
        }
    }

    fn unreadable(&self, place: usize, source: io::Error) -> PackError {
        PackError::Read { path: self.path(place), source }
    }

    fn path(&self, place: usize) -> TreePath {
        self.nodes[place].path.clone()
    }
}

fn key(hash: &blake3::Hash) -> Key {
    *hash.as_bytes().first_chunk().expect("a hash is longer than its half")
}

fn content_of<'a>(node: &Numbered<'a>) -> Option<&'a Content> {
    match node.node {
        Node::File { content, .. } => Some(content),
        Node::Directory { .. } | Node::Symlink { .. } | Node::HardLink { .. } => None,
    }
}

/// Reads the next 64 KiB, or what is left.
fn next(reader: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    reader.take(64 << 10).read_to_end(bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::{Mode, Tree, numbering};

    fn tree(files: &[(&str, Content)]) -> Tree {
        let mut tree = Tree::new();
        for (path, content) in files {
            let node = Node::File { mode: Mode::FILE, content: content.clone() };
            tree.insert(path.parse().unwrap(), node).unwrap();
        }
        tree
    }

    /// Asks for every file in order, and remembers it as the packer would.
    fn find_all(tree: &Tree) -> Result<Vec<Option<usize>>, PackError> {
        let nodes = numbering::number(tree).unwrap();
        let mut duplicates = Duplicates::new(&nodes);
        let mut found = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            let Some(content) = content_of(node) else { continue };
            match duplicates.find(place, content)? {
                Sharing::CopyOf(original) => found.push(Some(original)),
                Sharing::Own(own) => {
                    let hash = duplicates.hash(place, &own.content)?;
                    if own.hash_wanted {
                        duplicates.remember(place, &own, hash)?;
                    }
                    found.push(None);
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn equal_files_are_found_and_the_rest_is_left_alone() {
        let bytes = |text: &str| Content::Bytes(text.as_bytes().to_vec());
        let files = [("/a", "same"), ("/b", "diff"), ("/c", "same"), ("/d", "longer"), ("/e", "diff")];
        let tree = tree(&files.map(|(path, text)| (path, bytes(text))));
        assert_eq!(find_all(&tree).unwrap(), [None, None, Some(1), None, Some(2)]);
    }

    #[test]
    fn an_original_that_changed_after_it_was_packed_is_an_error() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"same").unwrap();
        let (dir, path) = (Arc::new("/".into()), file.path().to_str().unwrap().parse().unwrap());
        let tree =
            tree(&[("/a", Content::Path { dir, path, len: 4 }), ("/b", Content::Bytes(b"same".to_vec()))]);
        let nodes = numbering::number(&tree).unwrap();
        let mut duplicates = Duplicates::new(&nodes);
        let Ok(Sharing::Own(own)) = duplicates.find(1, content_of(&nodes[1]).unwrap()) else { panic!() };
        duplicates.remember(1, &own, blake3::hash(b"same")).unwrap();
        std::fs::write(file.path(), "diff").unwrap();
        let error = duplicates.find(2, content_of(&nodes[2]).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "/a: its content changed while it was being packed");
    }
}

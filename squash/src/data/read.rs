//! Reads the content of all files and cuts it into the blocks of the image. What is read twice, `duplicates` tells.

use super::duplicates::{Duplicates, Own, Sharing};
use super::fragments::{FragmentRef, Fragments};
use super::store::Packed;
use crate::numbering::Numbered;
use crate::parallel::{Queue, Stopped};
use crate::{Content, Node, PackError};

/// Something to store; pieces come in the order of the image.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) of: Of,
    /// How many bytes of content are dealt with when it is stored.
    pub(super) done: u64,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The next block of the file at this place.
    File(usize),
    /// A block with the content of several small files.
    Fragments,
}

/// How the content of a file is stored, as far as it can be told before it is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// In blocks of its own, or not at all because it has no bytes.
    Blocks,
    /// With others in a block.
    Fragment(FragmentRef),
    /// Where the file at this place is, which is like no other.
    Like(u32),
}

/// Reads all files in order and pushes their pieces; returns how each node is stored.
pub(super) fn read(
    nodes: &[Numbered<'_>],
    block_size: usize,
    queue: &Queue<Piece, Result<Packed, PackError>>,
) -> Result<Vec<Stored>, PackError> {
    let (duplicates, fragments) = (Duplicates::new(nodes), Fragments::new(block_size));
    let mut reader = Reader { nodes, block_size, duplicates, fragments, done: 0, queue };
    let mut stored = Vec::with_capacity(nodes.len());
    for (place, node) in nodes.iter().enumerate() {
        stored.push(match node.node {
            Node::File { content, .. } => reader.read_file(place, content)?,
            Node::Directory { .. } | Node::Symlink { .. } | Node::HardLink { .. } => Stored::Blocks,
        });
    }
    if let Some(block) = reader.fragments.take()? {
        reader.push(block, Of::Fragments)?;
    }
    Ok(stored)
}

struct Reader<'a, 'p> {
    nodes: &'a [Numbered<'a>],
    block_size: usize,
    duplicates: Duplicates<'a>,
    fragments: Fragments,
    /// Bytes of content that have been read.
    done: u64,
    queue: &'p Queue<Piece, Result<Packed, PackError>>,
}

impl<'a> Reader<'a, '_> {
    fn read_file(&mut self, place: usize, content: &'a Content) -> Result<Stored, PackError> {
        match self.duplicates.find(place, content)? {
            Sharing::CopyOf(original) => {
                self.done += content.len();
                Ok(Stored::Like(original as u32))
            }
            Sharing::Own(own) => self.read_own(place, &own),
        }
    }

    fn read_own(&mut self, place: usize, own: &Own<'_>) -> Result<Stored, PackError> {
        let path = self.nodes[place].path;
        let failed = |source| PackError::Read { path: path.clone(), source };
        let mut reader = own.content.reader().map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        let mut stored = Stored::Blocks;
        loop {
            let left = own.content.len().min(self.block_size as u64);
            let mut block = Vec::with_capacity(left as usize);
            reader.fill(&mut block, self.block_size as u64).map_err(failed)?;
            if block.is_empty() {
                break;
            }
            if own.hash_wanted {
                hasher.update(&block);
            }
            self.done += block.len() as u64;
            if own.content.len() < self.block_size as u64 {
                let (complete, fragment) = self.fragments.add(path, &block)?;
                if let Some(complete) = complete {
                    self.push(complete, Of::Fragments)?;
                }
                stored = Stored::Fragment(fragment);
            } else {
                self.push(block, Of::File(place))?;
            }
        }
        if own.hash_wanted {
            self.duplicates.remember(place, own, hasher.finalize())?;
        }
        Ok(stored)
    }

    fn push(&mut self, bytes: Vec<u8>, of: Of) -> Result<(), PackError> {
        self.queue.push(Piece { bytes, of, done: self.done }).map_err(|Stopped| PackError::Stopped)
    }
}

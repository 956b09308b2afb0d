//! The inode table and the directory table.

use crate::data::Data;
use crate::format::{DirectoryInode, EntryKind, InodeBase, MetadataRef, SymlinkInode};
use crate::listing::{self, Child};
use crate::metadata::MetadataWriter;
use crate::numbering::Numbered;
use crate::{Mode, Node, Options, PackError};

/// Both tables, and where the inode of everything is.
pub(crate) struct Inodes {
    pub(crate) inode_table: Vec<u8>,
    pub(crate) directory_table: Vec<u8>,
    pub(crate) root: MetadataRef,
    /// By inode number, from 1 on.
    pub(crate) by_number: Vec<MetadataRef>,
}

/// Writes the inodes of all nodes and the lists of all directories.
///
/// A list says where the inodes in it are, and the inode of a directory says where its list is. So directories are
/// written from the last to the first, which is children before parents: what one holds besides directories, its
/// list, its own inode.
pub(crate) fn write(nodes: &[Numbered<'_>], data: &Data, options: &Options) -> Result<Inodes, PackError> {
    let mut tables = Tables {
        nodes,
        mtime: options.mtime,
        inodes: MetadataWriter::new("inode table", options.level)?,
        directories: MetadataWriter::new("directory table", options.level)?,
        written: vec![MetadataRef::default(); nodes.len()],
    };
    for (place, node) in nodes.iter().enumerate().rev() {
        if let Node::Directory { mode } = node.node {
            tables.write_leaves(node, data)?;
            tables.write_directory(place, *mode)?;
        }
    }
    tables.finish()
}

struct Tables<'a> {
    nodes: &'a [Numbered<'a>],
    mtime: u32,
    inodes: MetadataWriter,
    directories: MetadataWriter,
    /// Where the inode of each place is; meaningless until it is written.
    written: Vec<MetadataRef>,
}

impl<'a> Tables<'a> {
    /// Writes the inodes of the files and links in a directory.
    fn write_leaves(&mut self, directory: &Numbered<'_>, data: &Data) -> Result<(), PackError> {
        for &place in &directory.children {
            let bytes = match self.nodes[place].node {
                Node::Directory { .. } => continue,
                Node::File { mode, .. } => data.files[place].to_bytes(self.base(place, *mode)),
                Node::Symlink { target } => SymlinkInode { target }.to_bytes(self.base(place, Mode::ALL)),
            };
            self.append_inode(place, &bytes)?;
        }
        Ok(())
    }

    /// Writes the list and the inode of a directory whose children all have inodes.
    fn write_directory(&mut self, place: usize, mode: Mode) -> Result<(), PackError> {
        let directory = &self.nodes[place];
        let children: Vec<Child<'a>> = directory.children.iter().map(|&child| self.child(child)).collect();
        let subdirectories = children.iter().filter(|child| child.kind == EntryKind::Directory).count();
        let inode = DirectoryInode {
            listing: listing::write(&mut self.directories, &children)?,
            links: u32::try_from(2 + subdirectories).map_err(|_| PackError::TooLarge("number of inodes"))?,
            parent: directory.parent.map_or(self.nodes.len() as u32 + 1, |parent| self.nodes[parent].number),
        };
        let bytes = inode.to_bytes(self.base(place, mode));
        self.append_inode(place, &bytes)
    }

    fn child(&self, place: usize) -> Child<'a> {
        let node = &self.nodes[place];
        Child {
            name: node.path.file_name().unwrap_or_default(),
            kind: match node.node {
                Node::Directory { .. } => EntryKind::Directory,
                Node::File { .. } => EntryKind::File,
                Node::Symlink { .. } => EntryKind::Symlink,
            },
            number: node.number,
            inode: self.written[place],
        }
    }

    fn base(&self, place: usize, mode: Mode) -> InodeBase {
        InodeBase { mode, mtime: self.mtime, number: self.nodes[place].number }
    }

    fn append_inode(&mut self, place: usize, bytes: &[u8]) -> Result<(), PackError> {
        self.written[place] = self.inodes.position()?;
        self.inodes.append(bytes)
    }

    fn finish(self) -> Result<Inodes, PackError> {
        let mut by_number: Vec<(u32, MetadataRef)> =
            self.nodes.iter().map(|node| node.number).zip(self.written.iter().copied()).collect();
        by_number.sort_by_key(|(number, _)| *number);
        Ok(Inodes {
            root: self.written[0],
            by_number: by_number.into_iter().map(|(_, inode)| inode).collect(),
            inode_table: self.inodes.finish()?,
            directory_table: self.directories.finish()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{FileInode, METADATA_RAW};
    use crate::{Content, Tree, numbering};

    #[test]
    fn every_number_leads_to_its_inode() {
        let mut tree = Tree::new();
        for path in ["/a/x/deep", "/a/y", "/b", "/c/z"] {
            let content = Content::Bytes(Vec::new());
            tree.insert(path.parse().unwrap(), Node::File { mode: Mode::FILE, content }).unwrap();
        }
        let nodes = numbering::number(&tree).unwrap();
        let data = Data { files: vec![FileInode::default(); nodes.len()], fragments: Vec::new() };
        let inodes = write(&nodes, &data, &Options::default()).unwrap();

        assert_eq!(u16::from_le_bytes([inodes.inode_table[0], inodes.inode_table[1]]) & METADATA_RAW, 0);
        let table = zstd::bulk::decompress(&inodes.inode_table[2..], 8192).unwrap();
        let number_at = |inode: &MetadataRef| {
            let at = usize::from(inode.offset) + 12; // inode_number of struct squashfs_base_inode
            u32::from_le_bytes(table[at..at + 4].try_into().unwrap())
        };
        let numbers: Vec<u32> = inodes.by_number.iter().map(number_at).collect();
        assert_eq!(numbers, (1..=nodes.len() as u32).collect::<Vec<_>>());
        assert_eq!(number_at(&inodes.root), 1);
    }
}

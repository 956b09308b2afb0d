//! The inode table and the directory table.

use crate::attributes::AttributeSets;
use crate::data::{Data, FileData};
use crate::format::{
    Directory, DirectoryIndex, ExtendedDirectory, ExtendedFile, File, InodeBase, LISTING_DOTS, MetadataRef,
    NO_FRAGMENT, NO_XATTR, Symlink, inode,
};
use crate::listing::{self, Child, Listing};
use crate::metadata::MetadataWriter;
use crate::numbering::{Numbered, children};
use crate::{Mode, Node, Options, PackError};

/// The ID table: root, for owner and group. An image has no other owner, whoever owns its sources.
pub(crate) const IDS: [u32; 1] = [0];

/// The place of that owner in the ID table.
const OWNER: u16 = 0;

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
/// list, its own inode. A file with several names is written for the first of them that is come across.
pub(crate) fn write(
    nodes: &[Numbered<'_>],
    data: &Data,
    attributes: &AttributeSets<'_>,
    options: &Options,
) -> Result<Inodes, PackError> {
    let mut tables = Tables {
        nodes,
        attributes,
        mtime: options.mtime,
        inodes: MetadataWriter::new("inode table", options)?,
        directories: MetadataWriter::new("directory table", options)?,
        written: vec![None; nodes.len()],
    };
    for (place, node) in nodes.iter().enumerate().rev() {
        if let Node::Directory { mode } = node.node {
            tables.write_leaves(place, data)?;
            tables.write_directory(place, *mode)?;
        }
    }
    tables.finish()
}

struct Tables<'a> {
    nodes: &'a [Numbered<'a>],
    attributes: &'a AttributeSets<'a>,
    mtime: u32,
    inodes: MetadataWriter,
    directories: MetadataWriter,
    /// Where the inode of each place is, once it is written.
    written: Vec<Option<MetadataRef>>,
}

impl<'a> Tables<'a> {
    /// Writes the inodes of the files and links in a directory.
    fn write_leaves(&mut self, directory: usize, data: &Data) -> Result<(), PackError> {
        for child in children(self.nodes, directory) {
            let place = self.nodes[child].file();
            if self.written[place].is_some() {
                continue;
            }
            let bytes = match self.nodes[place].node {
                Node::Directory { .. } | Node::HardLink { .. } => continue,
                Node::File { mode, .. } => self.file(place, *mode, &data.of(place)),
                Node::Symlink { target } => self.symlink(place, target),
            };
            self.append(place, &bytes)?;
        }
        Ok(())
    }

    /// Writes the list and the inode of a directory whose children all have inodes.
    fn write_directory(&mut self, place: usize, mode: Mode) -> Result<(), PackError> {
        let children: Vec<Child<'a>> = children(self.nodes, place).map(|child| self.child(child)).collect();
        let listing = listing::write(&mut self.directories, &children)?;
        let subdirectories = children.iter().filter(|child| child.kind == inode::DIRECTORY).count();
        let bytes = self.directory(place, mode, &listing, subdirectories as u32);
        self.append(place, &bytes)
    }

    fn child(&self, place: usize) -> Child<'a> {
        let node = &self.nodes[place];
        Child {
            name: node.path.file_name().unwrap_or_default(),
            kind: match node.node {
                Node::Directory { .. } => inode::DIRECTORY,
                Node::File { .. } | Node::HardLink { .. } => inode::FILE,
                Node::Symlink { .. } => inode::SYMLINK,
            },
            number: node.number,
            inode: self.written[node.file()].unwrap_or_default(),
        }
    }

    /// A regular file. It is extended where a field of the plain form is too narrow or missing.
    fn file(&self, place: usize, mode: Mode, data: &FileData<'_>) -> Vec<u8> {
        let names = self.nodes[place].names;
        let size = match &self.nodes[place].node {
            Node::File { content, .. } => content.len(),
            _ => 0,
        };
        let (fragment, offset) = data.fragment.map_or((NO_FRAGMENT, 0), |at| (at.index, at.offset));
        let xattr = self.attributes.of(place);
        let narrow = (u32::try_from(data.start), u32::try_from(size), data.sparse, names, xattr);
        let mut bytes = match narrow {
            (Ok(start), Ok(size), 0, 1, NO_XATTR) => {
                let file = File { start, fragment, offset, size };
                [self.base(place, inode::FILE, mode), file.to_bytes()].concat()
            }
            _ => {
                let file = ExtendedFile {
                    start: data.start,
                    size,
                    // A file of zeros still has one byte, as mksquashfs has it: the kernel takes it off the size for the
                    // number of blocks that are used, which must not be none.
                    sparse: data.sparse.min(size.saturating_sub(1)),
                    links: names,
                    fragment,
                    offset,
                    xattr,
                };
                [self.base(place, inode::FILE + inode::EXTENDED, mode), file.to_bytes()].concat()
            }
        };
        bytes.extend(data.blocks.iter().flat_map(|size| size.to_le_bytes()));
        bytes
    }

    /// A symbolic link, extended for its attributes.
    fn symlink(&self, place: usize, target: &str) -> Vec<u8> {
        let symlink = Symlink { links: 1, size: target.len() as u32 }.to_bytes();
        let xattr = self.attributes.of(place);
        let (kind, end) = match xattr {
            NO_XATTR => (inode::SYMLINK, Vec::new()),
            _ => (inode::SYMLINK + inode::EXTENDED, xattr.to_le_bytes().to_vec()),
        };
        [self.base(place, kind, Mode::ALL), symlink, target.as_bytes().to_vec(), end].concat()
    }

    /// A directory, extended where its list is long or it has attributes.
    fn directory(&self, place: usize, mode: Mode, listing: &Listing, subdirectories: u32) -> Vec<u8> {
        let directory = &self.nodes[place];
        let parent = match place {
            // The parent of the root has the number after the last.
            0 => self.last_number() + 1,
            _ => self.nodes[directory.parent()].number,
        };
        let (links, xattr) = (2 + subdirectories, self.attributes.of(place));
        let MetadataRef { block: start, offset } = listing.start;
        let size = listing.size + LISTING_DOTS;
        if let (Ok(size), [], NO_XATTR) = (u16::try_from(size), listing.index.as_slice(), xattr) {
            let inode = Directory { start, links, size, offset, parent };
            return [self.base(place, inode::DIRECTORY, mode), inode.to_bytes()].concat();
        }
        // An index entry only saves time, so those that cannot be counted may be missing.
        let index_count = u16::try_from(listing.index.len()).unwrap_or(u16::MAX);
        let inode = ExtendedDirectory { links, size, start, parent, index_count, offset, xattr };
        let mut bytes =
            [self.base(place, inode::DIRECTORY + inode::EXTENDED, mode), inode.to_bytes()].concat();
        for entry in listing.index.iter().take(index_count.into()) {
            let name_size = entry.name.len() as u32 - 1;
            let index = DirectoryIndex { distance: entry.distance, block: entry.block, name_size };
            bytes.extend(index.to_bytes());
            bytes.extend(entry.name.as_bytes());
        }
        bytes
    }

    fn base(&self, place: usize, kind: u16, mode: Mode) -> Vec<u8> {
        let (mode, mtime, number) = (mode.bits(), self.mtime, self.nodes[place].number);
        InodeBase { kind, mode, uid: OWNER, gid: OWNER, mtime, number }.to_bytes()
    }

    fn append(&mut self, place: usize, bytes: &[u8]) -> Result<(), PackError> {
        self.written[place] = Some(self.inodes.position()?);
        self.inodes.append(bytes)
    }

    fn last_number(&self) -> u32 {
        self.nodes.iter().map(|node| node.number).max().unwrap_or_default()
    }

    fn finish(self) -> Result<Inodes, PackError> {
        let mut by_number = vec![MetadataRef::default(); self.last_number() as usize];
        for (node, written) in self.nodes.iter().zip(&self.written) {
            if let Some(inode) = written {
                // Numbers begin with 1.
                by_number[node.number as usize - 1] = *inode;
            }
        }
        Ok(Inodes {
            root: self.written[0].unwrap_or_default(),
            by_number,
            inode_table: self.inodes.finish()?,
            directory_table: self.directories.finish()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Stored;
    use crate::format::METADATA_RAW;
    use crate::listing::IndexEntry;
    use crate::{Content, Tree, numbering};

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::new();
        for path in paths {
            let content = Content::Bytes(Vec::new());
            tree.insert(path.parse().unwrap(), Node::File { mode: Mode::FILE, content }).unwrap();
        }
        tree
    }

    /// Has `ask` look at the tables of a tree before anything is written.
    fn with_tables(tree: &Tree, ask: impl FnOnce(&Tables<'_>)) {
        let nodes = numbering::number(tree).unwrap();
        let attributes = AttributeSets::new(tree, &nodes).unwrap();
        let writer = || MetadataWriter::new("table", &Options::default()).unwrap();
        let written = vec![None; nodes.len()];
        ask(&Tables {
            nodes: &nodes,
            attributes: &attributes,
            mtime: 7,
            inodes: writer(),
            directories: writer(),
            written,
        });
    }

    fn shape(bytes: &[u8]) -> (u16, usize) {
        (u16::from_le_bytes([bytes[0], bytes[1]]), bytes.len())
    }

    #[test]
    fn every_number_leads_to_its_inode() {
        let mut tree = tree(&["/a/x/deep", "/a/y", "/b", "/c/z"]);
        tree.insert("/0".parse().unwrap(), Node::HardLink { target: "/c/z".parse().unwrap() }).unwrap();
        let nodes = numbering::number(&tree).unwrap();
        let mut data = Data::default();
        data.stored.resize(nodes.len(), Stored::Blocks);
        let attributes = AttributeSets::new(&tree, &nodes).unwrap();
        let inodes = write(&nodes, &data, &attributes, &Options::default()).unwrap();

        assert_eq!(u16::from_le_bytes([inodes.inode_table[0], inodes.inode_table[1]]) & METADATA_RAW, 0);
        let table = zstd::bulk::decompress(&inodes.inode_table[2..], 8192).unwrap();
        let number_at =
            |inode: &MetadataRef| InodeBase::take(&mut &table[inode.offset.into()..]).unwrap().number;
        let numbers: Vec<u32> = inodes.by_number.iter().map(number_at).collect();
        assert_eq!(numbers, (1..nodes.len() as u32).collect::<Vec<_>>());
        assert_eq!(number_at(&inodes.root), 1);
    }

    #[test]
    fn a_file_inode_is_extended_only_where_it_must_be() {
        with_tables(&tree(&["/f"]), |tables| {
            let small = FileData { start: u32::MAX.into(), ..FileData::default() };
            assert_eq!(shape(&tables.file(1, Mode::FILE, &small)), (2, 32));
            for wide in [FileData { start: 1 << 32, ..small }, FileData { sparse: 1, ..small }] {
                assert_eq!(shape(&tables.file(1, Mode::FILE, &wide)), (9, 56));
            }
        });
        let mut linked = tree(&["/f"]);
        linked.insert("/g".parse().unwrap(), Node::HardLink { target: "/f".parse().unwrap() }).unwrap();
        let mut labelled = tree(&["/f"]);
        labelled.set_attribute(&"/f".parse().unwrap(), "user.a", "b").unwrap();
        for tree in [linked, labelled] {
            with_tables(&tree, |tables| {
                assert_eq!(shape(&tables.file(1, Mode::FILE, &FileData::default())), (9, 56));
            });
        }
    }

    #[test]
    fn a_directory_inode_is_extended_only_where_it_must_be() {
        let listing = |size, index| Listing { start: MetadataRef::default(), size, index };
        let entry = IndexEntry { distance: 1, block: 2, name: "abc".to_owned() };
        with_tables(&Tree::new(), |tables| {
            let inode = |listing| shape(&tables.directory(0, Mode::DIRECTORY, &listing, 0));
            assert_eq!(inode(listing(65532, vec![])), (1, 32));
            assert_eq!(inode(listing(65533, vec![])), (8, 40));
            assert_eq!(inode(listing(9, vec![entry])), (8, 40 + 12 + 3));
        });
    }
}

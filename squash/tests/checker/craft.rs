//! Writes small images with everything in its place, uncompressed, and says where that is, so that a test can put
//! something else there.
//!
//! It shares no code with the writer or the checker. Layouts are those of Linux fs/squashfs/squashfs_fs.h.

use std::collections::BTreeMap;

pub(crate) const BLOCK: usize = 4096;
const NONE: u32 = u32::MAX;

/// Offsets of fields in their structures.
pub(crate) mod field {
    pub(crate) const KIND: usize = 0;
    pub(crate) const MODE: usize = 2;
    pub(crate) const UID: usize = 4;
    pub(crate) const GID: usize = 6;
    pub(crate) const NUMBER: usize = 12;

    pub(crate) const FILE_START: usize = 16;
    pub(crate) const FILE_SIZE: usize = 24;
    pub(crate) const FILE_LINKS: usize = 40;
    pub(crate) const FILE_FRAGMENT: usize = 44;
    pub(crate) const FILE_OFFSET: usize = 48;
    pub(crate) const FILE_XATTR: usize = 52;
    pub(crate) const FILE_BLOCKS: usize = 56;

    pub(crate) const DIRECTORY_LINKS: usize = 16;
    pub(crate) const DIRECTORY_SIZE: usize = 20;
    pub(crate) const DIRECTORY_START: usize = 24;
    pub(crate) const DIRECTORY_PARENT: usize = 28;
    pub(crate) const DIRECTORY_INDEX_COUNT: usize = 32;
    pub(crate) const DIRECTORY_OFFSET: usize = 34;
    pub(crate) const DIRECTORY_XATTR: usize = 36;
    pub(crate) const DIRECTORY_INDEX: usize = 40;

    pub(crate) const LINK_SIZE: usize = 20;
    pub(crate) const LINK_TARGET: usize = 24;

    pub(crate) const HEADER_COUNT: usize = 0;
    pub(crate) const ENTRY_OFFSET: usize = 0;
    pub(crate) const ENTRY_DELTA: usize = 2;
    pub(crate) const ENTRY_KIND: usize = 4;
    pub(crate) const ENTRY_NAME: usize = 8;
}

/// Offsets of fields in the superblock.
pub(crate) mod superblock {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const INODES: usize = 4;
    pub(crate) const BLOCK_SIZE: usize = 12;
    pub(crate) const FRAGMENTS: usize = 16;
    pub(crate) const COMPRESSION: usize = 20;
    pub(crate) const BLOCK_LOG: usize = 22;
    pub(crate) const FLAGS: usize = 24;
    pub(crate) const IDS: usize = 26;
    pub(crate) const MAJOR: usize = 28;
    pub(crate) const ROOT: usize = 32;
    pub(crate) const BYTES_USED: usize = 40;
    pub(crate) const ID_TABLE: usize = 48;
    pub(crate) const XATTR_TABLE: usize = 56;
    pub(crate) const INODE_TABLE: usize = 64;
    pub(crate) const DIRECTORY_TABLE: usize = 72;
    pub(crate) const FRAGMENT_TABLE: usize = 80;
    pub(crate) const EXPORT_TABLE: usize = 88;
}

/// What is at a path.
#[derive(Clone)]
pub(crate) enum What {
    Directory,
    /// With an index of one entry, which leads to the first header.
    IndexedDirectory,
    File(Vec<u8>),
    /// A file of this many blocks that are not stored. No inode may follow.
    Holes(usize),
    Link(Vec<u8>),
    BlockDevice(u32),
    CharacterDevice(u32),
    Fifo,
    Socket,
}

impl What {
    /// As directories have it.
    fn kind(&self) -> u16 {
        match self {
            What::Directory | What::IndexedDirectory => 1,
            What::File(_) | What::Holes(_) => 2,
            What::Link(_) => 3,
            What::BlockDevice(_) => 4,
            What::CharacterDevice(_) => 5,
            What::Fifo => 6,
            What::Socket => 7,
        }
    }

    fn is_directory(&self) -> bool {
        self.kind() == 1
    }
}

/// An extended attribute: the number of its prefix, the rest of its name, and its value.
pub(crate) type Attribute = (u16, &'static str, &'static str);

/// An image and where its parts are.
#[derive(Clone)]
pub(crate) struct Craft {
    pub(crate) bytes: Vec<u8>,
    marks: BTreeMap<String, usize>,
}

impl Craft {
    /// An image without fault. Paths are in order and parents are there; the root comes by itself. Inodes have the
    /// numbers 1, 2, 3 and so on in the order of paths. There is one fragment block.
    pub(crate) fn new(nodes: &[(&str, What)]) -> Craft {
        Craft::with_attributes(nodes, &[])
    }

    /// The same with a set of attributes that is nobody's.
    pub(crate) fn with_attributes(nodes: &[(&str, What)], attributes: &[Attribute]) -> Craft {
        let root = [("", What::Directory)];
        let nodes: Vec<_> =
            root.iter().chain(nodes).map(|(path, what)| (path.to_string(), what.clone())).collect();
        Writer { nodes, out: vec![0; 96], marks: BTreeMap::new() }.write(attributes)
    }

    /// Where a part begins: `inode /path`, `entry /path`, `header /path` of a directory, or `inodes`, `directories`,
    /// `fragments`, `export`, `ids`, `attributes` for the content of a table.
    pub(crate) fn mark(&self, mark: &str) -> usize {
        *self.marks.get(mark).unwrap_or_else(|| panic!("there is no {mark}"))
    }

    /// Where an inode is in the inode table, which is one block.
    pub(crate) fn offset(&self, path: &str) -> u16 {
        (self.mark(&format!("inode {path}")) - self.mark("inodes")) as u16
    }

    /// Gives a place a name.
    pub(crate) fn marked(mut self, mark: &str, at: usize) -> Craft {
        self.marks.insert(mark.to_owned(), at);
        self
    }

    pub(crate) fn put(mut self, mark: &str, field: usize, bytes: &[u8]) -> Craft {
        let at = self.mark(mark) + field;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn put16(self, mark: &str, field: usize, value: u16) -> Craft {
        self.put(mark, field, &value.to_le_bytes())
    }

    pub(crate) fn put32(self, mark: &str, field: usize, value: u32) -> Craft {
        self.put(mark, field, &value.to_le_bytes())
    }

    pub(crate) fn put64(self, mark: &str, field: usize, value: u64) -> Craft {
        self.put(mark, field, &value.to_le_bytes())
    }

    /// A field of the superblock.
    pub(crate) fn get64(&self, field: usize) -> u64 {
        u64::from_le_bytes(self.bytes[field..field + 8].try_into().unwrap())
    }

    /// Bytes after the image.
    pub(crate) fn append(mut self, bytes: &[u8]) -> Craft {
        self.bytes.extend(bytes);
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.bytes
    }
}

struct Writer {
    nodes: Vec<(String, What)>,
    out: Vec<u8>,
    marks: BTreeMap<String, usize>,
}

/// Where the content of a file is.
struct Placed {
    start: u64,
    fragment: u32,
    offset: u32,
}

impl Writer {
    fn write(mut self, attributes: &[Attribute]) -> Craft {
        let (placed, fragment) = self.data();
        let (listings, marks) = self.listings();
        let inode_table = self.out.len();
        let inodes = self.inodes(&placed, &listings);
        self.table("inodes", &inodes);
        let directory_table = self.out.len();
        self.table("directories", &listings.concat());
        for (name, at) in marks {
            let at = at + self.marks["directories"];
            self.marks.insert(name, at);
        }
        let fragments = [&fragment.0.to_le_bytes()[..], &fragment.1.to_le_bytes(), &[0; 4]].concat();
        let fragment_table = self.indexed("fragments", &fragments);
        let references: Vec<u8> =
            self.inode_offsets().iter().flat_map(|offset| (*offset as u64).to_le_bytes()).collect();
        let export_table = self.indexed("export", &references);
        let ids: Vec<u8> = [0_u32, 1000].iter().flat_map(|id| id.to_le_bytes()).collect();
        let id_table = self.indexed("ids", &ids);
        let xattr_table = if attributes.is_empty() { u64::MAX } else { self.attributes(attributes) };
        let fields: [(usize, &[u8]); 17] = [
            (superblock::MAGIC, b"hsqs"),
            (superblock::INODES, &(self.nodes.len() as u32).to_le_bytes()),
            (superblock::BLOCK_SIZE, &(BLOCK as u32).to_le_bytes()),
            (superblock::FRAGMENTS, &1_u32.to_le_bytes()),
            (superblock::COMPRESSION, &6_u16.to_le_bytes()),
            (superblock::BLOCK_LOG, &12_u16.to_le_bytes()),
            (superblock::FLAGS, &(1_u16 << 7).to_le_bytes()),
            (superblock::IDS, &2_u16.to_le_bytes()),
            (superblock::MAJOR, &4_u16.to_le_bytes()),
            (superblock::ROOT, &0_u64.to_le_bytes()),
            (superblock::BYTES_USED, &(self.out.len() as u64).to_le_bytes()),
            (superblock::ID_TABLE, &id_table.to_le_bytes()),
            (superblock::XATTR_TABLE, &xattr_table.to_le_bytes()),
            (superblock::INODE_TABLE, &(inode_table as u64).to_le_bytes()),
            (superblock::DIRECTORY_TABLE, &(directory_table as u64).to_le_bytes()),
            (superblock::FRAGMENT_TABLE, &fragment_table.to_le_bytes()),
            (superblock::EXPORT_TABLE, &export_table.to_le_bytes()),
        ];
        for (at, value) in fields {
            self.out[at..at + value.len()].copy_from_slice(value);
        }
        self.marks.insert("superblock".to_owned(), 0);
        self.out.resize(self.out.len().next_multiple_of(BLOCK), 0);
        Craft { bytes: self.out, marks: self.marks }
    }

    /// Whole blocks, then the fragment block with the rest of each file; returns where that is and its size as stored.
    fn data(&mut self) -> (Vec<Placed>, (u64, u32)) {
        let mut fragment = Vec::new();
        let mut placed = Vec::new();
        for (_, what) in &self.nodes {
            let content = if let What::File(content) = what { &content[..] } else { &[] };
            let (blocks, tail) = content.split_at(content.len() / BLOCK * BLOCK);
            placed.push(Placed {
                start: self.out.len() as u64,
                fragment: if tail.is_empty() { NONE } else { 0 },
                offset: if tail.is_empty() { 0 } else { fragment.len() as u32 },
            });
            self.out.extend(blocks);
            fragment.extend(tail);
        }
        assert!((1..=BLOCK).contains(&fragment.len()), "there is one fragment block");
        let start = self.out.len() as u64;
        self.out.extend(&fragment);
        (placed, (start, fragment.len() as u32 | 1 << 24))
    }

    fn name(path: &str) -> (&str, &str) {
        path.rsplit_once('/').unwrap()
    }

    fn children<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = usize> + 'a {
        (1..self.nodes.len()).filter(move |index| Self::name(&self.nodes[*index].0).0 == directory)
    }

    /// The listing of each directory, and where in all of them together headers and entries are.
    fn listings(&self) -> (Vec<Vec<u8>>, Vec<(String, usize)>) {
        let offsets = self.inode_offsets();
        let (mut listings, mut marks, mut start) = (Vec::new(), Vec::new(), 0);
        for (index, (path, _)) in self.nodes.iter().enumerate() {
            let children: Vec<usize> = self.children(path).collect();
            let mut listing: Vec<u8> = Vec::new();
            if !children.is_empty() {
                marks.push((format!("header {path}/"), start));
                let header = [children.len() as u32 - 1, 0, index as u32 + 1];
                listing.extend(header.iter().flat_map(|field| field.to_le_bytes()));
            }
            for child in children {
                let (path, what) = &self.nodes[child];
                let name = Self::name(path).1;
                marks.push((format!("entry {path}"), start + listing.len()));
                let fields =
                    [offsets[child] as u16, (child - index) as u16, what.kind(), name.len() as u16 - 1];
                listing.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
                listing.extend(name.as_bytes());
            }
            start += listing.len();
            listings.push(listing);
        }
        (listings, marks)
    }

    fn inode_offsets(&self) -> Vec<usize> {
        let size = |(path, what): &(String, What)| match what {
            What::Directory => 40,
            What::IndexedDirectory => 40 + 12 + self.first_name(path).len(),
            What::File(content) => 56 + content.len() / BLOCK * 4,
            What::Holes(blocks) => 56 + blocks * 4,
            What::Link(target) => 24 + target.len(),
            What::BlockDevice(_) | What::CharacterDevice(_) => 24,
            What::Fifo | What::Socket => 20,
        };
        let ends = self.nodes.iter().map(size).scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        [0].into_iter().chain(ends).take(self.nodes.len()).collect()
    }

    fn first_name(&self, directory: &str) -> String {
        let first = self.children(directory).next().unwrap();
        Self::name(&self.nodes[first].0).1.to_owned()
    }

    fn inodes(&mut self, placed: &[Placed], listings: &[Vec<u8>]) -> Vec<u8> {
        let mut table = Vec::new();
        let mut listed = 0_usize;
        for (index, (path, what)) in self.nodes.iter().enumerate() {
            // The content of the table begins after its header of 2 bytes.
            self.marks.insert(
                format!("inode {}", if path.is_empty() { "/" } else { path }),
                self.out.len() + 2 + table.len(),
            );
            let (kind, mode) = match what {
                What::Directory | What::IndexedDirectory => (8, 0o755),
                What::File(_) | What::Holes(_) => (9, 0o644),
                What::Link(_) => (3, 0o777),
                other => (other.kind(), 0o600),
            };
            for field in [kind, mode, 0, 0_u16] {
                table.extend(field.to_le_bytes());
            }
            for field in [0, index as u32 + 1] {
                table.extend(field.to_le_bytes());
            }
            match what {
                What::Directory | What::IndexedDirectory => {
                    let subdirectories =
                        self.children(path).filter(|child| self.nodes[*child].1.is_directory()).count();
                    let parent = self
                        .nodes
                        .iter()
                        .position(|(other, _)| !path.is_empty() && other == Self::name(path).0);
                    let parent = parent.unwrap_or(self.nodes.len()) as u32 + 1;
                    for field in [2 + subdirectories as u32, listings[index].len() as u32 + 3, 0, parent] {
                        table.extend(field.to_le_bytes());
                    }
                    let indexed = matches!(what, What::IndexedDirectory);
                    table.extend(u16::from(indexed).to_le_bytes());
                    table.extend((listed as u16).to_le_bytes());
                    table.extend(NONE.to_le_bytes());
                    if indexed {
                        let name = self.first_name(path);
                        for field in [0, 0, name.len() as u32 - 1] {
                            table.extend(field.to_le_bytes());
                        }
                        table.extend(name.as_bytes());
                    }
                    listed += listings[index].len();
                }
                What::File(content) => {
                    for field in [placed[index].start, content.len() as u64, 0] {
                        table.extend(field.to_le_bytes());
                    }
                    for field in [1, placed[index].fragment, placed[index].offset, NONE] {
                        table.extend(field.to_le_bytes());
                    }
                    table.extend((BLOCK as u32 | 1 << 24).to_le_bytes().repeat(content.len() / BLOCK));
                }
                What::Holes(blocks) => {
                    for field in [0, (blocks * BLOCK) as u64, 0] {
                        table.extend(field.to_le_bytes());
                    }
                    table.extend([1, NONE, 0, NONE].iter().flat_map(|field| field.to_le_bytes()));
                    table.extend(vec![0; blocks * 4]);
                }
                What::Link(target) => {
                    table.extend([1, target.len() as u32].iter().flat_map(|field| field.to_le_bytes()));
                    table.extend(target);
                }
                What::BlockDevice(number) | What::CharacterDevice(number) => {
                    table.extend([1, *number].iter().flat_map(|field| field.to_le_bytes()));
                }
                What::Fifo | What::Socket => table.extend(1_u32.to_le_bytes()),
            }
        }
        table
    }

    /// Metadata blocks. The first one is stored as it is, so that it can be edited; the others are zeros.
    fn table(&mut self, name: &str, content: &[u8]) {
        let (first, rest) = content.split_at(content.len().min(8192));
        self.out.extend((first.len() as u16 | 1 << 15).to_le_bytes());
        self.marks.insert(name.to_owned(), self.out.len());
        self.out.extend(first);
        for block in rest.chunks(8192) {
            assert!(block.iter().all(|byte| *byte == 0), "{name}: one block is enough for a test");
            let stored = zstd::bulk::compress(block, 1).unwrap();
            self.out.extend((stored.len() as u16).to_le_bytes());
            self.out.extend(stored);
        }
    }

    /// A table and its index, whose place is returned.
    fn indexed(&mut self, name: &str, content: &[u8]) -> u64 {
        let block = self.out.len() as u64;
        self.table(name, content);
        let index = self.out.len();
        self.marks.insert(format!("{name} index"), index);
        self.out.extend(block.to_le_bytes());
        index as u64
    }

    fn attributes(&mut self, attributes: &[Attribute]) -> u64 {
        let start = self.out.len() as u64;
        let mut values = Vec::new();
        for (prefix, name, value) in attributes {
            values.extend([*prefix, name.len() as u16].iter().flat_map(|field| field.to_le_bytes()));
            values.extend(name.as_bytes());
            values.extend((value.len() as u32).to_le_bytes());
            values.extend(value.as_bytes());
        }
        self.table("attributes", &values);
        let sets = self.out.len() as u64;
        let set = [0, 0, attributes.len() as u32, values.len() as u32];
        self.table("attribute sets", &set.iter().flat_map(|field| field.to_le_bytes()).collect::<Vec<u8>>());
        let header = self.out.len();
        self.marks.insert("attribute header".to_owned(), header);
        self.out.extend(start.to_le_bytes());
        self.out.extend([1_u32, 0].iter().flat_map(|field| field.to_le_bytes()));
        self.out.extend(sets.to_le_bytes());
        header as u64
    }
}

//! Reads images that nobody has vouched for: what is in them, and every rule that they break.
//!
//! [`Image::open`] reads the metadata of a squashfs from any writer, within [`Limits`] that the caller sets, and keeps
//! what breaks a rule as [`Findings`]. It believes nothing: every position and length is compared with what is there
//! before it is used, and no part of a table is read twice, so that time and memory follow from the size of the image
//! and from the limits. [`Reader`] streams files out, and [`Image::check_data`] does so for all of them.
//!
//! `layout` finds the tables, `metadata` and `tables` decompress them, `walk` goes from the root to every name with
//! `inode`, `directory` and `rules`, and `after` looks at what follows the image.

mod after;
mod attributes;
mod coverage;
mod data;
mod directory;
mod entry;
mod finding;
mod inode;
mod layout;
mod limits;
mod metadata;
mod nodes;
mod read;
mod rules;
mod source;
mod tables;
mod unreadable;
mod walk;

use spec::TreePath;
use spec::listing::{self, Listing};

pub use data::{DataFault, Flaw, Part};
pub use entry::{Device, Entry, Kind, Special};
pub use finding::{Finding, Findings, Place, Rule};
pub use layout::LayoutFault;
pub use limits::Limits;
pub use metadata::TableKind;
pub use read::{Reader, StreamError};
pub use source::Source;
pub use unreadable::Unreadable;

use crate::format::flags;
use crate::options::Method;

/// The metadata of a squashfs image.
pub struct Image<'s> {
    source: &'s dyn Source,
    layout: layout::Layout,
    tables: tables::Tables,
    inodes: Vec<inode::Inode>,
    nodes: nodes::Nodes,
    content: u64,
    limits: Limits,
    findings: Findings,
}

impl<'s> Image<'s> {
    /// Reads the metadata, and nothing else, of the image that begins at the first byte of `source`.
    ///
    /// # Errors
    /// [`Unreadable`], if it is no image, if its tables are not where they can be, or if a limit is exceeded. Everything
    /// else that is wrong is a finding.
    pub fn open(source: &'s dyn Source, limits: &Limits) -> Result<Image<'s>, Unreadable> {
        let mut findings = Findings::default();
        let mut budget = limits::Budget::new(limits);
        let layout = layout::Layout::read(source, limits, &mut budget)?;
        match layout.superblock.flags & !flags::KNOWN {
            0 => {}
            unknown => findings.add(Rule::Flags(unknown), || Place::Image),
        }
        after::check(source, &layout.superblock, &mut findings)?;
        let mut tables = tables::Tables::read(source, &layout, &mut budget, &mut findings)?;
        let walk::Walked { inodes, nodes, content } =
            walk::walk(&layout, &mut tables, limits, &mut findings)?;
        Ok(Image { source, layout, tables, inodes, nodes, content, limits: *limits, findings })
    }

    /// The rules that the image breaks.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Every name in the image, in the order of paths: the root, and each directory right before what it holds.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.nodes.len()).map(|node| Entry { image: self, node })
    }

    /// What is at a path.
    pub fn entry(&self, path: &TreePath) -> Option<Entry<'_>> {
        self.nodes.find(path).map(|node| Entry { image: self, node })
    }

    /// Every path in the image, for collision checks. What has a name that no path can have is not in it; the findings
    /// say so.
    pub fn listing(&self) -> Listing {
        let kind = |entry: Entry<'_>| match entry.kind() {
            Kind::Directory => listing::Kind::Directory,
            Kind::File { .. } | Kind::Symlink { .. } | Kind::Special(_) => listing::Kind::Leaf,
        };
        self.entries().filter_map(|entry| Some((entry.path()?, kind(entry)))).collect()
    }

    /// Bytes in all files together, each counted once whatever its number of names.
    pub fn content(&self) -> u64 {
        self.content
    }

    /// How its blocks are compressed.
    pub fn compression(&self) -> Method {
        self.layout.method
    }

    /// The unit in which its files are compressed, in bytes.
    pub fn block_size(&self) -> u32 {
        self.layout.superblock.block_size
    }

    /// Where the squashfs ends, before padding and hash tree, in bytes.
    pub fn bytes_used(&self) -> u64 {
        self.layout.superblock.bytes_used
    }
}

impl std::fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut image = f.debug_struct("Image");
        image.field("superblock", &self.layout.superblock).field("findings", &self.findings);
        image.finish_non_exhaustive()
    }
}

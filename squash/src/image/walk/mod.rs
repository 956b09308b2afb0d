//! From the root to every name, without recursion and with each byte of the tables read once.

use spec::path::PATH_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::coverage::Coverage;
use super::directory::{Listed, Listing, name_fault};
use super::finding::{Findings, Rule};
use super::inode::{Body, Directory, Inode, InodeFault};
use super::layout::Layout;
use super::nodes::{Nodes, Site};
use super::tables::Tables;
use super::{Limits, Unreadable, rules};
use crate::format::MetadataRef;

mod summary;

/// After how many inodes that cannot be read the image is given up. Looking for the end of one may take as long as
/// reading all of its directory's index, so this bounds the time.
const BROKEN_MAX: u32 = 1000;

/// What was found between the root and the last name.
pub(super) struct Walked {
    pub(super) inodes: Vec<Inode>,
    pub(super) nodes: Nodes,
    /// Bytes in all files.
    pub(super) content: u64,
}

/// Reads every directory from the root on.
pub(super) fn walk(
    layout: &Layout,
    tables: &mut Tables,
    limits: &Limits,
    findings: &mut Findings,
) -> Result<Walked, Unreadable> {
    // The names stay with the nodes.
    let names = tables.directories.take_bytes();
    let mut walk = Walk {
        layout,
        tables,
        limits,
        findings,
        nodes: Nodes::new(names),
        inodes: Vec::new(),
        reached: Vec::new(),
        by_position: BTreeMap::new(),
        numbers: BTreeSet::new(),
        inode_bytes: Coverage::default(),
        listing_bytes: Coverage::default(),
        listed: 1,
        path_bytes: 0,
        broken: 0,
        complete: true,
    };
    walk.all()?;
    let content = walk.content();
    walk.summarize(content);
    Ok(Walked { inodes: walk.inodes, nodes: walk.nodes, content })
}

/// A name that was read in a directory and not yet followed.
struct Waiting {
    parent: usize,
    listed: Listed,
    path_len: usize,
}

/// How an inode was reached.
struct Reached {
    /// Its first name.
    node: usize,
    names: u32,
    /// If it is a directory: names in it, and how many of them are directories.
    entries: u32,
    subdirectories: u32,
}

struct Walk<'a> {
    layout: &'a Layout,
    tables: &'a Tables,
    limits: &'a Limits,
    findings: &'a mut Findings,
    nodes: Nodes,
    inodes: Vec<Inode>,
    reached: Vec<Reached>,
    by_position: BTreeMap<usize, usize>,
    numbers: BTreeSet<u32>,
    inode_bytes: Coverage,
    listing_bytes: Coverage,
    /// Names seen, the root included.
    listed: usize,
    /// Bytes of their paths together.
    path_bytes: usize,
    broken: u32,
    /// Was everything read that there is?
    complete: bool,
}

impl Walk<'_> {
    fn all(&mut self) -> Result<(), Unreadable> {
        let mut waiting = Vec::new();
        self.root(&mut waiting)?;
        while let Some(Waiting { parent, listed, path_len }) = waiting.pop() {
            self.take_path(path_len)?;
            let site = Site { parent, name: listed.name.clone() };
            if let Some(rule) = name_fault(&self.nodes.names()[listed.name.clone()]) {
                self.report(&site, rule);
            }
            if path_len > PATH_MAX {
                self.report(&site, Rule::PathTooLong);
            }
            if let Some(inode) = self.inode(listed.inode, &site)? {
                self.check_listed(&site, &listed, inode);
                self.enter(site, inode, path_len, &mut waiting)?;
            }
        }
        Ok(())
    }

    /// Few bytes make many long paths, which callers put into memory.
    fn take_path(&mut self, len: usize) -> Result<(), Unreadable> {
        self.path_bytes = self.path_bytes.saturating_add(len);
        let limit = self.limits.metadata;
        match self.path_bytes > limit as usize {
            true => Err(Unreadable::Limit { what: "bytes of paths", limit: limit.into() }),
            false => Ok(()),
        }
    }

    fn root(&mut self, waiting: &mut Vec<Waiting>) -> Result<(), Unreadable> {
        let site = Site::root();
        let inode = self.inode(self.layout.root, &site)?.ok_or(Unreadable::Root)?;
        match self.inodes[inode].body {
            Body::Directory(_) => self.enter(site, inode, 0, waiting),
            _ => Err(Unreadable::Root),
        }
    }

    /// The inode that a reference leads to, read and checked if this is the first one to it.
    fn inode(&mut self, reference: MetadataRef, site: &Site) -> Result<Option<usize>, Unreadable> {
        let Some(at) = self.tables.inodes.position(reference) else {
            return self.no_inode(site, Rule::Reference);
        };
        if let Some(known) = self.by_position.get(&at) {
            return Ok(Some(*known));
        }
        let table = &self.tables.inodes.bytes;
        let free = at + self.inode_bytes.free_from(at, table.len());
        let (inode, end) = match Inode::read(&table[..free], at, reference, self.layout.superblock.block_size)
        {
            Ok(inode) => inode,
            Err(InodeFault::Type(kind)) => return self.no_inode(site, Rule::InodeType(kind)),
            Err(InodeFault::Cut) if free < table.len() => return self.no_inode(site, Rule::InodeOverlap),
            Err(InodeFault::Cut) => return self.no_inode(site, Rule::InodeCut),
        };
        self.inode_bytes.claim(at..end);
        rules::check(&inode, self.layout, self.tables, &mut |rule| {
            self.findings.add(rule, || self.nodes.place(site));
        });
        if !self.numbers.insert(inode.number) {
            self.report(site, Rule::NumberTwice(inode.number));
        }
        let index = self.inodes.len();
        self.inodes.push(inode);
        self.by_position.insert(at, index);
        Ok(Some(index))
    }

    fn no_inode(&mut self, site: &Site, rule: Rule) -> Result<Option<usize>, Unreadable> {
        self.report(site, rule);
        self.complete = false;
        self.broken += 1;
        match self.broken > BROKEN_MAX {
            true => Err(Unreadable::Limit { what: "inodes that cannot be read", limit: BROKEN_MAX.into() }),
            false => Ok(None),
        }
    }

    /// Does the directory say the same of the inode as the inode itself?
    fn check_listed(&mut self, site: &Site, listed: &Listed, inode: usize) {
        let Inode { number, kind, .. } = self.inodes[inode];
        if listed.number != number {
            self.report(site, Rule::ListedNumber { listed: listed.number, number });
        }
        if listed.kind != kind {
            self.report(site, Rule::ListedType { listed: listed.kind, kind });
        }
    }

    /// Makes a node of a name, and lets what is in it wait if it is a directory.
    fn enter(
        &mut self,
        site: Site,
        inode: usize,
        path_len: usize,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), Unreadable> {
        let node = self.nodes.push(&site, inode);
        let first = inode == self.reached.len();
        if first {
            self.reached.push(Reached { node, names: 0, entries: 0, subdirectories: 0 });
        }
        self.reached[inode].names += 1;
        if node != 0 {
            self.reached[self.nodes.inode(site.parent)].entries += 1;
        }
        let Body::Directory(_) = self.inodes[inode].body else { return Ok(()) };
        if !first {
            let is_above =
                self.nodes.upwards(self.nodes.parent(node)).any(|above| self.nodes.inode(above) == inode);
            self.report(&site, if is_above { Rule::Cycle } else { Rule::DirectoryTwice });
            return Ok(());
        }
        if node != 0 {
            let parent = self.nodes.inode(site.parent);
            self.reached[parent].subdirectories += 1;
            self.check_parent(&site, inode, parent);
        }
        self.list(node, &site, inode, path_len, waiting)
    }

    /// What `..` of the root leads to is nowhere, and each writer has its own number for it.
    fn check_parent(&mut self, site: &Site, inode: usize, parent: usize) {
        let parent = self.inodes[parent].number;
        if let Body::Directory(Directory { parent: claimed, .. }) = self.inodes[inode].body
            && claimed != parent
        {
            self.report(site, Rule::Parent { claimed, parent });
        }
    }

    /// Reads the listing of a directory. Its names wait so that the first in order is the next one.
    fn list(
        &mut self,
        node: usize,
        site: &Site,
        inode: usize,
        path_len: usize,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), Unreadable> {
        if self.nodes.depth(node) > self.limits.depth {
            self.report(site, Rule::TooDeep(self.nodes.depth(node)));
            self.complete = false;
            return Ok(());
        }
        let Some(range) = self.claim_listing(site, inode) else { return Ok(()) };
        let room = (self.limits.names as usize).saturating_sub(self.listed);
        let mut listing = Listing::read(self.nodes.names(), range.clone(), room + 1);
        self.listed += listing.entries.len();
        if listing.entries.len() > room {
            return Err(Unreadable::Limit { what: "names", limit: self.limits.names.into() });
        }
        match listing.broken {
            Some(at) => {
                self.report(site, Rule::Listing(at));
                self.complete = false;
            }
            None => self.check_index(site, inode, &range, &listing),
        }
        self.check_order(node, &listing.entries);
        let names = self.nodes.names();
        listing.entries.sort_by(|a, b| names[b.name.clone()].cmp(&names[a.name.clone()]));
        waiting.extend(listing.entries.into_iter().map(|listed| {
            let path_len = path_len + 1 + listed.name.len();
            Waiting { parent: node, listed, path_len }
        }));
        Ok(())
    }

    /// The part of the directory table that is this directory's alone; nothing if there is none.
    fn claim_listing(&mut self, site: &Site, inode: usize) -> Option<Range<usize>> {
        let Body::Directory(Directory { listing, len, .. }) = self.inodes[inode].body else { return None };
        // Writers differ in what they say of a listing that is not there.
        if len == 0 {
            return Some(0..0);
        }
        let start = self.tables.directories.position(listing);
        let range = start.map(|start| start..start.saturating_add(len as usize));
        let Some(range) = range.filter(|range| range.end <= self.nodes.names().len()) else {
            self.report(site, Rule::ListingRange);
            self.complete = false;
            return None;
        };
        if !self.listing_bytes.claim(range.clone()) {
            self.report(site, Rule::ListingOverlap);
            self.complete = false;
            return None;
        }
        Some(range)
    }

    fn check_index(&mut self, site: &Site, inode: usize, range: &Range<usize>, listing: &Listing) {
        if let Body::Directory(directory) = &self.inodes[inode].body
            && !listing.fits_index(directory, range, self.tables, self.nodes.names())
        {
            self.report(site, Rule::DirectoryIndex);
        }
    }

    /// Names go up in the order of their bytes, for the kernel stops searching at the first that is larger
    /// (fs/squashfs/namei.c, `squashfs_lookup`).
    fn check_order(&mut self, node: usize, entries: &[Listed]) {
        for pair in entries.windows(2) {
            let [before, name] = [&pair[0].name, &pair[1].name].map(|name| &self.nodes.names()[name.clone()]);
            let rule = match before.cmp(name) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => Rule::DuplicateName,
                std::cmp::Ordering::Greater => Rule::Unsorted(super::nodes::shown_name(before)),
            };
            self.report(&Site { parent: node, name: pair[1].name.clone() }, rule);
        }
    }

    fn report(&mut self, site: &Site, rule: Rule) {
        self.findings.add(rule, || self.nodes.place(site));
    }
}

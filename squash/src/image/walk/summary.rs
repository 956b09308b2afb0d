//! What can be said when every directory was read: counts, and what nothing refers to.

use super::Walk;
use crate::format::inode;
use crate::image::finding::{Place, Rule};
use crate::image::inode::{Body, Inode};
use crate::image::metadata::TableKind;

impl Walk<'_> {
    /// What can only be said at the end, and only if all was read: counts, and what nothing refers to.
    pub(super) fn summarize(&mut self, content: u64) {
        // C9: what all files together would fill.
        let limit = self.limits.content;
        if content > limit {
            self.findings.add(Rule::TooMuchContent { bytes: content, limit }, || Place::Image);
        }
        if !self.complete {
            return;
        }
        self.check_links();
        self.check_export();
        let (found, claimed) = (self.inodes.len() as u64, u64::from(self.layout.superblock.inodes));
        if found != claimed {
            self.findings.add(Rule::InodeCount { found, claimed }, || Place::Image);
        }
        let unreferenced = [
            (TableKind::Inodes, self.inode_bytes.gaps(self.tables.inodes.bytes.len())),
            (TableKind::Directories, self.listing_bytes.gaps(self.nodes.names().len())),
        ];
        for (table, gaps) in unreferenced {
            if let Some((at, bytes)) = gaps {
                let rule = Rule::Unreferenced { at: at as u64, bytes: bytes as u64 };
                self.findings.add(rule, || Place::Table(table));
            }
        }
    }

    pub(super) fn content(&self) -> u64 {
        let sizes = self.inodes.iter().filter_map(|inode| match &inode.body {
            Body::File(file) => Some(file.size),
            _ => None,
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// A file has a link for each name, a directory two and one for each directory in it. squashfs-tools-ng counts
    /// everything in a directory, which no reader minds.
    fn check_links(&mut self) {
        for (inode, reached) in self.inodes.iter().zip(&self.reached) {
            let (found, also) = match inode.kind {
                inode::DIRECTORY => (2 + reached.subdirectories, 2 + reached.entries),
                _ => (reached.names, reached.names),
            };
            if inode.links != found && inode.links != also {
                let rule = Rule::Links { claimed: inode.links, found };
                self.findings.add(rule, || Place::Path(self.nodes.shown(reached.node)));
            }
        }
    }

    fn check_export(&mut self) {
        let Some(export) = &self.tables.export else { return };
        let differs = |inode: &&Inode| {
            let entry = inode.number.checked_sub(1).and_then(|index| export.get(index as usize));
            entry.is_some_and(|entry| *entry != inode.reference.packed())
        };
        let mut wrong = self.inodes.iter().filter(differs);
        if let Some(first) = wrong.next() {
            let rule = Rule::Export { number: first.number, more: wrong.count() as u64 };
            self.findings.add(rule, || Place::Table(TableKind::Export));
        }
    }
}

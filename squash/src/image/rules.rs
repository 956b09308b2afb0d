//! What may be said of one inode, whatever directory it is in.

use super::entry::{Device, Special};
use spec::defence::{self, Threat};
use spec::path::PATH_MAX;

use super::finding::Rule;
use super::inode::{Body, File, Inode};
use super::layout::Layout;
use super::tables::Tables;
use crate::format::{DATA_RAW, NO_FRAGMENT, NO_XATTR};

/// Reports each rule that the inode breaks.
pub(super) fn check(inode: &Inode, layout: &Layout, tables: &Tables, report: &mut dyn FnMut(Rule)) {
    check_identity(inode, layout, tables, report);
    if defence::stands(Threat::C4) {
        check_mode(inode, report);
    }
    match &inode.body {
        Body::Directory(_) => {}
        Body::File(file) => check_file(file, layout, tables, report),
        Body::Symlink(target) => check_target(&tables.inodes.bytes[target.clone()], report),
        Body::Special(Special::CharacterDevice(Device { major: 0, minor: 0 })) => {
            if defence::stands(Threat::C1) {
                report(Rule::Whiteout);
            }
        }
        Body::Special(special) => {
            if defence::stands(Threat::C5) {
                report(Rule::Special(*special));
            }
        }
    }
}

/// Number, owner and attributes.
fn check_identity(inode: &Inode, layout: &Layout, tables: &Tables, report: &mut dyn FnMut(Rule)) {
    let inodes = layout.superblock.inodes;
    if inode.number == 0 || inode.number > inodes {
        report(Rule::InodeNumber { number: inode.number, inodes });
    }
    let [uid, gid] = [inode.uid, inode.gid].map(|index| {
        let id = tables.ids.get(usize::from(index)).copied();
        if id.is_none() {
            report(Rule::IdIndex(index));
        }
        id.unwrap_or(0)
    });
    if (uid, gid) != (0, 0) {
        report(Rule::Owner { uid, gid });
    }
    if inode.xattr != NO_XATTR && defence::stands(Threat::C1) {
        let names = tables.attributes.as_ref().and_then(|attributes| attributes.of(inode.xattr));
        report(names.map_or(Rule::AttributeIndex(inode.xattr), Rule::Attributes));
    }
}

/// Links have all permissions and nobody looks at them, so only their other bits count.
fn check_mode(inode: &Inode, report: &mut dyn FnMut(Rule)) {
    let mode = inode.mode;
    if mode & !0o7777 != 0 {
        // The kernel adds the type with a bitwise or (fs/squashfs/inode.c).
        report(Rule::ModeType(mode));
    }
    let is_link = matches!(inode.body, Body::Symlink(_));
    let counted = if is_link { mode & 0o7000 } else { mode & 0o7777 };
    let rules = [
        (0o4000, Rule::Setuid as fn(u16) -> Rule),
        (0o2000, Rule::Setgid),
        (0o1000, Rule::Sticky),
        (0o0020, Rule::GroupWritable),
        (0o0002, Rule::WorldWritable),
    ];
    rules.iter().filter(|(bit, _)| counted & bit != 0).for_each(|(_, rule)| report(rule(mode & 0o7777)));
}

/// Are the blocks of a file where data is, and can they be what the file needs?
fn check_file(file: &File, layout: &Layout, tables: &Tables, report: &mut dyn FnMut(Rule)) {
    let block_size = layout.superblock.block_size;
    let mut left = file.size;
    let mut end = Some(file.start);
    for (block, size) in (0..).zip(file.stored_sizes(&tables.inodes.bytes)) {
        let len = left.min(block_size.into());
        left -= len;
        let stored = size & !DATA_RAW;
        // A block that is stored as it is has the length that it must have.
        let fits = stored <= block_size && (size & DATA_RAW == 0 || u64::from(stored) == len);
        if !fits {
            report(Rule::BlockSize { block, stored: size });
        }
        end = end.and_then(|end| end.checked_add(stored.into()));
    }
    let has_data = end != Some(file.start);
    if has_data && (file.start < layout.data.start || end.is_none_or(|end| end > layout.data.end)) {
        report(Rule::DataRange);
    }
    if file.fragment != NO_FRAGMENT {
        if file.fragment as usize >= tables.fragments.len() {
            report(Rule::FragmentIndex(file.fragment));
        }
        if left == 0 || u64::from(file.offset) + left > block_size.into() {
            report(Rule::FragmentRange);
        }
    }
}

fn check_target(target: &[u8], report: &mut dyn FnMut(Rule)) {
    if target.is_empty() {
        report(Rule::TargetEmpty);
    }
    // The kernel refuses a longer one (fs/squashfs/inode.c, `squashfs_read_inode`).
    if target.len() > PATH_MAX {
        report(Rule::TargetTooLong(target.len()));
    }
    if target.contains(&0) {
        report(Rule::TargetNul);
    }
    if str::from_utf8(target).is_err() {
        report(Rule::TargetNotUtf8);
    }
}

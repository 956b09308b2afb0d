//! What is wrong with an image: each rule that it breaks, and where.

use std::fmt;

use spec::{Diagnose, Outcome};

use super::data::DataFault;
use super::entry::Special;
use super::metadata::TableKind;

/// How many findings are kept; more are only counted, because nobody reads them.
const KEPT_MAX: usize = 1000;

/// A rule that an image breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {rule}")]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// Which rule.
    pub rule: Rule,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The image as a whole.
    Image,
    /// One of its tables.
    Table(TableKind),
    /// A path, with control characters and what is not UTF-8 escaped.
    Path(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Image => f.write_str("the image"),
            Place::Table(kind) => write!(f, "the {kind}"),
            Place::Path(path) => f.write_str(path),
        }
    }
}

/// The rules. Each sentence continues after the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// A character device with number 0:0, with which overlayfs hides what lies below.
    #[error("is a whiteout, which would hide a file of the system")]
    Whiteout,
    /// A device, fifo or socket.
    #[error("is a {0}")]
    Special(Special),
    /// Attributes of one file, the first ones by name.
    #[error("has extended attributes: {}", .0.join(", "))]
    Attributes(Vec<String>),
    /// There are attributes, whether or not they are anybody's.
    #[error("is there, so the image has extended attributes")]
    AttributeTable,
    /// Runs as its owner.
    #[error("has the setuid bit (mode {0:04o})")]
    Setuid(u16),
    /// Runs as its group.
    #[error("has the setgid bit (mode {0:04o})")]
    Setgid(u16),
    /// Means something for directories that others may write to.
    #[error("has the sticky bit (mode {0:04o})")]
    Sticky(u16),
    /// Everybody may write.
    #[error("is writable by everybody (mode {0:04o})")]
    WorldWritable(u16),
    /// A group may write.
    #[error("is writable by its group (mode {0:04o})")]
    GroupWritable(u16),
    /// Somebody else than root.
    #[error("belongs to user {uid} and group {gid}, not to root")]
    Owner {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// The name cannot be displayed as it is.
    #[error("has a control character in its name")]
    NameControl,
    /// The name is not text.
    #[error("has a name that is not UTF-8")]
    NameNotUtf8,
    /// The path is longer than programs can say.
    #[error("has a path of more than 4095 bytes")]
    PathTooLong,
    /// The target is not text.
    #[error("has a target that is not UTF-8")]
    TargetNotUtf8,
    /// Deeper than the caller allows; what is below was not read.
    #[error("is a directory at depth {0}, which is not read any more")]
    TooDeep(u16),
    /// The files would fill more than the caller allows.
    #[error("has {bytes} bytes in its files, more than the {limit} allowed")]
    TooMuchContent {
        /// All files together.
        bytes: u64,
        /// [`super::Limits::content`].
        limit: u64,
    },

    /// Flags that squashfs 4.0 does not have.
    #[error("has flags that squashfs does not have: {0:#06x}")]
    Flags(u16),
    /// Hidden between the squashfs and the end of its last page.
    #[error("has data in the padding after byte {0}")]
    Padding(u64),
    /// Hidden after the squashfs.
    #[error("has data of unknown purpose after byte {0}")]
    Trailing(u64),
    /// A hash tree that is not one for this image.
    #[error("has a dm-verity area after byte {at} that does not fit: {reason}")]
    Verity {
        /// Where it begins.
        at: u64,
        /// What does not fit.
        reason: String,
    },
    /// Nothing after it can be read either.
    #[error("has a metadata block at byte {0} that cannot be decompressed to at most 8192 bytes")]
    MetadataBlock(u64),
    /// Bytes that nothing refers to.
    #[error("has {bytes} bytes from position {at} that nothing refers to")]
    Unreferenced {
        /// The first, after decompression.
        at: u64,
        /// How many in all.
        bytes: u64,
    },
    /// The superblock counts other inodes than there are.
    #[error("has {found} inodes that can be reached; its superblock says {claimed}")]
    InodeCount {
        /// What was found.
        found: u64,
        /// What the superblock says.
        claimed: u64,
    },
    /// NFS would see another file under its number.
    #[error("leads elsewhere than the directories for inode {number}, and for {more} more")]
    Export {
        /// The first one.
        number: u32,
        /// How many others.
        more: u64,
    },

    /// The name would lead out of the directory.
    #[error("is an entry named . or ..")]
    NameDots,
    /// The name is a path.
    #[error("has a slash in its name")]
    NameSlash,
    /// The name ends before its end.
    #[error("has a NUL in its name")]
    NameNul,
    /// The name is longer than Linux allows.
    #[error("has a name of {0} bytes, more than 255")]
    NameTooLong(usize),
    /// Two entries with one name.
    #[error("is in its directory more than once")]
    DuplicateName,
    /// The kernel stops searching where the order ends.
    #[error("comes after {0} in its directory, so the kernel may not find it")]
    Unsorted(String),
    /// The entry leads to no inode.
    #[error("refers to an inode where there is none")]
    Reference,
    /// Two inodes share bytes.
    #[error("refers to an inode that is within, or runs into, another one")]
    InodeOverlap,
    /// The inode ends behind the table.
    #[error("has an inode that is cut short")]
    InodeCut,
    /// The inode is of no type.
    #[error("has an inode of type {0}, which squashfs does not have")]
    InodeType(u16),
    /// The kernel adds the type, and would make another one of it.
    #[error("has a mode with a file type in it ({0:#o})")]
    ModeType(u16),
    /// 0, or beyond the count of the superblock.
    #[error("has inode number {number}, which is not within 1 to {inodes}")]
    InodeNumber {
        /// The number.
        number: u32,
        /// The count of the superblock.
        inodes: u32,
    },
    /// The kernel would take one file for the other.
    #[error("has the inode number {0} of another inode")]
    NumberTwice(u32),
    /// Entry and inode do not agree.
    #[error("is listed with inode number {listed} and has {number}")]
    ListedNumber {
        /// What the directory says.
        listed: u32,
        /// What the inode says.
        number: u32,
    },
    /// Entry and inode do not agree.
    #[error("is listed with type {listed} and has {kind}")]
    ListedType {
        /// What the directory says.
        listed: u16,
        /// What the inode says.
        kind: u16,
    },
    /// No such entry of the ID table.
    #[error("has owner number {0} of the ID table, which is shorter")]
    IdIndex(u16),
    /// No such entry of the attribute table.
    #[error("has attribute set {0}, which is not in the image")]
    AttributeIndex(u32),
    /// More or fewer names than the inode says.
    #[error("has a link count of {claimed} where {found} is right")]
    Links {
        /// What the inode says.
        claimed: u32,
        /// What was counted.
        found: u32,
    },
    /// `..` would lead elsewhere.
    #[error("names inode {claimed} as its parent, which is {parent}")]
    Parent {
        /// What the inode says.
        claimed: u32,
        /// The directory that it is in.
        parent: u32,
    },
    /// A directory in itself.
    #[error("is a directory that holds itself")]
    Cycle,
    /// A directory with two names.
    #[error("is a directory that is already elsewhere in the image")]
    DirectoryTwice,
    /// The listing cannot be read to its end.
    #[error("has a listing that is broken at byte {0}")]
    Listing(u64),
    /// The listing is outside of the table.
    #[error("has a listing outside of the directory table")]
    ListingRange,
    /// Two directories share bytes of the table.
    #[error("has a listing that overlaps with that of another directory")]
    ListingOverlap,
    /// The kernel would search elsewhere than it lists.
    #[error("has an index that does not fit its listing")]
    DirectoryIndex,
    /// The size of a stored block is impossible.
    #[error("has an impossible stored size for block {block} ({stored:#x})")]
    BlockSize {
        /// Which one, from 0.
        block: u64,
        /// As the inode says it.
        stored: u32,
    },
    /// The blocks are where other things are.
    #[error("has blocks outside of the data of the image")]
    DataRange,
    /// No such fragment block.
    #[error("has its end in fragment block {0}, which is not in the image")]
    FragmentIndex(u32),
    /// The end of the file is outside of its fragment block.
    #[error("has its end outside of its fragment block")]
    FragmentRange,
    /// A fragment block is outside of the data, or larger than a block.
    #[error("has an impossible place or size for fragment block {0}")]
    FragmentBlock(u32),
    /// The link points to nothing.
    #[error("has an empty target")]
    TargetEmpty,
    /// Longer than the kernel reads.
    #[error("has a target of {0} bytes, more than 4095")]
    TargetTooLong(usize),
    /// The target ends before its end.
    #[error("has a NUL in its target")]
    TargetNul,
    /// The content cannot be had; found only by [`super::Image::check_data`].
    #[error("{0}")]
    Data(DataFault),
}

impl Rule {
    /// May a sound squashfs break it, though no extension may? Of the other rules no writer breaks any: the image is
    /// damaged, or somebody tries to deceive.
    fn may_be_sound(&self) -> bool {
        matches!(
            self,
            Rule::Whiteout
                | Rule::Special(_)
                | Rule::Attributes(_)
                | Rule::AttributeTable
                | Rule::Setuid(_)
                | Rule::Setgid(_)
                | Rule::Sticky(_)
                | Rule::WorldWritable(_)
                | Rule::GroupWritable(_)
                | Rule::Owner { .. }
                | Rule::NameControl
                | Rule::NameNotUtf8
                | Rule::PathTooLong
                | Rule::TargetNotUtf8
                | Rule::TooDeep(_)
                | Rule::TooMuchContent { .. }
        )
    }
}

impl Diagnose for Finding {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.rule {
            Rule::TooMuchContent { .. } => {
                "if you trust whoever made the image, allow more: extbuild image check --max-content"
            }
            _ if self.rule.may_be_sound() => "pack the image with extbuild, which leaves no such thing in it",
            _ => "the image is damaged or made to deceive: get it again from where it was built",
        };
        Some(hint.to_owned())
    }
}

/// The rules that an image breaks, in the order in which they were found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    total: u64,
}

impl Findings {
    /// Notes a finding; its place is only asked for where it is kept.
    pub(super) fn add(&mut self, rule: Rule, place: impl FnOnce() -> Place) {
        self.total += 1;
        if self.kept.len() < KEPT_MAX {
            self.kept.push(Finding { place: place(), rule });
        }
    }

    /// Were no rules broken?
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many there are, also of those that were not kept.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The first 1000.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_sentences_with_a_place() {
        let finding = Finding { place: Place::Path("/usr/bin/su".to_owned()), rule: Rule::Setuid(0o4755) };
        assert_eq!(finding.to_string(), "/usr/bin/su: has the setuid bit (mode 4755)");
        assert!(finding.hint().unwrap().starts_with("pack the image"));
        let finding = Finding { place: Place::Table(TableKind::Inodes), rule: Rule::MetadataBlock(7) };
        assert!(finding.to_string().starts_with("the inode table: has a metadata block at byte 7"));
        assert!(finding.hint().unwrap().starts_with("the image is damaged"));
    }

    #[test]
    fn more_than_anybody_reads_is_only_counted() {
        let mut findings = Findings::default();
        for _ in 0..KEPT_MAX + 5 {
            findings.add(Rule::Whiteout, || Place::Image);
        }
        assert_eq!((findings.iter().count(), findings.total()), (KEPT_MAX, KEPT_MAX as u64 + 5));
    }
}

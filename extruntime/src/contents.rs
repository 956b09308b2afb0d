//! Is an image what its signed facts say, and nothing that an overlay or a user could misuse?
//!
//! Asked of a sealed image before it is mounted, so that the kernel's squashfs never sees one that breaks a rule.

use std::fs::File;

use spec::TreePath;
use spec::artifact::ContentFacts;
use spec::content::check_link;
use spec::listing::{Kind as Listed, Listing};
use squash::Image;
use squash::image::{Entry, Finding, Kind, Limits, Unreadable};

/// Permissions of every directory: the base or another extension may have it too, and the topmost layer decides, so it
/// must not take any away or add one.
const DIRECTORY: u16 = 0o755;

/// What is signed about the content of an image.
#[derive(Debug, Clone, Copy)]
pub struct Promise<'a> {
    /// How much is in it, which bounds how much of it is read.
    pub facts: &'a ContentFacts,
    /// Its paths.
    pub listing: &'a Listing,
}

/// Reads the metadata of the image and holds it against the promise.
pub(crate) fn check(image: &File, promise: Promise<'_>) -> Result<(), ContentsFault> {
    let image = Image::open(image, &Limits::of(promise.facts))?;
    // A path that is no path is a finding too, so from here on all have one.
    if let Some(finding) = image.findings().iter().next() {
        return Err(ContentsFault::Rule(finding.clone()));
    }
    for entry in image.entries() {
        let Some(path) = entry.path() else { continue };
        check_one(&path, entry, promise.listing)?;
    }
    let found = image.listing();
    match promise.listing.iter().find(|(path, _)| found.get(path).is_none()) {
        Some((path, _)) => Err(ContentsFault::Missing(path.clone())),
        None => Ok(()),
    }
}

fn check_one(path: &TreePath, entry: Entry<'_>, listing: &Listing) -> Result<(), ContentsFault> {
    let is_root = *path == TreePath::root();
    let kind = match entry.kind() {
        Kind::Directory => Listed::Directory,
        Kind::File { .. } | Kind::Symlink { .. } | Kind::Special(_) => Listed::Leaf,
    };
    if !is_root && listing.get(path) != Some(kind) {
        return Err(ContentsFault::Unlisted(path.clone()));
    }
    if kind == Listed::Directory && entry.mode() != DIRECTORY {
        return Err(ContentsFault::Mode { path: path.clone(), mode: entry.mode() });
    }
    match entry.kind() {
        Kind::Symlink { target } => check_link(path, &target)
            .map_err(|complaint| ContentsFault::Link { path: path.clone(), what: complaint.what }),
        _ => Ok(()),
    }
}

/// What is wrong with the content of an image.
#[derive(Debug, thiserror::Error)]
pub enum ContentsFault {
    /// It cannot be read, or not within what is signed.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It breaks a rule.
    #[error(transparent)]
    Rule(Finding),
    /// The listing does not have the path, or has it as something else.
    #[error("{0} is in the image, but not as what its signed list of paths says")]
    Unlisted(TreePath),
    /// The image does not have the path.
    #[error("{0} is in the signed list of paths, but not in the image")]
    Missing(TreePath),
    /// A link that leads where extensions have nothing.
    #[error("{path} {what}")]
    Link {
        /// The path.
        path: TreePath,
        /// What is wrong with the link.
        what: String,
    },
    /// A directory with other permissions than the rest of the system expects.
    #[error("{path} has mode {mode:04o}, which an extension may not have there")]
    Mode {
        /// The path.
        path: TreePath,
        /// Its mode.
        mode: u16,
    },
}

impl ContentsFault {
    /// Where it is, if it is at a place.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            ContentsFault::Unreadable(_) => None,
            ContentsFault::Rule(finding) => Some(finding.place.to_string()),
            ContentsFault::Unlisted(path)
            | ContentsFault::Missing(path)
            | ContentsFault::Link { path, .. }
            | ContentsFault::Mode { path, .. } => Some(path.to_string()),
        }
    }
}

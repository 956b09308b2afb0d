//! Is an image what is said about it, and nothing that an overlay or a user could misuse?
//!
//! Whoever signs asks, and the boot before it mounts, so that the kernel's squashfs never sees one that breaks a rule.

use spec::artifact::ContentFacts;
use spec::content::{Complaint, check_link};
use spec::defence::{self, Threat};
use spec::listing::{Kind as Listed, Listing};
use spec::{Diagnose, Outcome, TreePath};

use crate::Image;
use crate::image::{Entry, Finding, Kind, Limits, Source, Unreadable};

/// Permissions of every directory: the base or another extension may have it too, and the topmost layer decides, so it
/// must not take any away or add one.
const DIRECTORY: u16 = 0o755;

/// What is said, and in time signed, about the content of an image.
#[derive(Debug, Clone, Copy)]
pub struct Promise<'a> {
    /// How much is in it, which bounds how much of it is read.
    pub facts: &'a ContentFacts,
    /// Its paths.
    pub listing: &'a Listing,
}

impl Promise<'_> {
    /// Opens the image, and holds its metadata against the promise.
    pub fn check<'s>(&self, image: &'s dyn Source) -> Result<Image<'s>, BrokenPromise> {
        let limits = match defence::stands(Threat::C9) {
            true => Limits::of(self.facts),
            false => Limits::default(),
        };
        let image = Image::open(image, &limits)?;
        // A path that is no path is a finding too, so from here on all have one.
        if let Some(finding) = image.findings().iter().next() {
            return Err(BrokenPromise::Rule(finding.clone()));
        }
        for entry in image.entries() {
            let Some(path) = entry.path() else { continue };
            check_one(&path, entry, self.listing)?;
        }
        let found = image.listing();
        match self.listing.iter().find(|(path, _)| found.get(path).is_none()) {
            Some((path, _)) => Err(BrokenPromise::Missing(path.clone())),
            None => Ok(image),
        }
    }
}

fn check_one(path: &TreePath, entry: Entry<'_>, listing: &Listing) -> Result<(), BrokenPromise> {
    let is_root = *path == TreePath::root();
    let kind = match entry.kind() {
        Kind::Directory => Listed::Directory,
        Kind::File { .. } | Kind::Symlink { .. } | Kind::Special(_) => Listed::Leaf,
    };
    if !is_root && listing.get(path) != Some(kind) {
        return Err(BrokenPromise::Unlisted(path.clone()));
    }
    if kind == Listed::Directory && entry.mode() != DIRECTORY {
        return Err(BrokenPromise::Mode { path: path.clone(), mode: entry.mode() });
    }
    match entry.kind() {
        Kind::Symlink { target } if defence::stands(Threat::C6) => check_link(path, &target)
            .map_err(|complaint| BrokenPromise::Link { path: path.clone(), complaint }),
        _ => Ok(()),
    }
}

/// What is wrong with the content of an image.
#[derive(Debug, thiserror::Error)]
pub enum BrokenPromise {
    /// It cannot be read, or not within what is signed.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It breaks a rule.
    #[error(transparent)]
    Rule(Finding),
    /// The listing does not have the path, or has it as something else.
    #[error("{0} is in the image, but not as what the list of its paths says")]
    Unlisted(TreePath),
    /// The image does not have the path.
    #[error("{0} is in the list of paths, but not in the image")]
    Missing(TreePath),
    /// A link that leads where extensions have nothing.
    #[error("{path} {}", complaint.what)]
    Link {
        /// The path.
        path: TreePath,
        /// What is wrong with the link.
        complaint: Complaint,
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

impl BrokenPromise {
    /// Where it is, if it is at a place.
    pub fn place(&self) -> Option<String> {
        match self {
            BrokenPromise::Unreadable(_) => None,
            BrokenPromise::Rule(finding) => Some(finding.place.to_string()),
            BrokenPromise::Unlisted(path)
            | BrokenPromise::Missing(path)
            | BrokenPromise::Link { path, .. }
            | BrokenPromise::Mode { path, .. } => Some(path.to_string()),
        }
    }
}

impl Diagnose for BrokenPromise {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            BrokenPromise::Unreadable(error) => error.hint(),
            BrokenPromise::Rule(finding) => finding.hint(),
            BrokenPromise::Link { complaint, .. } => Some(complaint.hint.clone()),
            _ => Some("build the extension again".to_owned()),
        }
    }
}

//! The list of what is in an image: one path a line, sorted, directories with a `/` at the end.
//!
//! The base and every extension have one, so that collisions are seen before anything is mounted.

use std::collections::BTreeMap;

use crate::{Diagnose, Outcome, TreePath};

/// Is it a directory, which many images may share, or something that only one may have?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file or a symbolic link.
    Leaf,
}

/// Every path of an image but its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing(BTreeMap<TreePath, Kind>);

impl Listing {
    /// An empty list.
    pub fn new() -> Listing {
        Listing::default()
    }

    /// Adds a path; the root is not listed.
    pub fn insert(&mut self, path: TreePath, kind: Kind) {
        if path != TreePath::root() {
            self.0.insert(path, kind);
        }
    }

    /// Is the path in the image, and as what?
    pub fn get(&self, path: &TreePath) -> Option<Kind> {
        self.0.get(path).copied()
    }

    /// All paths in order.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, Kind)> {
        self.0.iter().map(|(path, kind)| (path, *kind))
    }

    /// The paths that both have and that they cannot share: anything but a directory in both.
    pub fn collisions<'a>(&'a self, other: &'a Listing) -> impl Iterator<Item = &'a TreePath> {
        self.iter().filter_map(|(path, kind)| match (kind, other.get(path)?) {
            (Kind::Directory, Kind::Directory) => None,
            _ => Some(path),
        })
    }

    /// The list as text.
    pub fn to_text(&self) -> String {
        let line = |(path, kind): (&TreePath, Kind)| match kind {
            Kind::Directory => format!("{path}/\n"),
            Kind::Leaf => format!("{path}\n"),
        };
        self.iter().map(line).collect()
    }

    /// Reads the text back. Order and uniqueness are part of the format: same image, same bytes.
    pub fn parse(text: &str) -> Result<Listing, ListingError> {
        let mut paths = BTreeMap::new();
        let mut last: Option<TreePath> = None;
        for (index, line) in text.lines().enumerate() {
            let wrong = |reason: String| ListingError { line: index + 1, reason };
            let kind = if line.ends_with('/') { Kind::Directory } else { Kind::Leaf };
            let path: TreePath =
                line.parse().map_err(|error: crate::path::PathError| wrong(error.to_string()))?;
            if path == TreePath::root() || last.as_ref().is_some_and(|last| *last >= path) {
                return Err(wrong(format!("{path} is not in order")));
            }
            last = Some(path.clone());
            paths.insert(path, kind);
        }
        Ok(Listing(paths))
    }
}

/// Fastest where the paths come in order; the root is not listed.
impl FromIterator<(TreePath, Kind)> for Listing {
    fn from_iter<I: IntoIterator<Item = (TreePath, Kind)>>(paths: I) -> Listing {
        Listing(paths.into_iter().filter(|(path, _)| *path != TreePath::root()).collect())
    }
}

/// The text is not a list of paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("list of paths, line {line}: {reason}")]
pub struct ListingError {
    line: usize,
    reason: String,
}

impl Diagnose for ListingError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(lines: &[&str]) -> Listing {
        Listing::parse(&lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap()
    }

    #[test]
    fn text_round_trips_and_has_one_form() {
        let list = listing(&["/usr/", "/usr/bin/", "/usr/bin/wg"]);
        assert_eq!(Listing::parse(&list.to_text()).as_ref(), Ok(&list));
        let paths = list.iter().map(|(path, kind)| (path.clone(), kind));
        assert_eq!(paths.chain([(TreePath::root(), Kind::Directory)]).collect::<Listing>(), list);
        for bad in ["/b\n/a\n", "/a\n/a\n", "a\n", "/\n", "/a/../b\n"] {
            assert!(Listing::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_directories_can_be_shared() {
        let base = listing(&["/etc", "/usr/", "/usr/bin/", "/usr/bin/sh"]);
        let other = listing(&["/etc/", "/usr/", "/usr/bin/", "/usr/bin/sh", "/usr/bin/wg"]);
        let found: Vec<_> = other.collisions(&base).map(TreePath::as_str).collect();
        assert_eq!(found, ["/etc", "/usr/bin/sh"]);
    }
}

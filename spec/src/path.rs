//! Paths inside an image.

use std::cmp::Ordering;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::door::{display_inner, serde_by_text};

/// Longest name of one component in bytes: Linux `NAME_MAX` (include/uapi/linux/limits.h).
const COMPONENT_MAX: usize = 255;

/// Longest path in bytes, and longest target of a symbolic link: Linux `PATH_MAX` without its NUL
/// (include/uapi/linux/limits.h).
pub const PATH_MAX: usize = 4095;

/// An absolute path inside an image: `/`, or `/` and components without `.`, `..`, empty ones and control
/// characters. It is UTF-8. Paths compare by component, so that a directory sorts right before what it holds.
///
/// Clones share the text: a tree of many files has its names in memory once, wherever they are written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreePath(Arc<str>);

impl TreePath {
    /// The root of the image.
    pub fn root() -> TreePath {
        TreePath("/".into())
    }

    /// The path as text, with its leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without its leading `/`: empty for the root. For joining onto a directory of the host.
    pub fn relative(&self) -> &str {
        &self.0[1..]
    }

    /// The components from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The last component, or nothing for the root.
    pub fn file_name(&self) -> Option<&str> {
        self.components().last()
    }

    /// The directory that holds it, or nothing for the root.
    pub fn parent(&self) -> Option<TreePath> {
        let (parent, name) = self.0.rsplit_once('/')?;
        match (parent, name) {
            (_, "") => None,
            ("", _) => Some(TreePath::root()),
            _ => Some(TreePath(parent.into())),
        }
    }

    /// The path of `relative` (components separated by `/`, no leading one) below this one.
    pub fn join(&self, relative: &str) -> Result<TreePath, PathError> {
        match (relative.is_empty(), self.as_str()) {
            (true, _) => Ok(self.clone()),
            (false, "/") => format!("/{relative}").parse(),
            (false, own) => format!("{own}/{relative}").parse(),
        }
    }

    /// Is it `ancestor` or below it? Whole components count: `/usr/local-x` is not within `/usr/local`.
    pub fn is_within(&self, ancestor: &TreePath) -> bool {
        let mut own = self.components();
        ancestor.components().all(|part| own.next() == Some(part))
    }
}

/// The text is not a path inside an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{path}\" is not a path inside an image: {reason}")]
pub struct PathError {
    path: String,
    reason: &'static str,
}

impl FromStr for TreePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<TreePath, PathError> {
        let wrong = |reason| PathError { path: text.chars().take(200).collect(), reason };
        let Some(inside) = text.strip_prefix('/') else {
            return Err(wrong("it must be absolute"));
        };
        if text.len() > PATH_MAX {
            return Err(wrong("it is longer than 4095 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(wrong("it has a control character"));
        }
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        if inside.is_empty() && text.len() <= 2 {
            return if text == "/" { Ok(TreePath::root()) } else { Err(wrong("it has an empty component")) };
        }
        for part in inside.split('/') {
            match part {
                "" => return Err(wrong("it has an empty component")),
                "." | ".." => return Err(wrong("it has a . or .. component")),
                _ if part.len() > COMPONENT_MAX => return Err(wrong("a component is longer than 255 bytes")),
                _ => {}
            }
        }
        Ok(TreePath(text[..1 + inside.len()].into()))
    }
}

impl Ord for TreePath {
    /// By component, which is by byte with the `/` before all others: where two paths part, the one whose component
    /// ends is the smaller one.
    fn cmp(&self, other: &TreePath) -> Ordering {
        let (own, other) = (self.0.as_bytes(), other.0.as_bytes());
        match own.iter().zip(other).find(|(own, other)| own != other) {
            None => own.len().cmp(&other.len()),
            Some((b'/', _)) => Ordering::Less,
            Some((_, b'/')) => Ordering::Greater,
            Some((own, other)) => own.cmp(other),
        }
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &TreePath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

serde_by_text!(TreePath);
display_inner!(TreePath);

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    #[test]
    fn only_plain_absolute_paths_parse() {
        assert_eq!(path("/usr/lib/").as_str(), "/usr/lib");
        assert_eq!(path("/"), TreePath::root());
        for bad in ["", "usr", "//", "/usr//lib", "/usr/../etc", "/./usr", "/usr/..", "/a\0b", "/a\nb"] {
            assert!(bad.parse::<TreePath>().is_err(), "{bad:?}");
        }
        assert!(format!("/{}", "a".repeat(256)).parse::<TreePath>().is_err());
    }

    #[test]
    fn paths_are_compared_by_whole_components() {
        assert!(path("/usr/local/bin").is_within(&path("/usr/local")));
        assert!(!path("/usr/local-evil").is_within(&path("/usr/local")));
        assert!(path("/usr").is_within(&TreePath::root()));
        assert!(!path("/usr").is_within(&path("/usr/local")));
        let mut paths = ["/a-b", "/a/c", "/a"].map(path);
        paths.sort();
        assert_eq!(paths.map(String::from), ["/a", "/a/c", "/a-b"]);
    }

    #[test]
    fn the_order_is_that_of_the_components() {
        let parts = ["a", "a!", "aa", "ab", "b", "\u{e9}"];
        let deeper = |path: &TreePath| parts.map(|part| path.join(part).unwrap());
        let mut paths = vec![TreePath::root()];
        paths.extend(deeper(&paths[0]));
        paths.extend(paths[1..].iter().flat_map(deeper).collect::<Vec<_>>());
        for (a, b) in paths.iter().flat_map(|a| paths.iter().map(move |b| (a, b))) {
            assert_eq!(a.cmp(b), a.components().cmp(b.components()), "{a} {b}");
        }
    }

    #[test]
    fn parent_join_and_name_fit_together() {
        let file = path("/usr/lib/x");
        assert_eq!(file.parent().unwrap().join("x").unwrap(), file);
        assert_eq!(path("/usr").parent(), Some(TreePath::root()));
        assert_eq!(TreePath::root().parent(), None);
        assert_eq!(TreePath::root().join("usr/lib").unwrap(), path("/usr/lib"));
        assert!(file.join("../y").is_err());
    }
}

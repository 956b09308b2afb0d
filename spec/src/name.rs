//! Names of extensions, and patterns over them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::door::{display_inner, serde_by_text};

/// Longest name: with a version behind it it must still fit an OCI tag (128 characters).
pub const NAME_MAX: usize = 63;

/// The name of an extension: a lower-case letter or digit, then up to 62 lower-case letters, digits and `-`.
///
/// It is a legal last part of an OCI repository, of a tag and of a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExtensionName(String);

impl ExtensionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a name of an extension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a name: expected 1 to 63 of a-z, 0-9 and -, not starting or ending with -")]
pub struct NameError(String);

fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=NAME_MAX).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl FromStr for ExtensionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<ExtensionName, NameError> {
        match is_name(text) {
            true => Ok(ExtensionName(text.to_owned())),
            false => Err(NameError(text.chars().take(80).collect())),
        }
    }
}

/// Which names a key may sign for: one name, or all names that start with what stands before a final `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern(String);

impl NamePattern {
    /// Does the pattern cover `name`?
    pub fn covers(&self, name: &ExtensionName) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.as_str().starts_with(prefix),
            None => name.as_str() == self.0,
        }
    }
}

/// The text is neither a name nor the start of one followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a name pattern: expected a name, the start of one and *, or * alone")]
pub struct PatternError(String);

impl FromStr for NamePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<NamePattern, PatternError> {
        // A prefix may end with `-`, which a name may not: judge it as the start of a longer name.
        let sound = match text.strip_suffix('*') {
            Some(prefix) => is_name(&format!("{prefix}x")),
            None => is_name(text),
        };
        match sound {
            true => Ok(NamePattern(text.to_owned())),
            false => Err(PatternError(text.chars().take(80).collect())),
        }
    }
}

serde_by_text!(ExtensionName, NamePattern);
display_inner!(ExtensionName, NamePattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_tags_paths_and_repositories() {
        for good in ["wireguard", "nvidia-open-535", "a", "0x", &"a".repeat(63)] {
            assert!(good.parse::<ExtensionName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a/b", "..", "a.b", "a\n", "é", &"a".repeat(64)] {
            assert!(bad.parse::<ExtensionName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_covers_by_prefix_only_with_a_star() {
        let covers = |pattern: &str, name: &str| {
            pattern.parse::<NamePattern>().unwrap().covers(&name.parse().unwrap())
        };
        assert!(covers("wireguard", "wireguard"));
        assert!(!covers("wireguard", "wireguard-tools"));
        assert!(covers("wireguard*", "wireguard-tools"));
        assert!(covers("wireguard-*", "wireguard-tools"));
        assert!(!covers("wireguard-*", "wireguardx"));
        assert!(covers("*", "anything"));
        for bad in ["", "**", "*a", "a*b", "A*"] {
            assert!(bad.parse::<NamePattern>().is_err(), "{bad}");
        }
    }
}

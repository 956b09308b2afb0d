//! Which build of a kernel it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most bytes of a build id. Linkers make 8 to 20 (ld(1), `--build-id`), and 64 is a SHA-512.
const MAX: usize = 64;

/// The build id of a kernel (NT_GNU_BUILD_ID, `/sys/kernel/notes`): a hash of what was linked, as lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BuildId(String);

/// The text cannot be a build id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a build id: expected 1 to {MAX} bytes as lower-case hexadecimal digits")]
pub struct BuildIdError(String);

impl BuildId {
    /// The build id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The build id with these bytes, if there can be one.
    pub fn from_bytes(bytes: &[u8]) -> Option<BuildId> {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.parse().ok()
    }
}

impl FromStr for BuildId {
    type Err = BuildIdError;

    fn from_str(text: &str) -> Result<BuildId, BuildIdError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_whole = (2..=2 * MAX).contains(&text.len()) && text.len().is_multiple_of(2);
        match is_whole && text.bytes().all(is_digit) {
            true => Ok(BuildId(text.to_owned())),
            false => Err(BuildIdError(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for BuildId {
    type Error = BuildIdError;

    fn try_from(text: String) -> Result<BuildId, BuildIdError> {
        text.parse()
    }
}

impl From<BuildId> for String {
    fn from(id: BuildId) -> String {
        id.0
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_has_one_form() {
        let id = BuildId::from_bytes(&[0x0a, 0xff]).unwrap();
        assert_eq!((id.as_str(), "0aff".parse()), ("0aff", Ok(id.clone())));
        for wrong in ["", "0", "0aF0", "0xff", &"00".repeat(MAX + 1)] {
            assert!(wrong.parse::<BuildId>().is_err(), "{wrong}");
        }
        assert_eq!(BuildId::from_bytes(&[]), None);
    }
}

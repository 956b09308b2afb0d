//! Names that the kernel gives: releases and modules.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::door::{display_inner, serde_by_text};

/// What `uname -r` prints, exactly. It is not semver and has no order here: two releases are equal or not. Only the
/// [series](KernelRelease::series) of the sources that they are built from have one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KernelRelease(String);

impl KernelRelease {
    /// The release as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The series of Linux that it is of: `(6, 1)` of `6.1.0-56-cloud-amd64`. Nothing where it does not start with two
    /// numbers, as the Makefile of Linux makes it (VERSION and PATCHLEVEL).
    pub fn series(&self) -> Option<(u32, u32)> {
        let (major, rest) = self.0.split_once('.')?;
        let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

/// The text cannot be a kernel release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a kernel release: expected 1 to 64 of letters, digits and . _ + ~ -, starting with a digit"
)]
pub struct ReleaseError(String);

impl FromStr for KernelRelease {
    type Err = ReleaseError;

    /// A release is a directory name below `/usr/lib/modules`; 64 bytes is `__NEW_UTS_LEN` (linux/utsname.h).
    fn from_str(text: &str) -> Result<KernelRelease, ReleaseError> {
        let sound = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~-".contains(&b));
        match sound {
            true => Ok(KernelRelease(text.to_owned())),
            false => Err(ReleaseError(text.chars().take(80).collect())),
        }
    }
}

/// The name of a kernel module as the kernel knows it: `-` is written `_` (linux/moduleparam.h, KBUILD_MODNAME).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModuleName(String);

impl ModuleName {
    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The module that a file name (`udp-tunnel.ko`, `wireguard.ko.xz`) holds, or nothing if it is no module.
    pub fn from_file_name(file: &str) -> Option<ModuleName> {
        let stem = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].iter().find_map(|end| file.strip_suffix(end))?;
        stem.parse().ok()
    }
}

/// The text cannot be the name of a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a module name: expected 1 to 55 of letters, digits, _ and -")]
pub struct ModuleNameError(String);

impl FromStr for ModuleName {
    type Err = ModuleNameError;

    /// 55 characters and a NUL fit `MODULE_NAME_LEN` (linux/module.h: 64 minus sizeof(unsigned long)).
    fn from_str(text: &str) -> Result<ModuleName, ModuleNameError> {
        let sound = (1..=55).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        match sound {
            true => Ok(ModuleName(text.replace('-', "_"))),
            false => Err(ModuleNameError(text.chars().take(80).collect())),
        }
    }
}

serde_by_text!(KernelRelease, ModuleName);
display_inner!(KernelRelease, ModuleName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_cannot_leave_their_directory() {
        for good in ["6.1.0-56-cloud-amd64", "6.12.117+deb12-cloud-amd64", "6.18.44"] {
            assert!(good.parse::<KernelRelease>().is_ok(), "{good}");
        }
        for bad in ["", "..", "6/1", "../6", "6.1 x", &"6".repeat(65)] {
            assert!(bad.parse::<KernelRelease>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_series_of_a_release_is_its_first_two_numbers() {
        let series = |text: &str| text.parse::<KernelRelease>().unwrap().series();
        assert_eq!(series("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert_eq!(series("6.12.117+deb12-cloud-amd64"), Some((6, 12)));
        assert_eq!(series("7.0-rc1"), Some((7, 0)));
        for none in ["6", "6-1", "6.x", "6.", "6a.1", "99999999999.1"] {
            assert_eq!(series(none), None, "{none}");
        }
    }

    #[test]
    fn module_names_are_the_kernels() {
        let name = ModuleName::from_file_name("curve25519-x86_64.ko.xz").unwrap();
        assert_eq!(name.as_str(), "curve25519_x86_64");
        assert_eq!(ModuleName::from_file_name("modules.dep"), None);
        assert!("a/b".parse::<ModuleName>().is_err());
    }
}

//! Whose is a file, or a module, of the running system?

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use spec::status::{ExtensionStatus, State, Status};
use spec::{Digest, ExtensionName, ModuleName, Version};

use crate::places::Run;

/// How deep modules are below `/usr/lib/modules`; those of kernels are five directories deep.
const DEPTH: u32 = 16;

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A file, link or directory.
    Path(PathBuf),
    /// A module, by its name.
    Module(ModuleName),
}

impl Subject {
    /// What begins with a slash is a path, and everything else a module.
    pub(crate) fn parse(text: &str) -> Option<Subject> {
        match text.starts_with('/') {
            true => Some(Subject::Path(text.into())),
            false => text.parse().ok().map(Subject::Module),
        }
    }
}

/// A layer that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    /// The extension; none for the base.
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<ExtensionName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    /// Its manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// The keys that signed it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signers: Vec<String>,
    /// Where it is in the system.
    path: PathBuf,
}

/// The layers that have it, the one that shows first. A directory may be of several.
pub(crate) fn owners(status: &Status, subject: &Subject) -> Vec<Owner> {
    let active = status.extensions.iter().filter(|extension| extension.state == State::Active);
    let extensions = active.filter_map(|extension| {
        let path = find(Path::new(extension.layer.as_ref()?), subject)?;
        Some(Owner::extension(extension, path))
    });
    let mut owners: Vec<Owner> = extensions.collect();
    // What nothing is laid over shows where it is.
    let uncovered = || owners.is_empty().then(|| find(Path::new("/"), subject)).flatten();
    let base = find(&Run::base(), subject).or_else(uncovered).map(Owner::base);
    owners.extend(base);
    owners
}

impl Owner {
    fn extension(extension: &ExtensionStatus, path: PathBuf) -> Owner {
        Owner {
            extension: Some(extension.name.clone()),
            version: extension.version.clone(),
            digest: extension.digest,
            signers: extension.signers.clone(),
            path,
        }
    }

    fn base(path: PathBuf) -> Owner {
        Owner { extension: None, version: None, digest: None, signers: Vec::new(), path }
    }

    /// A line for a person.
    pub(crate) fn line(&self) -> String {
        let path = self.path.display();
        match (&self.extension, &self.version, &self.digest) {
            (Some(name), Some(version), Some(digest)) => {
                let signers = if self.signers.is_empty() { "nobody".into() } else { self.signers.join(", ") };
                format!("{path} is of {name} {version}, {digest}, signed by {signers}\n")
            }
            _ => format!("{path} is of the base\n"),
        }
    }
}

/// Where a layer has it, as the system sees it.
fn find(layer: &Path, subject: &Subject) -> Option<PathBuf> {
    match subject {
        Subject::Path(path) => {
            let inside = layer.join(path.strip_prefix("/").ok()?);
            fs::symlink_metadata(inside).ok().map(|_| path.clone())
        }
        Subject::Module(name) => {
            let found = find_module(&layer.join("usr/lib/modules"), name, DEPTH)?;
            Some(Path::new("/").join(found.strip_prefix(layer).ok()?))
        }
    }
}

fn find_module(directory: &Path, name: &ModuleName, depth: u32) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    entries.into_iter().find_map(|entry| {
        let (path, kind) = (entry.path(), entry.file_type().ok()?);
        match kind.is_dir() {
            true => depth.checked_sub(1).and_then(|depth| find_module(&path, name, depth)),
            false => is_file_of(&path, name).then_some(path),
        }
    })
}

/// Is this `NAME.ko`, perhaps compressed, in either way of writing the name?
fn is_file_of(path: &Path, name: &ModuleName) -> bool {
    let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
    let Some((stem, end)) = file.split_once(".ko") else { return false };
    (end.is_empty() || end.starts_with('.')) && stem.parse::<ModuleName>().is_ok_and(|found| found == *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_module_and_what_begins_with_a_slash_a_path() {
        assert_eq!(Subject::parse("/usr/bin/wg"), Some(Subject::Path("/usr/bin/wg".into())));
        assert_eq!(Subject::parse("kvm-intel"), Some(Subject::Module("kvm_intel".parse().unwrap())));
        assert_eq!(Subject::parse("usr/bin/wg"), None);
    }

    #[test]
    fn modules_are_found_by_name_whatever_their_file_is_called() {
        let layer = tempfile::tempdir().unwrap();
        let place = layer.path().join("usr/lib/modules/6.1.0/extra/x");
        fs::create_dir_all(&place).unwrap();
        for file in ["my-driver.ko.xz", "other.ko", "third.kobold"] {
            fs::write(place.join(file), "").unwrap();
        }
        let found = |name: &str| find(layer.path(), &Subject::parse(name).unwrap());
        assert_eq!(found("my_driver").unwrap(), Path::new("/usr/lib/modules/6.1.0/extra/x/my-driver.ko.xz"));
        assert!(found("other").is_some() && found("third").is_none() && found("absent").is_none());
        assert!(found("/usr/lib/modules").is_some() && found("/usr/lib/absent").is_none());
    }
}

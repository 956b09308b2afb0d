//! What lies beside a trust policy: a directory of documents and signatures. A stranger may have filled it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use spec::artifact::limits;

use crate::blobs;
use crate::error::CatalogError;

/// Directory entries that are looked at.
const ENTRIES_MAX: usize = 1024;

/// The files of a directory of trust, and what of it could not be used.
#[derive(Debug, Default)]
pub struct TrustFiles {
    /// Names and bytes, sorted by name.
    pub files: Vec<(String, Vec<u8>)>,
    /// What was there and could not be read: it must not hide what is whole.
    pub skipped: Vec<CatalogError>,
}

impl TrustFiles {
    /// Reads the `.yaml` and `.json` files of `dir`, together no more than [`limits::TRUST`] bytes. A directory that is
    /// missing is empty.
    pub fn read(dir: &Path) -> Result<TrustFiles, CatalogError> {
        let mut found = TrustFiles::default();
        let mut room = limits::TRUST;
        for path in paths(dir)? {
            match blobs::read_named(&path, room) {
                Ok(Some(bytes)) => {
                    room -= bytes.len() as u64;
                    found.files.push((path.display().to_string(), bytes));
                }
                Ok(None) => {}
                Err(error) => found.skipped.push(error),
            }
        }
        Ok(found)
    }
}

fn paths(dir: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(CatalogError::io("read", dir))?,
    };
    let mut paths = Vec::new();
    for entry in entries.take(ENTRIES_MAX) {
        let path = entry.map_err(CatalogError::io("read", dir))?.path();
        let kind = path.extension().and_then(|ending| ending.to_str());
        if matches!(kind, Some("yaml" | "json")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_hides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(TrustFiles::read(&dir.path().join("missing")).unwrap().files.is_empty());
        fs::write(dir.path().join("b.json"), "{}").unwrap();
        fs::write(dir.path().join("a.yaml"), "a: 1").unwrap();
        fs::write(dir.path().join("README"), "not ours").unwrap();
        fs::create_dir(dir.path().join("c.yaml")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("d.yaml")).unwrap();
        let huge = fs::File::create(dir.path().join("e.yaml")).unwrap();
        huge.set_len(limits::TRUST + 1).unwrap();
        let TrustFiles { files, skipped } = TrustFiles::read(dir.path()).unwrap();
        let contents: Vec<&[u8]> = files.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(contents, [&b"a: 1"[..], b"{}"]);
        assert_eq!(skipped.len(), 3, "{skipped:?}");
    }
}

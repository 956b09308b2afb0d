//! Debian packages (deb(5)): an ar archive whose member `data.tar*` holds the files.

use std::io::BufReader;

use super::archive::{self, Compression};
use super::pinned::PinnedFile;
use super::{Entry, SourceError};

/// Lists the files that a package installs. Its maintainer scripts are not run and not looked at.
pub(super) fn list(package: PinnedFile) -> Result<Vec<Entry>, SourceError> {
    let path = package.path;
    let unsound = |problem: String| SourceError::Archive { path: path.clone(), problem };
    let mut archive = ar::Archive::new(BufReader::new(package.file));
    while let Some(member) = archive.next_entry() {
        let member = member.map_err(|error| unsound(error.to_string()))?;
        let compression = match member.header().identifier() {
            b"data.tar" => Compression::None,
            b"data.tar.gz" => Compression::Gzip,
            b"data.tar.xz" => Compression::Xz,
            b"data.tar.zst" => Compression::Zstd,
            other if other.starts_with(b"data.tar") => {
                return Err(unsound(format!(
                    "{} is compressed in an unknown way",
                    String::from_utf8_lossy(other)
                )));
            }
            _ => continue,
        };
        return archive::list(member, compression, &path);
    }
    Err(unsound("it has no member data.tar, so it is no Debian package".to_owned()))
}

//! Key files on disk: who may read them, and how they come to be.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use signing::{KeyFile, PublicKey};
use spec::{Diagnose, Outcome};
use terminal::{Failure, Place};
use zeroize::Zeroizing;

/// Largest file that is looked at as a key; a key of Ed25519 has some hundred bytes.
const MAX_BYTES: u64 = 64 << 10;
/// Permissions of others: of the group and of everybody (inode(7)).
const OTHERS: u32 = 0o077;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy)]
pub enum Readers {
    /// Its owner: mode 0600.
    Owner,
    /// Everybody whom the umask leaves: mode 0644.
    Everybody,
}

/// Reads a key of any form. A private one must be kept from others.
pub fn read(path: &Path) -> Result<KeyFile, Failure> {
    let (bytes, metadata) = read_bounded(path, MAX_BYTES)?;
    let key = KeyFile::parse(&bytes).map_err(Unusable::of(path))?;
    if key.is_secret() {
        check_private(path, &metadata)?;
    }
    Ok(key)
}

/// Reads a file that must be a public key and nothing else.
pub fn read_public(path: &Path) -> Result<PublicKey, Failure> {
    let (bytes, _) = read_bounded(path, MAX_BYTES)?;
    Ok(PublicKey::from_pem(&bytes).map_err(Unusable::of(path))?)
}

/// The content of a regular file and what was known of this very file when it was opened. The content is overwritten
/// when it is dropped, and never lay anywhere else.
fn read_bounded(path: &Path, max: u64) -> Result<(Zeroizing<Vec<u8>>, Metadata), Failure> {
    let cannot = || Place::cannot("read", path);
    let file = terminal::open_regular(path).map_err(cannot())?;
    let metadata = file.metadata().map_err(cannot())?;
    if metadata.len() > max {
        return Err(TooLarge { path: path.to_owned(), size: metadata.len(), max }.into());
    }
    // With room for all of it, and for the byte that shows the end, the vector is never moved.
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    file.take(metadata.len()).read_to_end(&mut bytes).map_err(cannot())?;
    Ok((bytes, metadata))
}

/// Must a secret in this file be taken to be known to others?
pub(crate) fn check_private(path: &Path, metadata: &Metadata) -> Result<(), Exposed> {
    let (path, owner, me) = (path.to_owned(), metadata.uid(), geteuid().as_raw());
    if owner != me && owner != 0 {
        return Err(Exposed::Owner { path, owner, me });
    }
    match metadata.mode() & 0o7777 {
        mode if mode & OTHERS != 0 => Err(Exposed::Mode { path, mode }),
        _ => Ok(()),
    }
}

/// Looks whether a private key that another program will read is kept from others.
pub fn check_secret(path: &Path) -> Result<(), Failure> {
    let metadata = terminal::open_regular(path).and_then(|file| file.metadata());
    Ok(check_private(path, &metadata.map_err(Place::cannot("read", path))?)?)
}

/// Writes a file that must not be there yet: it appears whole or not at all, and takes no other's place.
pub fn write_new(path: &Path, readers: Readers, bytes: &[u8]) -> Result<(), Failure> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut builder = tempfile::Builder::new();
        let mut file = builder.prefix(".new-").permissions(Permissions::from_mode(mode)).tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()
    };
    Ok(write().map_err(Place::cannot("write", path))?)
}

/// Is there nothing of this name? Asked before a person is asked for a passphrase; [`write_new`] makes sure.
pub fn check_free(path: &Path) -> Result<(), Place> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Place::cannot("write", path)(error)),
        Ok(_) => Err(Place::cannot("write", path)(rustix::io::Errno::EXIST.into())),
    }
}

/// A file that is not the key that it should be.
#[derive(Debug, thiserror::Error)]
#[error("{} is not usable as a key", path.display())]
pub(crate) struct Unusable<E> {
    path: PathBuf,
    source: E,
}

impl<E> Unusable<E> {
    /// For `map_err`.
    pub(crate) fn of(path: &Path) -> impl FnOnce(E) -> Unusable<E> {
        let path = path.to_owned();
        move |source| Unusable { path, source }
    }
}

impl<E: Diagnose + 'static> Diagnose for Unusable<E> {
    fn outcome(&self) -> Outcome {
        self.source.outcome()
    }

    fn hint(&self) -> Option<String> {
        self.source.hint()
    }
}

/// A file that is too large for what it should be; it is not read.
#[derive(Debug, thiserror::Error)]
#[error("{} has {size} bytes, and a key at most {max}", path.display())]
struct TooLarge {
    path: PathBuf,
    size: u64,
    max: u64,
}

impl Diagnose for TooLarge {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// A secret that others can get at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Exposed {
    #[error("{} is a secret that others may use: its mode is {mode:04o}", path.display())]
    Mode { path: PathBuf, mode: u32 },
    #[error("{} is a secret of user {owner}, and this is user {me}", path.display())]
    Owner { path: PathBuf, owner: u32, me: u32 },
}

impl Diagnose for Exposed {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Exposed::Mode { path, .. } => {
                format!("chmod 600 {}; if it was so for long, make a new one", path.display())
            }
            Exposed::Owner { .. } => "work as the user whom it belongs to, or take a copy of your own".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_new_file_takes_nobodys_place_and_has_the_mode_of_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_new(&path, Readers::Owner, b"one").unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert!(write_new(&path, Readers::Owner, b"other").is_err());
        assert!(check_free(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something was left behind");
        // Neither does it follow a link to where there is nothing.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(check_free(&link).is_err());
        assert!(write_new(&link, Readers::Owner, b"other").is_err());
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn only_its_owner_may_have_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_new(&path, Readers::Owner, b"secret").unwrap();
        for (mode, fits) in
            [(0o600, true), (0o400, true), (0o700, true), (0o640, false), (0o601, false), (0o602, false)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let judged = check_private(&path, &path.metadata().unwrap());
            assert_eq!(judged.is_ok(), fits, "{mode:o}");
        }
        if geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            let error = check_private(&path, &path.metadata().unwrap()).unwrap_err();
            assert!(error.to_string().ends_with("is a secret of user 65534, and this is user 0"), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_is_not_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(read(&path).unwrap_err().sentence().ends_with("has 65537 bytes, and a key at most 65536"));
        assert!(read(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn an_error_about_a_key_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        fs::write(&path, "nothing of the kind").unwrap();
        let sentence = read_public(&path).unwrap_err().sentence();
        assert!(sentence.contains("key.pem is not usable as a key: this is not PEM text"), "{sentence}");
    }
}

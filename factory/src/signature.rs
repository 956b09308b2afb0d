//! The detached signature of an image that was written: `IMAGE.minisig`, for whoever downloads both.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use signing::Signer;
use signing::minisign::{FileHash, FileHasher, TrustedComment, sign_file};
use terminal::{Failure, Place};

/// How much is read at once, in bytes.
const CHUNK: usize = 1 << 20;

/// Signs `image` and writes the signature beside it, in the place of one that is there. `epoch` (seconds since 1970) is the
/// time in the signature: equal images of equal names have equal signatures.
pub(crate) fn write<S: Signer>(signer: &S, image: &Path, epoch: u32) -> Result<PathBuf, Failure>
where
    S::Error: Send + Sync,
{
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let comment = TrustedComment::of_file(&name, epoch.into())?;
    let hash = hash(image).map_err(Place::cannot("read", image))?;
    let text = sign_file(signer, &hash, &comment)?;
    let place = beside(image);
    replace(&place, text.as_bytes()).map_err(Place::cannot("write", &place))?;
    Ok(place)
}

/// `IMAGE.minisig`, where minisign looks for it.
fn beside(image: &Path) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

fn hash(image: &Path) -> io::Result<FileHash> {
    let mut file = File::open(image)?;
    let (mut hasher, mut chunk) = (FileHasher::default(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix(".minisig-").permissions(Permissions::from_mode(0o644)).tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

//! `extbuild key`

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use signing::{KeyError, PublicKey, SigningKey};
use spec::{Diagnose, Outcome};
use terminal::{Failure, Place};

use crate::cli::KeyCommand;

/// Largest file that is looked at as a key; a PEM of Ed25519 has about 120 bytes.
const MAX_BYTES: u64 = 64 << 10;

pub(crate) fn run(command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::New { output } => new(&output),
        KeyCommand::Show { file } => {
            let pem = read_key(&file)?;
            let public = match SigningKey::from_pem(&pem) {
                Ok(key) => key.public_key(),
                Err(_) => PublicKey::from_pem(&pem).map_err(KeyFile::wrap(&file))?,
            };
            Ok(terminal::text(&public.to_pem())?)
        }
    }
}

/// Neither file may exist: a key that is overwritten is lost.
fn new(private: &Path) -> Result<(), Failure> {
    let mut seed = [0; 32];
    let random = Path::new("/dev/urandom");
    File::open(random)
        .and_then(|mut file| file.read_exact(&mut seed))
        .map_err(Place::cannot("read", random))?;
    let key = SigningKey::from_seed(seed);
    let mut public_name = private.as_os_str().to_owned();
    public_name.push(".pub");
    let public = PathBuf::from(public_name);
    write_new(&public, 0o644, key.public_key().to_pem().as_bytes())?;
    if let Err(failure) = write_new(private, 0o600, key.to_pem().as_bytes()) {
        // Without its private half the public key is only in the way of the next attempt.
        drop(std::fs::remove_file(&public));
        return Err(failure);
    }
    terminal::success(&format!(
        "{} is the private key; {} is to be given away",
        private.display(),
        public.display()
    ));
    Ok(())
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    Ok(written.map_err(Place::cannot("write", path))?)
}

/// Reads a file that should be a key.
pub(super) fn read_key(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(terminal::read_regular(path, MAX_BYTES).map_err(Place::cannot("read", path))?)
}

/// A file that is not the key that it should be.
#[derive(Debug, thiserror::Error)]
#[error("{} is not usable as a key", path.display())]
pub(super) struct KeyFile {
    path: PathBuf,
    source: KeyError,
}

impl KeyFile {
    pub(super) fn wrap(path: &Path) -> impl FnOnce(KeyError) -> KeyFile {
        let path = path.to_owned();
        move |source| KeyFile { path, source }
    }
}

impl Diagnose for KeyFile {
    fn outcome(&self) -> Outcome {
        self.source.outcome()
    }

    fn hint(&self) -> Option<String> {
        self.source.hint()
    }
}

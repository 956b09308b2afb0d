//! `extbuild key`

mod export;
mod import;
mod new;
mod show;

use std::path::{Path, PathBuf};

use rustix::rand::{GetRandomFlags, getrandom};
use signer::open;
use signing::{EncryptedKey, Fresh, KeyFile, PublicKey, SigningKey};
use terminal::{Failure, Place};
use zeroize::Zeroizing;

use crate::cli::KeyCommand;
use crate::key_file::{Readers, check_free, write_new};
use crate::passphrase::Source;

pub(crate) fn run(command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::New(args) => new::run(args),
        KeyCommand::Show(args) => show::run(args),
        KeyCommand::Import(args) => import::run(args),
        KeyCommand::Export(args) => export::run(args),
    }
}

/// The public half of a key that was read from `path`.
fn public_half(key: KeyFile, path: &Path, passphrase: &Source) -> Result<PublicKey, Failure> {
    match key {
        KeyFile::Public(key) => Ok(key),
        key => Ok(open(key, path, passphrase)?.public_key()),
    }
}

/// The two files of a key pair, neither of which may exist: a key that is overwritten is lost.
struct Pair {
    private: PathBuf,
    public: PathBuf,
}

impl Pair {
    fn at(private: PathBuf) -> Result<Pair, Failure> {
        let mut public = private.as_os_str().to_owned();
        public.push(".pub");
        let pair = Pair { private, public: public.into() };
        check_free(&pair.private)?;
        check_free(&pair.public)?;
        Ok(pair)
    }

    /// Writes both. Without a passphrase it says so.
    fn write(&self, key: &SigningKey, lock: Option<&Source>) -> Result<(), Failure> {
        let pem = match lock {
            Some(source) => {
                let passphrase = source.fresh(&self.private)?;
                Zeroizing::new(EncryptedKey::lock(key, &passphrase, fresh()?).to_pem())
            }
            None => key.to_pem(),
        };
        write_new(&self.public, Readers::Everybody, key.public_key().to_pem().as_bytes())?;
        if let Err(failure) = write_new(&self.private, Readers::Owner, pem.as_bytes()) {
            // Without its private half the public key is only in the way of the next attempt.
            drop(std::fs::remove_file(&self.public));
            return Err(failure);
        }
        if lock.is_none() {
            warn_unlocked(&self.private);
        }
        let (private, public) = (self.private.display(), self.public.display());
        terminal::success(&format!("{private} is the private key; {public} is to be given away"));
        Ok(())
    }
}

fn warn_unlocked(path: &Path) {
    terminal::warning(&format!(
        "{} has no passphrase: whoever can read the file, or a backup of it, can sign with it",
        path.display()
    ));
}

/// What a key is locked with besides its passphrase.
fn fresh() -> Result<Fresh, Failure> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    fill(&mut salt)?;
    fill(&mut iv)?;
    Ok(Fresh { salt, iv })
}

/// True randomness: the kernel's, which waits for the first of it after boot (getrandom(2)).
fn fill(mut bytes: &mut [u8]) -> Result<(), Failure> {
    while !bytes.is_empty() {
        let got = getrandom(&mut *bytes, GetRandomFlags::empty());
        let got = got.map_err(|errno| Place::cannot("get randomness from", "getrandom(2)")(errno.into()))?;
        bytes = bytes.split_at_mut(got).1;
    }
    Ok(())
}

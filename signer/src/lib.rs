//! Who signs: a key in a file, or a program that asks whatever has the key. Behind [`signing::Signer`] they are the same.
//!
//! Both programs that sign have the arguments of [`args`] and ask [`with_signer`]; the key is read when it is needed, and
//! never anywhere else.

pub mod args;
mod family;
pub mod key_file;
pub mod passphrase;
mod program;
mod words;

use std::path::Path;

use signing::{KeyFile, KeyFileError, Signer, SigningKey};
use terminal::Failure;

pub use args::{LockArgs, OutputSignerArgs, PassphraseArgs, SignerArgs};
use key_file::Unusable;
use passphrase::Source;
use program::Program;

/// Something that whoever signs is asked for.
pub trait Sign {
    /// Has `signer` sign.
    fn sign<S: Signer>(self, signer: &S) -> Result<(), Failure>
    where
        S::Error: Send + Sync;
}

/// Finds out who signs, and has it done.
pub fn with_signer(args: SignerArgs, what: impl Sign) -> Result<(), Failure> {
    let SignerArgs { key, passphrase, signer_cmd, public_key, signer_timeout } = args;
    if let Some(file) = key {
        let key = open(key_file::read(&file)?, &file, &Source::from(passphrase))?;
        return what.sign(&key);
    }
    let (command, file) = signer_cmd.zip(public_key).expect("without a key the parser demands both");
    let program = Program::new(&command, key_file::read_public(&file)?, signer_timeout)?;
    what.sign(&program)
}

/// The private key in a file that was read from `path`; a passphrase is asked for where one is needed.
pub fn open(key: KeyFile, path: &Path, passphrase: &Source) -> Result<SigningKey, Failure> {
    match key {
        KeyFile::Private(key) => Ok(key),
        KeyFile::Encrypted(key) => {
            let passphrase = passphrase.existing(path)?;
            Ok(key.open(&passphrase).map_err(Unusable::of(path))?)
        }
        KeyFile::Public(_) => Err(Unusable::of(path)(KeyFileError::PublicOnly).into()),
    }
}

//! `extbuild key export`

use std::path::Path;

use signing::{EncryptedKey, PublicKey, SigningKey, minisign};
use terminal::Failure;
use zeroize::Zeroizing;

use super::{fresh, open, public_half, warn_unlocked};
use crate::cli::KeyExportArgs;
use crate::key_file::{self, Readers, check_free, write_new};
use crate::passphrase::Source;

pub(super) fn run(args: KeyExportArgs) -> Result<(), Failure> {
    let KeyExportArgs {
        file,
        passphrase,
        output,
        public,
        minisign,
        der,
        output_passphrase_file,
        no_passphrase,
    } = args;
    check_free(&output)?;
    let key = key_file::read(&file)?;
    let passphrase = Source::from(passphrase);
    match public || minisign {
        true => {
            let key = public_half(key, &file, &passphrase)?;
            export_public(&output, &public_form(key, minisign, der))
        }
        false => {
            let key = open(key, &file, &passphrase)?;
            let lock = Source::new(output_passphrase_file, "--output-passphrase-file");
            export_private(&key, &output, der, (!no_passphrase).then_some(&lock))
        }
    }
}

fn public_form(key: PublicKey, minisign: bool, der: bool) -> Vec<u8> {
    match (minisign, der) {
        (true, _) => minisign::public_key(key).into_bytes(),
        (false, true) => key.to_der(),
        (false, false) => key.to_pem().into_bytes(),
    }
}

fn export_public(output: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(output, Readers::Everybody, bytes)?;
    terminal::success(&format!("{} is the public key, to be given away", output.display()));
    Ok(())
}

fn export_private(key: &SigningKey, output: &Path, der: bool, lock: Option<&Source>) -> Result<(), Failure> {
    let bytes = match lock {
        Some(source) => {
            let locked = EncryptedKey::lock(key, &source.fresh(output)?, fresh()?);
            Zeroizing::new(if der { locked.to_der() } else { locked.to_pem().into_bytes() })
        }
        None if der => key.to_der(),
        None => Zeroizing::new(key.to_pem().as_bytes().to_vec()),
    };
    write_new(output, Readers::Owner, &bytes)?;
    if lock.is_none() {
        warn_unlocked(output);
    }
    terminal::success(&format!("{} is the private key, to be kept secret", output.display()));
    Ok(())
}

//! `extbuild key show`

use signing::KeyFile;
use terminal::Failure;

use super::public_half;
use crate::cli::KeyShowArgs;
use crate::key_file;
use crate::passphrase::Source;

pub(super) fn run(args: KeyShowArgs) -> Result<(), Failure> {
    let KeyShowArgs { file, passphrase, json } = args;
    let key = key_file::read(&file)?;
    let form = match &key {
        KeyFile::Private(_) => "private",
        KeyFile::Encrypted(_) => "encrypted",
        KeyFile::Public(_) => "public",
    };
    let public = public_half(key, &file, &Source::from(passphrase))?;
    let (hint, fingerprint) = (public.hint(), public.fingerprint());
    if json {
        return Ok(terminal::json(&serde_json::json!({
            "algorithm": "Ed25519",
            "form": form,
            "hint": hint.to_string(),
            "fingerprint": fingerprint.to_string(),
            "publicKey": public.to_pem(),
        }))?);
    }
    terminal::note(&format!("{} is an Ed25519 key, {form}; hint {hint}, {fingerprint}", file.display()));
    Ok(terminal::text(&public.to_pem())?)
}

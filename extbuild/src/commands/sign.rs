//! `extbuild sign`

use catalog::{Layout, Store};
use signing::{SigningKey, sign_extension};
use terminal::Failure;

use super::key::{KeyFile, read_key};
use super::layout_of;
use crate::cli::SignArgs;
use crate::ground::Facts;

pub(crate) fn run(args: SignArgs) -> Result<(), Failure> {
    let SignArgs { reference, key: file, fit } = args;
    let key = SigningKey::from_pem(&read_key(&file)?).map_err(KeyFile::wrap(&file))?;
    let place = layout_of(reference)?;
    let layout = Layout::open(&place.dir)?;
    let manifest = layout.resolve(&place.select)?;
    // The name that is signed is the one inside the artifact, whatever tag it was found by.
    let Facts { config, .. } = fit.read(&layout, &manifest)?;
    let bundle = sign_extension(&key, &config.name, &manifest.digest);
    Store::open(&place.dir)?.attach_signature(&manifest, &bundle.to_json())?;
    terminal::success(&format!(
        "{} {} is signed with key {}",
        config.name,
        config.version,
        key.public_key().hint()
    ));
    Ok(terminal::text(&format!("{}\n", manifest.digest))?)
}

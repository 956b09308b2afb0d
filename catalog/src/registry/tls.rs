//! Whose certificates count.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use reqwest::Certificate;

use super::RegistryError;
use super::access::Access;
use super::error::Cause;
use super::session::Result;
use super::subject::Subject;
use crate::reference::RegistryReference;

/// How much of a file of authorities is read, in bytes: several times what a system has.
const AUTHORITIES_MAX: u64 = 4 << 20;

/// The authorities that are trusted besides the system's.
pub(super) fn authorities(reference: &RegistryReference, access: &Access) -> Result<Vec<Certificate>> {
    let Some(path) = &access.ca_file else { return Ok(Vec::new()) };
    let bytes = read_bounded(path).map_err(|error| unusable(reference, path, error))?;
    let found = Certificate::from_pem_bundle(&bytes).map_err(|error| unusable(reference, path, error))?;
    match found.is_empty() {
        true => Err(unusable(reference, path, "there is no certificate in it")),
        false => Ok(found),
    }
}

pub(super) fn unusable(
    reference: &RegistryReference,
    path: &Path,
    source: impl Into<Cause>,
) -> RegistryError {
    let about = Box::new(Subject::artifact(reference));
    RegistryError::Authorities { about, path: path.to_owned(), source: source.into() }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(AUTHORITIES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

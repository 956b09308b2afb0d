//! Extensions from one layout into another, with their signatures, byte for byte.

use spec::artifact::limits;

use crate::artifact::{Parts, tag_of};
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Manifest;
use crate::error::CatalogError;
use crate::layout::{Entry, Layout};
use crate::platforms::Found;
use crate::staging::Staged;
use crate::store::Store;

/// Copies the extensions `selected` with tags, hints and signatures. Every blob is hashed on its way; a wrong one
/// ends the copy, and so does a tag that names another manifest there. An extension is listed only when it is there as
/// a whole.
///
/// Returns the signatures that were left behind because they are broken.
pub fn copy_layout(
    from: &Layout,
    selected: &[Descriptor],
    to: &Store,
) -> Result<Vec<CatalogError>, CatalogError> {
    let mut skipped = Vec::new();
    for extension in selected {
        let listed = tagged(extension.clone())?;
        to.layout()?.check_tag_free(&listed, std::slice::from_ref(&listed))?;
        let manifest = copy_blobs(from, extension, to)?;
        skipped.extend(copy_signatures(from, extension, to)?);
        to.put_foreign(&manifest, listed)?;
    }
    Ok(skipped)
}

/// Copies what a reference means: as [`copy_layout`] one extension, or an index with all that it lists, whose
/// signatures come along too.
pub fn copy_found(from: &Layout, found: &Found, to: &Store) -> Result<Vec<CatalogError>, CatalogError> {
    let Some(index) = &found.index else { return copy_layout(from, &found.manifests, to) };
    found.check_whole()?;
    // Nothing is absent, so these are all that it lists.
    to.layout()?.check_tag_free(index, &found.manifests)?;
    let mut skipped = Vec::new();
    for extension in &found.manifests {
        let manifest = copy_blobs(from, extension, to)?;
        skipped.extend(copy_signatures(from, extension, to)?);
        to.put_blob(&manifest)?;
    }
    skipped.extend(copy_signatures(from, index, to)?);
    to.put_foreign_index(&from.blob(index, limits::MANIFEST)?, index.clone(), found.manifests.clone())?;
    Ok(skipped)
}

/// An extension that an index lists has no tag of its own; by itself it has one.
fn tagged(extension: Descriptor) -> Result<Descriptor, CatalogError> {
    match (extension.tag(), Entry::of(&extension)) {
        (None, Some(entry)) => Ok(extension.tagged(&tag_of(&entry.name, &entry.version)?)),
        _ => Ok(extension),
    }
}

/// Copies what a manifest names, and returns its bytes.
fn copy_blobs(from: &Layout, extension: &Descriptor, to: &Store) -> Result<Vec<u8>, CatalogError> {
    let manifest = from.blob(extension, limits::MANIFEST)?;
    let parts = Parts::of(&Manifest::parse(&manifest, extension)?, extension)?;
    let mut staged = Vec::new();
    for blob in parts.blobs().filter(|blob| !to.has(blob)) {
        let mut source = from.open_blob(&blob.digest)?;
        staged.push(Staged::copy(to.dir(), blob, &mut source, &blobs::dir(from.dir()))?);
    }
    to.commit(staged)?;
    Ok(manifest)
}

fn copy_signatures(
    from: &Layout,
    subject: &Descriptor,
    to: &Store,
) -> Result<Vec<CatalogError>, CatalogError> {
    let (signatures, mut skipped) = from.referrers(&subject.digest);
    to.put_referrers(&subject.digest, &signatures)?;
    match from.simple_signatures(&subject.digest) {
        Ok(simple) => to.put_simple_signatures(&subject.digest, simple)?,
        Err(error) => skipped.push(error),
    }
    Ok(skipped)
}

//! Extensions from one layout into another, with their signatures, byte for byte.

use spec::artifact::limits;

use crate::artifact::Parts;
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Manifest;
use crate::error::CatalogError;
use crate::layout::Layout;
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
        skipped.extend(copy_extension(from, extension, to)?);
    }
    Ok(skipped)
}

fn copy_extension(
    from: &Layout,
    extension: &Descriptor,
    to: &Store,
) -> Result<Vec<CatalogError>, CatalogError> {
    let manifest = from.blob(extension, limits::MANIFEST)?;
    let parts = Parts::of(&Manifest::parse(&manifest, extension)?, extension)?;
    to.layout()?.check_tag_free(extension)?;
    let mut staged = Vec::new();
    for blob in parts.blobs().filter(|blob| !to.has(blob)) {
        let mut source = from.open_blob(&blob.digest)?;
        staged.push(Staged::copy(to.dir(), blob, &mut source, &blobs::dir(from.dir()))?);
    }
    to.commit(staged)?;
    let (signatures, skipped) = from.referrers(&extension.digest);
    to.put_referrers(&extension.digest, &signatures)?;
    to.put_foreign(&manifest, extension.clone())?;
    Ok(skipped)
}

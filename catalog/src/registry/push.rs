//! From a layout to a registry.

use std::io::Cursor;

use spec::artifact::{limits, media};

use super::receive::HasApi;
use super::session::Session;
use super::{Progress, Pushed, RegistryError};
use crate::artifact::Parts;
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Manifest;
use crate::layout::Layout;
use crate::reference::Tag;
use crate::referrers::{EMPTY_CONFIG, Referrer};

/// How often the list of referrers is merged again when another writer has replaced it in between.
const MERGES: usize = 5;

pub(super) async fn push(
    session: &mut Session<'_>,
    layout: &Layout,
    extension: &Descriptor,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pushed, RegistryError> {
    let reference = session.reference;
    if reference.select.digest.is_some_and(|digest| digest != extension.digest) {
        return Err(RegistryError::OtherDigest {
            reference: Box::new(reference.clone()),
            found: extension.digest,
        });
    }
    let manifest = layout.blob(extension, limits::MANIFEST)?;
    let parts = Parts::of(&Manifest::parse(&manifest, extension)?, extension)?;
    send_blobs(session, layout, &parts, progress).await?;
    send_manifest(session, extension, manifest).await?;
    let (signatures, skipped) = layout.referrers(&extension.digest);
    send_signatures(session, extension, &signatures).await?;
    Ok(Pushed { signatures: signatures.len(), skipped })
}

async fn send_blobs(
    session: &Session<'_>,
    layout: &Layout,
    parts: &Parts,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), RegistryError> {
    let total = parts.blobs().fold(0u64, |sum, blob| sum.saturating_add(blob.size));
    let mut done = 0u64;
    for blob in parts.blobs() {
        progress(Progress { done, total });
        // A blob that is damaged on this side is a local error, not an answer of the registry.
        let file = blobs::open_checked(layout.dir(), blob)?;
        session.put_blob(blob, file, |sent| progress(Progress { done: done + sent, total })).await?;
        done = done.saturating_add(blob.size);
    }
    progress(Progress { done, total });
    Ok(())
}

/// Stores the manifest under the tag, or under its digest where the reference has only that, and looks.
async fn send_manifest(
    session: &mut Session<'_>,
    extension: &Descriptor,
    manifest: Vec<u8>,
) -> Result<(), RegistryError> {
    let select = &session.reference.select;
    let name = match (&select.tag, &select.digest) {
        (None, Some(digest)) => digest.to_string(),
        _ => session.tag(),
    };
    session.put_manifest(&name, manifest, media::MANIFEST).await?;
    match session.manifest().await? {
        (_, served) if served.digest == extension.digest => Ok(()),
        _ => Err(RegistryError::not_kept(session.reference, format!("manifest {}", extension.digest))),
    }
}

async fn send_signatures(
    session: &mut Session<'_>,
    subject: &Descriptor,
    signatures: &[Referrer],
) -> Result<(), RegistryError> {
    if signatures.is_empty() {
        return Ok(());
    }
    let no_progress = |_| {};
    let empty = Descriptor::of(media::EMPTY, EMPTY_CONFIG);
    session.put_blob(&empty, EMPTY_CONFIG, no_progress).await?;
    for signature in signatures {
        let bundle = Descriptor::of(media::BUNDLE, &signature.bundle);
        session.put_blob(&bundle, Cursor::new(signature.bundle.clone()), no_progress).await?;
        let name = signature.listed.digest.to_string();
        session.put_manifest(&name, signature.manifest.clone(), media::MANIFEST).await?;
    }
    list_signatures(session, subject, signatures).await
}

/// Sees to it that the registry lists the signatures: by itself, or with the help of a tag.
///
/// Nothing locks that tag; the last writer wins. So the list is read again after it was written.
async fn list_signatures(
    session: &mut Session<'_>,
    subject: &Descriptor,
    signatures: &[Referrer],
) -> Result<(), RegistryError> {
    let entries: Vec<Descriptor> = signatures.iter().map(|signature| signature.listed.clone()).collect();
    let tag = Tag::of_referrers(&subject.digest);
    for _ in 0..MERGES {
        let (mut list, has_api) = session.referrers(&subject.digest).await?;
        if !list.append_new(&entries) {
            return Ok(());
        }
        if has_api == HasApi::No {
            session.put_manifest(tag.as_str(), list.to_bytes(), media::INDEX).await?;
        }
    }
    Err(RegistryError::not_kept(session.reference, format!("the list of signatures of {}", subject.digest)))
}

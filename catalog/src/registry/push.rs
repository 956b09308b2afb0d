//! From a layout to a registry.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use spec::artifact::{limits, media};

use super::content::{Content, Local};
use super::meter::{Meter, Share};
use super::referrers::{HasApi, Listed};
use super::session::Session;
use super::subject::Subject;
use super::{Progress, Pushed, RegistryError, TRANSFERS};
use crate::artifact::Parts;
use crate::descriptor::Descriptor;
use crate::layout::Layout;
use crate::platforms::Found;
use crate::reference::Tag;
use crate::referrers::{EMPTY_CONFIG, Referrer};

/// How often the list of referrers is merged again when another writer has replaced it in between.
const MERGES: usize = 5;

pub(super) async fn push(
    session: &Session<'_>,
    layout: &Layout,
    found: &Found,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pushed, RegistryError> {
    let reference = session.reference;
    if reference.select.digest.is_some_and(|digest| digest != found.named().digest) {
        return Err(RegistryError::OtherDigest {
            reference: Box::new(reference.clone()),
            found: found.named().digest,
        });
    }
    found.check_whole()?;
    let parts: Vec<Parts> =
        found.manifests.iter().map(|one| layout.read_parts(one)).collect::<Result<_, _>>()?;
    send_blobs(session, layout, &parts, progress).await?;
    let mut pushed = Pushed { signatures: 0, skipped: Vec::new() };
    for document in found.documents() {
        let bytes = layout.blob(document, limits::MANIFEST)?;
        match document == found.named() {
            true => send_named(session, document, bytes).await?,
            false => session.put_manifest(&document.digest.to_string(), &bytes, media::MANIFEST).await?,
        }
        let (signatures, skipped) = layout.referrers(&document.digest);
        send_signatures(session, document, &signatures).await?;
        match layout.simple_signatures(&document.digest) {
            Ok(simple) if simple.len() > 0 => session.put_simple_signatures(&document.digest, simple).await?,
            Ok(_) => {}
            Err(error) => pushed.skipped.push(error),
        }
        pushed.signatures += signatures.len();
        pushed.skipped.extend(skipped);
    }
    Ok(pushed)
}

async fn send_blobs(
    session: &Session<'_>,
    layout: &Layout,
    parts: &[Parts],
    progress: &mut dyn FnMut(Progress),
) -> Result<(), RegistryError> {
    let blobs = Parts::all_blobs(parts);
    let meter = Meter::new(blobs.iter().copied(), progress);
    let sends = blobs.iter().map(|blob| send_blob(session, layout, blob, meter.share(blob)));
    stream::iter(sends).buffer_unordered(TRANSFERS).try_collect().await
}

async fn send_blob(
    session: &Session<'_>,
    layout: &Layout,
    blob: &Descriptor,
    share: Share<'_>,
) -> Result<(), RegistryError> {
    let local = Local::open(layout.dir(), blob)?;
    session.put_blob(blob, &Content::File(Arc::new(local)), &share).await
}

/// Stores the manifest or index under the tag, or under its digest where the reference has only that, and looks.
async fn send_named(
    session: &Session<'_>,
    document: &Descriptor,
    bytes: Vec<u8>,
) -> Result<(), RegistryError> {
    let select = &session.reference.select;
    let name = match (&select.tag, &select.digest) {
        (None, Some(digest)) => digest.to_string(),
        _ => session.tag(),
    };
    session.put_manifest(&name, &bytes, &document.media_type).await?;
    match session.manifest().await? {
        (_, served) if served.digest == document.digest => Ok(()),
        _ => Err(not_kept(session, &format!("manifests/{}", document.digest))),
    }
}

async fn send_signatures(
    session: &Session<'_>,
    subject: &Descriptor,
    signatures: &[Referrer],
) -> Result<(), RegistryError> {
    if signatures.is_empty() {
        return Ok(());
    }
    put_small(session, media::EMPTY, EMPTY_CONFIG).await?;
    for signature in signatures {
        put_small(session, media::BUNDLE, &signature.bundle).await?;
        let name = signature.listed.digest.to_string();
        session.put_manifest(&name, &signature.manifest, media::MANIFEST).await?;
    }
    list_signatures(session, subject, signatures).await
}

pub(super) async fn put_small(
    session: &Session<'_>,
    media_type: &str,
    bytes: &[u8],
) -> Result<(), RegistryError> {
    let blob = Descriptor::of(media_type, bytes);
    let mut no_progress = |_| {};
    let meter = Meter::new(std::iter::once(&blob), &mut no_progress);
    session.put_blob(&blob, &Content::Bytes(bytes.into()), &meter.share(&blob)).await
}

/// Sees to it that the registry lists the signatures: by itself, or with the help of a tag.
///
/// Nothing locks that tag; the last writer wins. So the list is read again after it was written.
async fn list_signatures(
    session: &Session<'_>,
    subject: &Descriptor,
    signatures: &[Referrer],
) -> Result<(), RegistryError> {
    let entries: Vec<Descriptor> = signatures.iter().map(|signature| signature.listed.clone()).collect();
    let tag = Tag::of_referrers(&subject.digest);
    for _ in 0..MERGES {
        let Listed { mut index, has_api, broken } = session.referrers(&subject.digest).await?;
        if !index.append_new(&entries) {
            return Ok(());
        }
        if let Some(error) = broken {
            return Err(error);
        }
        if has_api == HasApi::No {
            session.put_manifest(tag.as_str(), &index.to_bytes(), media::INDEX).await?;
        }
    }
    Err(not_kept(session, &format!("referrers/{}", subject.digest)))
}

pub(super) fn not_kept(session: &Session<'_>, path: &str) -> RegistryError {
    RegistryError::NotKept { about: Box::new(Subject::document(session.reference, path)) }
}

//! From a registry into a store.

use std::path::Path;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use spec::artifact::limits;

use super::meter::{Meter, Share};
use super::session::Session;
use super::{Progress, Pulled, RegistryError, TRANSFERS};
use crate::artifact::{Parts, parse_config};
use crate::descriptor::Descriptor;
use crate::document::Manifest;
use crate::error::CatalogError;
use crate::referrers::{Referrer, bundle_layer, select};
use crate::staging::Staged;
use crate::store::{Store, list_as};

pub(super) async fn pull(
    session: &Session<'_>,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pulled, RegistryError> {
    let (manifest, described) = session.manifest().await?;
    let parts = Manifest::parse(&manifest, &described).and_then(|manifest| Parts::of(&manifest, &described));
    let parts = parts.map_err(|error| session.refuse(error))?;
    let config_bytes = session.small_blob(&parts.config, limits::CONFIG).await?;
    let config = parse_config(&config_bytes, &parts.config).map_err(|error| session.refuse(error))?;
    let listed = list_as(&manifest, &config).map_err(|error| session.refuse(error))?;

    let store = Store::create_or_open(dir)?;
    store.layout()?.check_tag_free(&listed)?;
    let mut staged = fetch(session, &parts, &store, progress).await?;
    staged.push(Staged::bytes(store.dir(), &config_bytes)?);
    let (signatures, skipped) = fetch_signatures(session, &described).await?;

    store.commit(staged)?;
    store.put_referrers(&described.digest, &signatures)?;
    let descriptor = store.put_foreign(&manifest, listed)?;
    Ok(Pulled { descriptor, signatures: signatures.len(), skipped })
}

/// Brings all blobs that the store does not have; the config has come already.
async fn fetch(
    session: &Session<'_>,
    parts: &Parts,
    store: &Store,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Staged>, RegistryError> {
    let meter = Meter::new(parts.blobs(), progress);
    let fetches = parts.blobs().map(|blob| fetch_blob(session, parts, blob, store, meter.share(blob)));
    let staged: Vec<Option<Staged>> = stream::iter(fetches).buffer_unordered(TRANSFERS).try_collect().await?;
    Ok(staged.into_iter().flatten().collect())
}

async fn fetch_blob(
    session: &Session<'_>,
    parts: &Parts,
    blob: &Descriptor,
    store: &Store,
    share: Share<'_>,
) -> Result<Option<Staged>, RegistryError> {
    let staged = match *blob == parts.config || store.has(blob) {
        true => None,
        false => Some(session.large_blob(blob, store, &share).await?),
    };
    share.complete();
    Ok(staged)
}

/// Brings the signatures. A broken one is passed over and named; a broken connection is an error, for an extension
/// without its signatures would look unsigned.
async fn fetch_signatures(
    session: &Session<'_>,
    subject: &Descriptor,
) -> Result<(Vec<Referrer>, Vec<CatalogError>), RegistryError> {
    let mut skipped = Vec::new();
    let list = match session.referrers(&subject.digest).await {
        Ok((index, _)) => index.manifests,
        Err(RegistryError::Sent { source, .. }) => {
            skipped.push(source);
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for listed in select(&list, &subject.digest, &mut skipped) {
        match fetch_signature(session, &listed, subject).await {
            Ok(signature) => found.extend(signature),
            Err(RegistryError::Sent { source, .. }) => skipped.push(source),
            Err(error) => return Err(error),
        }
    }
    Ok((found, skipped))
}

async fn fetch_signature(
    session: &Session<'_>,
    listed: &Descriptor,
    subject: &Descriptor,
) -> Result<Option<Referrer>, RegistryError> {
    let manifest = session.listed_manifest(listed).await?;
    let layer = bundle_layer(&manifest, listed, &subject.digest).map_err(|error| session.refuse(error))?;
    let Some(layer) = layer else { return Ok(None) };
    let bundle = session.small_blob(&layer, limits::BUNDLE).await?;
    Ok(Some(Referrer::received(listed, manifest, bundle)))
}

//! From a registry into a store.

use std::path::Path;
use std::pin::pin;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use spec::Arch;
use spec::artifact::{ExtensionConfig, limits, media};

use super::meter::Meter;
use super::session::Session;
use super::{Progress, Pulled, RegistryError, TRANSFERS};
use crate::artifact::{Parts, parse_config};
use crate::descriptor::Descriptor;
use crate::document::Manifest;
use crate::error::CatalogError;
use crate::platforms::{self, Platforms};
use crate::referrers::{Announced, MANIFEST_MAX, Referrer, affordable, select};
use crate::staging::Staged;
use crate::store::{Store, list_as};

pub(super) async fn pull(
    session: &Session<'_>,
    dir: &Path,
    only: Option<Arch>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pulled, RegistryError> {
    let (document, described) = session.manifest().await?;
    if described.media_type != media::INDEX {
        let extension = Arriving::read(session, document, &described).await?;
        if let Some(arch) = only.filter(|arch| *arch != extension.config.arch) {
            let there = vec![extension.config.arch.to_string()];
            return Err(CatalogError::ArchMissing { of: described.digest, arch, there }.into());
        }
        return store(session, dir, &[extension], None, progress).await;
    }
    let platforms = Platforms::parse(&document, &described).map_err(|error| session.refuse(error))?;
    // That there is nothing for an architecture is no fault of the registry.
    let wanted = platforms.for_arch(only, &described)?;
    let mut extensions = Vec::new();
    for listed in &wanted {
        let manifest = session.listed_manifest(listed, limits::MANIFEST).await?;
        extensions.push(Arriving::read(session, manifest, listed).await?);
    }
    let first = &extensions[0].listed;
    let index = Descriptor { annotations: first.annotations.clone(), ..described };
    let claims = wanted.iter().zip(extensions.iter().map(|one| &one.config));
    platforms::check_agreement(&index, claims).map_err(|error| session.refuse(error))?;
    store(session, dir, &extensions, Some((document, index)), progress).await
}

/// An extension whose manifest and config have come.
struct Arriving {
    manifest: Vec<u8>,
    parts: Parts,
    config_bytes: Vec<u8>,
    config: ExtensionConfig,
    /// The manifest as the store will list it.
    listed: Descriptor,
}

impl Arriving {
    async fn read(
        session: &Session<'_>,
        manifest: Vec<u8>,
        described: &Descriptor,
    ) -> Result<Arriving, RegistryError> {
        let parts =
            Manifest::parse(&manifest, described).and_then(|manifest| Parts::of(&manifest, described));
        let parts = parts.map_err(|error| session.refuse(error))?;
        let config_bytes = session.small_blob(&parts.config, limits::CONFIG).await?;
        let config = parse_config(&config_bytes, &parts.config).map_err(|error| session.refuse(error))?;
        let listed = list_as(&manifest, &config).map_err(|error| session.refuse(error))?;
        Ok(Arriving { manifest, parts, config_bytes, config, listed })
    }
}

/// Brings what is missing, and lists everything once all of it is there and right.
async fn store(
    session: &Session<'_>,
    dir: &Path,
    extensions: &[Arriving],
    index: Option<(Vec<u8>, Descriptor)>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pulled, RegistryError> {
    let manifests: Vec<Descriptor> = extensions.iter().map(|extension| extension.listed.clone()).collect();
    let named = index.as_ref().map_or(&manifests[0], |(_, index)| index).clone();
    let store = Store::create_or_open(dir)?;
    match &index {
        Some((document, index)) => {
            let platforms = Platforms::parse(document, index)?;
            store.layout()?.check_tag_free(index, platforms.manifests())?;
        }
        None => store.layout()?.check_tag_free(&named, &manifests)?,
    }
    let mut staged = fetch(session, extensions, &store, progress).await?;
    for extension in extensions {
        staged.push(Staged::bytes(store.dir(), &extension.config_bytes)?);
        staged.push(Staged::bytes(store.dir(), &extension.manifest)?);
    }
    let mut pulled = Pulled { descriptor: named.clone(), signatures: 0, skipped: Vec::new() };
    let mut signatures = Vec::new();
    for subject in manifests.iter().chain(index.as_ref().map(|(_, index)| index)) {
        let (found, skipped) = fetch_signatures(session, subject).await?;
        pulled.signatures += found.len();
        pulled.skipped.extend(skipped);
        let simple = session.simple_signatures(&subject.digest, &mut pulled.skipped).await?;
        signatures.push((subject.digest, found, simple));
    }

    store.commit(staged)?;
    for (subject, found, simple) in signatures {
        store.put_referrers(&subject, &found)?;
        store.put_simple_signatures(&subject, simple)?;
    }
    match (index, extensions) {
        (Some((document, index)), _) => {
            let manifests = manifests.into_iter().map(Descriptor::untagged).collect();
            store.put_foreign_index(&document, index, manifests)?;
        }
        (None, extensions) => {
            for extension in extensions {
                store.put_foreign(&extension.manifest, extension.listed.clone())?;
            }
        }
    }
    Ok(pulled)
}

/// Brings all blobs that the store does not have; the configs have come already.
async fn fetch(
    session: &Session<'_>,
    extensions: &[Arriving],
    store: &Store,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Staged>, RegistryError> {
    let blobs = Parts::all_blobs(extensions.iter().map(|one| &one.parts));
    let is_here =
        |blob: &Descriptor| extensions.iter().any(|one| one.parts.config == *blob) || store.has(blob);
    let meter = Meter::new(blobs.iter().copied(), progress);
    let fetches = blobs.iter().map(async |blob| {
        let share = meter.share(blob);
        let staged = match is_here(blob) {
            true => None,
            false => Some(session.large_blob(blob, store, &share).await?),
        };
        share.complete();
        Ok::<_, RegistryError>(staged)
    });
    let staged: Vec<Option<Staged>> = stream::iter(fetches).buffer_unordered(TRANSFERS).try_collect().await?;
    Ok(staged.into_iter().flatten().collect())
}

/// Brings the signatures. A broken one is passed over and named; a broken connection is an error, for an extension
/// without its signatures would look unsigned.
async fn fetch_signatures(
    session: &Session<'_>,
    subject: &Descriptor,
) -> Result<(Vec<Referrer>, Vec<CatalogError>), RegistryError> {
    let mut skipped = Vec::new();
    let (list, broken) = match session.referrers(&subject.digest).await {
        Ok(listed) => (listed.index.manifests, listed.broken),
        Err(error) => (Vec::new(), Some(error)),
    };
    match broken {
        None => {}
        Some(RegistryError::Sent { source, .. }) => skipped.push(source),
        Some(error) => return Err(error),
    }
    let chosen = select(&list, &subject.digest, &mut skipped);
    let manifests = chosen.iter().map(|listed| fetch_announced(session, listed, subject));
    let announced = each(manifests, &mut skipped).await?.into_iter().flatten().collect();
    let bundles = affordable(announced, &subject.digest, &mut skipped).into_iter().map(async |one| {
        let bundle = session.small_blob(&one.bundle, limits::BUNDLE).await?;
        Ok(one.with(bundle))
    });
    let found = each(bundles, &mut skipped).await?;
    Ok((found, skipped))
}

async fn fetch_announced(
    session: &Session<'_>,
    listed: &Descriptor,
    subject: &Descriptor,
) -> Result<Option<Announced>, RegistryError> {
    let manifest = session.listed_manifest(listed, MANIFEST_MAX).await?;
    Announced::parse(manifest, listed, &subject.digest).map_err(|error| session.refuse(error))
}

/// Brings several things, in their order, a few at a time.
async fn each<T>(
    fetches: impl Iterator<Item = impl Future<Output = Result<T, RegistryError>>>,
    skipped: &mut Vec<CatalogError>,
) -> Result<Vec<T>, RegistryError> {
    let mut found = Vec::new();
    let mut fetched = pin!(stream::iter(fetches).buffered(TRANSFERS));
    while let Some(one) = fetched.next().await {
        match one {
            Ok(one) => found.push(one),
            Err(RegistryError::Sent { source, .. }) => skipped.push(source),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

//! Signatures of a manifest: small artifacts of their own that refer to it (image-spec 1.1, "subject").
//!
//! In a layout, as in a registry without a referrers API, the list of them is an index under the tag
//! `sha256-HEX` of the subject (distribution-spec 1.1, "Referrers Tag Schema"). Anybody who can write there can add
//! to the list, so it is bounded, and what is broken in it is passed over and named: it must not hide what is whole.

use std::collections::{BTreeMap, BTreeSet};

use spec::Digest;
use spec::artifact::{limits, media};
use spec::defence::{self, Threat};

use crate::descriptor::Descriptor;
use crate::document::{Index, Manifest};
use crate::error::CatalogError;
use crate::layout::Layout;
use crate::reference::Tag;

/// Largest manifest of a signature that is read, in bytes. One has three descriptors and a few notes, together about
/// 1 KiB; the 4 MiB of [`limits::MANIFEST`] would let a stranger make every list of referrers expensive to read.
pub(crate) const MANIFEST_MAX: u64 = 64 << 10;

/// The config of an artifact without one (image-spec 1.1, "Guidance for an Empty Descriptor").
pub(crate) const EMPTY_CONFIG: &[u8] = b"{}";

/// Annotations that cosign's bundle specification (specs/BUNDLE_SPEC.md) wants on a signature; `created` is left
/// out, so that the same signature has the same bytes.
const ANNOTATIONS: [(&str, &str); 2] = [
    ("dev.sigstore.bundle.content", "dsse-envelope"),
    ("dev.sigstore.bundle.predicateType", media::APPROVAL),
];

/// The signatures of a manifest. They are whole; whether they are any good, the room `signing` says.
#[derive(Debug, Default)]
pub struct Signatures {
    /// Sigstore bundles as bytes, in the order of the list.
    pub bundles: Vec<Vec<u8>>,
    /// What was in the list and could not be used.
    pub skipped: Vec<CatalogError>,
}

/// One signature with everything that must be stored for it.
#[derive(Debug, Clone)]
pub(crate) struct Referrer {
    /// The entry in the list of referrers.
    pub(crate) listed: Descriptor,
    /// The bytes of the manifest.
    pub(crate) manifest: Vec<u8>,
    /// The bundle.
    pub(crate) bundle: Vec<u8>,
}

impl Referrer {
    /// The signature `bundle` of `subject` as an artifact.
    pub(crate) fn new(subject: &Descriptor, bundle: &[u8]) -> Referrer {
        let layer = Descriptor::of(media::BUNDLE, bundle);
        let config = Descriptor::of(media::EMPTY, EMPTY_CONFIG);
        let annotations: BTreeMap<String, String> =
            ANNOTATIONS.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut manifest = Manifest::new(media::BUNDLE, config, vec![layer]);
        manifest.subject = Some(subject.bare());
        manifest.annotations = annotations.clone();
        let manifest = manifest.to_bytes();
        let listed = Descriptor {
            artifact_type: Some(media::BUNDLE.to_owned()),
            annotations,
            ..Descriptor::of(media::MANIFEST, &manifest)
        };
        Referrer { listed, manifest, bundle: bundle.to_vec() }
    }
}

/// A signature whose manifest has been read, and whose bundle has not.
#[derive(Debug)]
pub(crate) struct Announced {
    listed: Descriptor,
    manifest: Vec<u8>,
    /// The bundle.
    pub(crate) bundle: Descriptor,
}

impl Announced {
    /// Reads the manifest of a signature of `subject`, whose digest the caller has checked; `None` where it is of another
    /// kind.
    pub(crate) fn parse(
        manifest: Vec<u8>,
        listed: &Descriptor,
        subject: &Digest,
    ) -> Result<Option<Announced>, CatalogError> {
        let bundle = bundle_layer(&manifest, listed, subject)?;
        let listed = Descriptor { artifact_type: Some(media::BUNDLE.to_owned()), ..listed.clone() };
        Ok(bundle.map(|bundle| Announced { listed, manifest, bundle }))
    }

    /// The same with its bundle, whose digest the caller has checked.
    pub(crate) fn with(self, bundle: Vec<u8>) -> Referrer {
        let Announced { listed, manifest, .. } = self;
        Referrer { listed, manifest, bundle }
    }
}

/// The manifests of a list of referrers that may be signatures: each once, and no more than are looked at.
///
/// The choice is by the list alone, before any of them is read: a long list costs no more than a short one.
pub(crate) fn select<'a>(
    list: impl IntoIterator<Item = &'a Descriptor>,
    subject: &Digest,
    skipped: &mut Vec<CatalogError>,
) -> Vec<Descriptor> {
    let mut seen = BTreeSet::new();
    let mut chosen: Vec<Descriptor> = list
        .into_iter()
        .filter(|listed| listed.media_type == media::MANIFEST)
        .filter(|listed| matches!(listed.artifact_type.as_deref(), None | Some(media::BUNDLE)))
        .filter(|listed| seen.insert(listed.digest))
        .cloned()
        .collect();
    if chosen.len() > limits::BUNDLES && defence::stands(Threat::B4) {
        let (subject, found, limit) = (*subject, chosen.len(), limits::BUNDLES);
        skipped.push(CatalogError::TooManySignatures { subject, found, limit });
        chosen.truncate(limits::BUNDLES);
    }
    chosen
}

/// Those whose bundles are read: no more bytes than [`limits::BUNDLES_SIZE`] together, the smallest first, so that large
/// ones of strangers do not keep out what is as small as a signature. They stay in their order.
pub(crate) fn affordable(
    found: Vec<Announced>,
    subject: &Digest,
    skipped: &mut Vec<CatalogError>,
) -> Vec<Announced> {
    let mut sizes: Vec<(u64, usize)> =
        found.iter().enumerate().map(|(place, one)| (one.bundle.size, place)).collect();
    sizes.sort_unstable();
    let mut total = 0u64;
    let kept: BTreeSet<usize> = sizes
        .into_iter()
        .take_while(|(size, _)| {
            total = total.saturating_add(*size);
            total <= limits::BUNDLES_SIZE
        })
        .map(|(_, place)| place)
        .collect();
    if kept.len() < found.len() {
        let (subject, found, limit) = (*subject, found.len() - kept.len(), limits::BUNDLES_SIZE);
        skipped.push(CatalogError::SignaturesTooLarge { subject, found, limit });
    }
    let places = found.into_iter().enumerate();
    places.filter(|(place, _)| kept.contains(place)).map(|(_, one)| one).collect()
}

/// The bundle in the manifest of a signature of `subject`; `None` where the manifest is of another kind.
fn bundle_layer(
    bytes: &[u8],
    listed: &Descriptor,
    subject: &Digest,
) -> Result<Option<Descriptor>, CatalogError> {
    let manifest = Manifest::parse(bytes, listed)?;
    if manifest.artifact_type.as_deref() != Some(media::BUNDLE) {
        return Ok(None);
    }
    let refuse = |reason: &str| Err(CatalogError::malformed(format!("signature {}", listed.digest), reason));
    if manifest.subject.as_ref().map(|subject| subject.digest) != Some(*subject) {
        return refuse("it is of another manifest than the one that lists it");
    }
    if manifest.config.digest != Digest::of(EMPTY_CONFIG) {
        return refuse("its config is not empty");
    }
    match manifest.layers.as_slice() {
        [layer] if layer.media_type == media::BUNDLE => Ok(Some(layer.clone())),
        _ => refuse("it does not have a bundle as its one layer"),
    }
}

impl Layout {
    /// The signatures of the manifest `subject`: those that its list of referrers names, and those that
    /// `index.json` lists as signatures itself, as some tools do.
    ///
    /// At most [`limits::BUNDLES`] are looked at, those of the list first, of at most [`limits::BUNDLE`] bytes each and
    /// [`limits::BUNDLES_SIZE`] together, all checked by digest. A broken one is in `skipped` and does not hide the others.
    pub fn signatures(&self, subject: &Digest) -> Signatures {
        let (referrers, skipped) = self.referrers(subject);
        Signatures { bundles: referrers.into_iter().map(|referrer| referrer.bundle).collect(), skipped }
    }

    pub(crate) fn referrers(&self, subject: &Digest) -> (Vec<Referrer>, Vec<CatalogError>) {
        let mut skipped = Vec::new();
        let list = self.referrers_list(subject).map_or_else(
            |error| {
                skipped.push(error);
                Vec::new()
            },
            |index| index.manifests,
        );
        let mut announced = Vec::new();
        for listed in select(list.iter().chain(self.listed_signatures()), subject, &mut skipped) {
            let manifest = self.blob(&listed, MANIFEST_MAX);
            match manifest.and_then(|manifest| Announced::parse(manifest, &listed, subject)) {
                Ok(signature) => announced.extend(signature),
                Err(error) if list.iter().any(|named| named.digest == listed.digest) => skipped.push(error),
                // What `index.json` lists itself may be of any artifact, and so may its trouble.
                Err(_) => {}
            }
        }
        let mut found = Vec::new();
        for one in affordable(announced, subject, &mut skipped) {
            match self.blob(&one.bundle, limits::BUNDLE) {
                Ok(bundle) => found.push(one.with(bundle)),
                Err(error) => skipped.push(error),
            }
        }
        (found, skipped)
    }

    /// The list of referrers of `subject`; an empty one where there is none.
    pub(crate) fn referrers_list(&self, subject: &Digest) -> Result<Index, CatalogError> {
        let tag = Tag::of_referrers(subject);
        match self.index().manifests.iter().find(|listed| listed.tag() == Some(tag.as_str())) {
            Some(listed) => Index::parse(&self.blob(listed, limits::MANIFEST)?, listed),
            None => Ok(Index::new()),
        }
    }

    /// Signatures that `index.json` lists beside the artifacts; of which artifact each is, only its manifest says.
    fn listed_signatures(&self) -> impl Iterator<Item = &Descriptor> {
        self.index().manifests.iter().filter(|listed| listed.artifact_type.as_deref() == Some(media::BUNDLE))
    }
}

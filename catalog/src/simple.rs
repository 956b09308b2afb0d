//! The older form of cosign's signatures: one artifact under the tag `sha256-HEX.sig` of the manifest that it is about, with
//! a layer for each signature (cosign, specs/SIGNATURE_SPEC.md, "Storage"). It is carried along for skopeo, podman and
//! CRI-O, and never read as an approval: [`Layout::signatures`] does not see it.

use spec::Digest;
use spec::artifact::media;

use crate::descriptor::Descriptor;
use crate::document::Manifest;
use crate::error::CatalogError;
use crate::layout::Layout;
use crate::reference::Tag;
use crate::referrers::MANIFEST_MAX;
use crate::staging::Staged;
use crate::store::Store;

/// The type of a layer: the payload that was signed.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of a layer that has the signature, in base64.
const SIGNATURE_KEY: &str = "dev.cosignproject.cosign/signature";
/// The type of the config, which is that of a container image with nothing in it.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Largest payload that is carried along, in bytes. One has a name and a digest.
const PAYLOAD_MAX: u64 = 64 << 10;
/// Most signatures that are carried along of one manifest.
const LAYERS_MAX: usize = 64;

/// The signatures of one manifest in this form, with everything that must be stored for them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SimpleSignatures {
    layers: Vec<(Descriptor, Vec<u8>)>,
}

impl SimpleSignatures {
    /// One signature.
    fn new(payload: &[u8], signature: &str) -> SimpleSignatures {
        let mut layer = Descriptor::of(PAYLOAD, payload);
        layer.annotations.insert(SIGNATURE_KEY.to_owned(), signature.to_owned());
        SimpleSignatures { layers: vec![(layer, payload.to_vec())] }
    }

    /// The layers that a manifest under the tag lists; the caller fetches each and [adds](Self::add) it.
    pub(crate) fn layers_of(bytes: &[u8], described: &Descriptor) -> Result<Vec<Descriptor>, CatalogError> {
        let what = || format!("signatures {}", described.digest);
        if described.size > MANIFEST_MAX {
            return Err(CatalogError::TooLarge { what: what(), size: described.size, limit: MANIFEST_MAX });
        }
        let layers = Manifest::parse(bytes, described)?.layers;
        if layers.len() > LAYERS_MAX {
            let reason = format!("it has {} layers, more than {LAYERS_MAX}", layers.len());
            return Err(CatalogError::malformed(what(), reason));
        }
        match layers.iter().find(|layer| layer.media_type != PAYLOAD || layer.size > PAYLOAD_MAX) {
            Some(other) => {
                let reason = format!("its layer {} is no payload of a signature", other.digest);
                Err(CatalogError::malformed(what(), reason))
            }
            None => Ok(layers),
        }
    }

    /// Adds a layer, whose bytes the caller has checked.
    pub(crate) fn add(&mut self, layer: Descriptor, payload: Vec<u8>) {
        if !self.layers.iter().any(|(there, _)| *there == layer) {
            self.layers.push((layer, payload));
        }
    }

    /// Adds what is in `other` and not here.
    pub(crate) fn merge(&mut self, other: SimpleSignatures) {
        other.layers.into_iter().for_each(|(layer, payload)| self.add(layer, payload));
    }

    pub(crate) fn len(&self) -> usize {
        self.layers.len()
    }

    /// The manifest, and the blobs that it names, the config first.
    pub(crate) fn documents(&self) -> (Vec<u8>, Vec<(Descriptor, Vec<u8>)>) {
        let layers: Vec<Descriptor> = self.layers.iter().map(|(layer, _)| layer.clone()).collect();
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
        let config = serde_json::json!({
            "architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = config.to_string().into_bytes();
        let described = Descriptor::of(CONFIG, &config);
        let mut manifest = Manifest::new("", described.clone(), layers);
        manifest.artifact_type = None;
        let mut blobs = vec![(described, config)];
        blobs.extend(self.layers.iter().cloned());
        (manifest.to_bytes(), blobs)
    }
}

impl Layout {
    /// The signatures of `subject` in this form.
    pub(crate) fn simple_signatures(&self, subject: &Digest) -> Result<SimpleSignatures, CatalogError> {
        let tag = Tag::of_simple(subject);
        let mut found = SimpleSignatures::default();
        let Some(listed) = self.index().manifests.iter().find(|listed| listed.tag() == Some(tag.as_str()))
        else {
            return Ok(found);
        };
        for layer in SimpleSignatures::layers_of(&self.blob(listed, MANIFEST_MAX)?, listed)? {
            let payload = self.blob(&layer, PAYLOAD_MAX)?;
            found.add(layer, payload);
        }
        Ok(found)
    }
}

impl Store {
    /// Stores a signature of the manifest `subject` in cosign's older form: the payload that was signed, and the signature
    /// in base64. The same one twice is one.
    pub fn attach_simple_signature(
        &self,
        subject: &Descriptor,
        payload: &[u8],
        signature: &str,
    ) -> Result<(), CatalogError> {
        self.put_simple_signatures(&subject.digest, SimpleSignatures::new(payload, signature))
    }

    /// Adds signatures to those that are there.
    pub(crate) fn put_simple_signatures(
        &self,
        subject: &Digest,
        new: SimpleSignatures,
    ) -> Result<(), CatalogError> {
        if new.len() == 0 {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut all = self.layout()?.simple_signatures(subject)?;
        all.merge(new);
        let (manifest, blobs) = all.documents();
        let mut staged = vec![Staged::bytes(self.dir(), &manifest)?];
        for (_, bytes) in &blobs {
            staged.push(Staged::bytes(self.dir(), bytes)?);
        }
        self.commit(staged)?;
        self.list([Descriptor::of(media::MANIFEST, &manifest).tagged(&Tag::of_simple(subject))])
    }
}

//! Signatures in cosign's older form, on their way to a registry and from one.

use spec::Digest;
use spec::artifact::media;

use super::RegistryError;
use super::session::{Result, Session};
use crate::error::CatalogError;
use crate::reference::Tag;
use crate::simple::SimpleSignatures;

/// How often the artifact is merged again when another writer has replaced it in between.
const MERGES: usize = 5;

impl Session<'_> {
    /// Brings the signatures of `subject`. What is broken is named in `skipped`.
    pub(super) async fn simple_signatures(
        &self,
        subject: &Digest,
        skipped: &mut Vec<CatalogError>,
    ) -> Result<SimpleSignatures> {
        match self.sound_simple_signatures(subject).await {
            Err(RegistryError::Sent { source, .. }) => {
                skipped.push(source);
                Ok(SimpleSignatures::default())
            }
            found => found,
        }
    }

    async fn sound_simple_signatures(&self, subject: &Digest) -> Result<SimpleSignatures> {
        let mut found = SimpleSignatures::default();
        let path = format!("manifests/{}", Tag::of_simple(subject));
        let Some((bytes, described)) = self.document(&path, media::MANIFEST).await? else {
            return Ok(found);
        };
        let layers = SimpleSignatures::layers_of(&bytes, &described).map_err(|error| self.refuse(error))?;
        for layer in layers {
            let payload = self.small_blob(&layer, layer.size).await?;
            found.add(layer, payload);
        }
        Ok(found)
    }

    /// Adds signatures to those that the registry has. Nothing locks the tag, so it is read again after it was written.
    pub(super) async fn put_simple_signatures(&self, subject: &Digest, new: SimpleSignatures) -> Result<()> {
        let tag = Tag::of_simple(subject);
        for _ in 0..MERGES {
            // What is broken there is of no use to anybody, and gives way.
            let mut all = self.simple_signatures(subject, &mut Vec::new()).await?;
            let before = all.len();
            all.merge(new.clone());
            if all.len() == before {
                return Ok(());
            }
            let (manifest, blobs) = all.documents();
            for (blob, bytes) in &blobs {
                super::push::put_small(self, &blob.media_type, bytes).await?;
            }
            self.put_manifest(tag.as_str(), &manifest, media::MANIFEST).await?;
        }
        Err(super::push::not_kept(self, &format!("manifests/{tag}")))
    }
}

//! What must be kept so that some extensions of a layout can be had from elsewhere, signatures included: blobs, and an
//! index of them. Whoever keeps it decides how it is written.

use std::io::Read;

use spec::artifact::limits;

use crate::artifact::Parts;
use crate::descriptor::Descriptor;
use crate::document::{Index, Manifest};
use crate::error::CatalogError;
use crate::layout::Layout;
use crate::reference::Tag;
use crate::referrers::{EMPTY_CONFIG, Referrer};

/// Extensions and their signatures.
#[derive(Debug)]
pub struct Export {
    /// `index.json` of a layout that has just these.
    pub index: Vec<u8>,
    /// All that it leads to, each once.
    pub blobs: Vec<Exported>,
    /// Signatures that are left behind because they are broken.
    pub skipped: Vec<CatalogError>,
}

/// A blob.
#[derive(Debug)]
pub struct Exported {
    /// What it is.
    pub descriptor: Descriptor,
    /// Its bytes, where the layout does not have them as a blob.
    bytes: Option<Vec<u8>>,
}

impl Exported {
    /// Opens it for reading from the layout that it is of. Its bytes are not checked: whoever keeps them hashes them.
    pub fn open(&self, from: &Layout) -> Result<Box<dyn Read + '_>, CatalogError> {
        match &self.bytes {
            Some(bytes) => Ok(Box::new(bytes.as_slice())),
            None => Ok(Box::new(from.open_blob(&self.descriptor.digest)?)),
        }
    }
}

impl Layout {
    /// What keeping `extensions` takes.
    pub fn export(&self, extensions: &[Descriptor]) -> Result<Export, CatalogError> {
        let mut export = Export { index: Vec::new(), blobs: Vec::new(), skipped: Vec::new() };
        let mut index = Index::new();
        for extension in extensions {
            let manifest = self.blob(extension, limits::MANIFEST)?;
            let parts = Parts::of(&Manifest::parse(&manifest, extension)?, extension)?;
            for blob in [extension].into_iter().chain(parts.blobs()) {
                export.keep(blob.bare(), None);
            }
            index.manifests.push(extension.clone());
            let (referrers, skipped) = self.referrers(&extension.digest);
            export.skipped.extend(skipped);
            index.manifests.extend(export.keep_signatures(extension, referrers));
        }
        export.index = index.to_bytes();
        Ok(export)
    }
}

impl Export {
    /// Keeps signatures under a list of referrers, whose entry in the index is returned.
    fn keep_signatures(&mut self, subject: &Descriptor, referrers: Vec<Referrer>) -> Option<Descriptor> {
        let first = referrers.first()?;
        self.keep(Descriptor::of(&first.listed.media_type, EMPTY_CONFIG).bare(), Some(EMPTY_CONFIG.to_vec()));
        let mut list = Index::new();
        for Referrer { listed, manifest, bundle } in referrers {
            self.keep(Descriptor::of(&listed.media_type, &bundle).bare(), Some(bundle));
            self.keep(listed.bare(), Some(manifest));
            list.manifests.push(listed);
        }
        let bytes = list.to_bytes();
        let listed =
            Descriptor::of(spec::artifact::media::INDEX, &bytes).tagged(&Tag::of_referrers(&subject.digest));
        self.keep(listed.bare(), Some(bytes));
        Some(listed)
    }

    fn keep(&mut self, descriptor: Descriptor, bytes: Option<Vec<u8>>) {
        if self.blobs.iter().all(|kept| kept.descriptor.digest != descriptor.digest) {
            self.blobs.push(Exported { descriptor, bytes });
        }
    }
}

//! Images in an OCI layout (image-spec 1.1, image-layout.md): a directory of blobs named by their digest.
//!
//! The digest of the manifest is all that is believed. It finds the manifest, which has the digests and sizes of the
//! layers; so neither the index of the layout nor its tags are read, and no name in it matters. `manifest` reads the
//! one document, `layers` puts the file systems of the layers on top of each other.

mod layers;
mod manifest;

use std::io::Read;
use std::path::{Path, PathBuf};

use spec::Digest;
use spec::artifact::limits;

use self::layers::Layers;
use self::manifest::{Layer, Manifest};
use crate::copy::{open_regular, private_copy};
use crate::entry::Entry;
use crate::error::{Problem, SourceError};
use crate::listing::Listing;
use crate::region::Region;
use crate::spool::Spool;
use crate::tar;

/// Lists what the image whose manifest has this digest holds once all its layers are applied.
///
/// Each layer is copied into a temporary file without a name while it is checked, and what comes later is read from that
/// copy.
pub fn list_oci(layout: &Path, manifest: &Digest) -> Result<Vec<Entry>, SourceError> {
    let place = blob(layout, manifest);
    let manifest = Manifest::parse(&read_manifest(&place, manifest)?)
        .map_err(|problem| Problem::Unsound(problem).of_archive(&place))?;
    let mut spool = Spool::new();
    let mut image = Layers::default();
    for layer in &manifest.layers {
        let place = blob(layout, &layer.digest);
        let listing = read_layer(&place, layer, &mut spool)?;
        image.apply(listing).map_err(|problem| Problem::Unsound(problem).of_archive(&place))?;
    }
    image.into_listing().into_entries().map_err(|problem| Problem::Unsound(problem).of_archive(&place))
}

fn blob(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs").join("sha256").join(digest.hex())
}

fn read_manifest(path: &Path, wanted: &Digest) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let mut file = open_regular(path)?.take(limits::MANIFEST + 1);
    file.read_to_end(&mut bytes).map_err(SourceError::read(path))?;
    if bytes.len() as u64 > limits::MANIFEST {
        let problem = format!("a manifest has at most {} bytes", limits::MANIFEST);
        return Err(Problem::Unsound(problem).of_archive(path));
    }
    match Digest::of(&bytes) {
        found if found == *wanted => Ok(bytes),
        found => Err(SourceError::WrongDigest { path: path.to_owned(), wanted: *wanted, found }),
    }
}

fn read_layer(path: &Path, layer: &Layer, spool: &mut Spool) -> Result<Listing, SourceError> {
    let copy = private_copy(path, layer.size)?;
    if copy.len != layer.size {
        let problem = format!("it has not the {} bytes that the manifest says", layer.size);
        return Err(Problem::Unsound(problem).of_archive(path));
    }
    if copy.digest != layer.digest {
        return Err(SourceError::WrongDigest {
            path: path.to_owned(),
            wanted: layer.digest,
            found: copy.digest,
        });
    }
    let list = || {
        let stream = Region::whole(copy.file).map_err(Problem::Read)?;
        let archive = layer.compression.unpack(&stream, spool)?;
        tar::read(&archive, spool)
    };
    list().map_err(|problem: Problem| problem.of_archive(path))
}

#[cfg(test)]
mod tests;

//! An extension as an OCI artifact: which blobs it has, in which order, and reading the small ones.

use spec::artifact::{CONFIG_SCHEMA, ExtensionConfig, limits, media};
use spec::listing::Listing;
use spec::{ExtensionName, Version};

use crate::descriptor::Descriptor;
use crate::document::Manifest;
use crate::error::CatalogError;
use crate::layout::Layout;
use crate::reference::Tag;

/// An extension whose small blobs have been read. The image is left where it lies.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The manifest: what a signature is about.
    pub manifest: Descriptor,
    /// Every fact that a decision needs.
    pub config: ExtensionConfig,
    /// The squashfs image; open it with [`Layout::open_blob`] and hash what is read.
    pub image: Descriptor,
    /// What is in the image.
    pub paths: Listing,
    /// The kernel ABI record, where there are modules: bytes for the room `kabi` to read.
    pub kabi: Option<Vec<u8>>,
}

/// The blobs of an extension, each with the media type of its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// [`ExtensionConfig`] as JSON.
    pub config: Descriptor,
    /// The squashfs image.
    pub image: Descriptor,
    /// [`Listing`] as text.
    pub paths: Descriptor,
    /// The kernel ABI record.
    pub kabi: Option<Descriptor>,
}

impl Parts {
    /// Checks that `manifest` is one of an extension: its types, and the order image, paths, kabi.
    pub fn of(manifest: &Manifest, described: &Descriptor) -> Result<Parts, CatalogError> {
        let refuse =
            |reason: String| Err(CatalogError::malformed(format!("manifest {}", described.digest), reason));
        if manifest.artifact_type.as_deref() != Some(media::ARTIFACT) {
            let found = manifest.artifact_type.as_deref().unwrap_or("none");
            return refuse(format!("its artifactType is {found}, expected {}", media::ARTIFACT));
        }
        if manifest.subject.is_some() {
            return refuse("an extension has no subject".into());
        }
        if manifest.config.media_type != media::CONFIG {
            return refuse(format!(
                "its config is {}, expected {}",
                manifest.config.media_type,
                media::CONFIG
            ));
        }
        let types: Vec<&str> = manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
        let (image, paths, kabi) = match (manifest.layers.as_slice(), types.as_slice()) {
            ([image, paths], [media::IMAGE, media::PATHS]) => (image, paths, None),
            ([image, paths, kabi], [media::IMAGE, media::PATHS, media::KABI]) => (image, paths, Some(kabi)),
            _ => return refuse("its layers are not image, paths and, with modules, kabi".into()),
        };
        let parts = Parts {
            config: manifest.config.clone(),
            image: image.clone(),
            paths: paths.clone(),
            kabi: kabi.cloned(),
        };
        parts.check_sizes()?;
        Ok(parts)
    }

    /// Is every blob small enough to be read again?
    pub(crate) fn check_sizes(&self) -> Result<(), CatalogError> {
        let bounded = [
            (Some(&self.config), limits::CONFIG),
            (Some(&self.image), limits::IMAGE),
            (Some(&self.paths), limits::FACTS),
            (self.kabi.as_ref(), limits::FACTS),
        ];
        for (part, limit) in bounded {
            if let Some(part) = part.filter(|part| part.size > limit) {
                let what = format!("blob {}", part.digest);
                return Err(CatalogError::TooLarge { what, size: part.size, limit });
            }
        }
        Ok(())
    }

    /// The manifest of these blobs.
    pub fn to_manifest(&self) -> Manifest {
        let layers = [Some(&self.image), Some(&self.paths), self.kabi.as_ref()];
        Manifest::new(media::ARTIFACT, self.config.clone(), layers.into_iter().flatten().cloned().collect())
    }

    /// All blobs, the small ones first: what is wrong shows before the image is moved.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        [Some(&self.config), Some(&self.paths), self.kabi.as_ref(), Some(&self.image)].into_iter().flatten()
    }

    /// All blobs of several extensions, the small ones first; what several have is there once.
    #[cfg(feature = "registry")]
    pub(crate) fn all_blobs<'a>(several: impl IntoIterator<Item = &'a Parts>) -> Vec<&'a Descriptor> {
        let mut blobs: Vec<&Descriptor> = several.into_iter().flat_map(Parts::blobs).collect();
        blobs.sort_by_key(|blob| (blob.size, blob.digest));
        blobs.dedup_by_key(|blob| blob.digest);
        blobs
    }
}

impl Layout {
    /// Reads the manifest of an extension and checks it, but none of its blobs.
    pub fn read_parts(&self, manifest: &Descriptor) -> Result<Parts, CatalogError> {
        let bytes = self.blob(manifest, limits::MANIFEST)?;
        Parts::of(&Manifest::parse(&bytes, manifest)?, manifest)
    }

    /// Reads an extension: every byte of it but the image is checked against the digest of `manifest`.
    ///
    /// This parses the config and the list of paths. At boot, call it only once a signature over the digest of
    /// `manifest` has been verified: bytes of unknown origin are hashed, not parsed.
    pub fn read_extension(&self, manifest: &Descriptor) -> Result<Artifact, CatalogError> {
        let parts = self.read_parts(manifest)?;
        let config = parse_config(&self.blob(&parts.config, limits::CONFIG)?, &parts.config)?;
        let paths = parse_paths(&self.blob(&parts.paths, limits::FACTS)?, &parts.paths)?;
        let kabi = parts.kabi.as_ref().map(|kabi| self.blob(kabi, limits::FACTS)).transpose()?;
        Ok(Artifact { manifest: manifest.clone(), config, image: parts.image, paths, kabi })
    }
}

/// Reads the config of an extension; `described` names it in errors.
pub fn parse_config(bytes: &[u8], described: &Descriptor) -> Result<ExtensionConfig, CatalogError> {
    /// The one field that every version of the document has.
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Versioned {
        schema_version: u64,
    }

    let what = format!("config {}", described.digest);
    let json = |source| CatalogError::Json { what: what.clone(), source };
    let found = serde_json::from_slice::<Versioned>(bytes).map_err(json)?.schema_version;
    if found != u64::from(CONFIG_SCHEMA) {
        return Err(CatalogError::UnknownSchema { what, found, known: CONFIG_SCHEMA });
    }
    serde_json::from_slice(bytes).map_err(json)
}

fn parse_paths(bytes: &[u8], described: &Descriptor) -> Result<Listing, CatalogError> {
    let what = format!("list of paths {}", described.digest);
    match std::str::from_utf8(bytes) {
        Ok(text) => Listing::parse(text).map_err(|source| CatalogError::Listing { what, source }),
        Err(_) => Err(CatalogError::malformed(what, "it is not UTF-8")),
    }
}

/// The tag of an extension in a layout: `NAME-VERSION`.
///
/// A version can be longer than a tag may be. Whoever makes an extension asks for its tag before anything is written.
pub fn tag_of(name: &ExtensionName, version: &Version) -> Result<Tag, CatalogError> {
    let tag = format!("{name}-{}", version.as_tag());
    tag.parse().map_err(|_| {
        CatalogError::malformed(format!("version {version}"), format!("{tag} is too long for a tag"))
    })
}

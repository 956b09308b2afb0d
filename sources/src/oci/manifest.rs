//! The manifest of an image (image-spec 1.1, manifest.md), as far as it is about files.

use serde::Deserialize;
use serde::de::IgnoredAny;
use spec::Digest;
use spec::artifact::{limits, media};

use crate::compression::Compression;

/// Most layers of one image: what Linux stacks (fs/overlayfs/params.h, `OVL_MAX_STACK`), so no more could ever run.
const MAX_LAYERS: usize = 500;

/// The type of a layer, and what is behind it where it is compressed (image-spec 1.1, layer.md).
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image.
#[derive(Debug, PartialEq)]
pub(super) struct Manifest {
    /// The lowest first.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, PartialEq)]
pub(super) struct Layer {
    pub digest: Digest,
    /// Size of the blob in bytes.
    pub size: u64,
    pub compression: Compression,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestFragment {
    schema_version: u32,
    media_type: Option<String>,
    layers: Option<Vec<LayerFragment>>,
    manifests: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayerFragment {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl Manifest {
    /// Reads the document. One that could be an index too is refused (CVE-2021-41190); that a manifest does not say its
    /// type is usual, and harmless where its digest was asked for.
    pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let fragment: ManifestFragment =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no image manifest: {error}"))?;
        let ManifestFragment { schema_version, media_type, layers, manifests } = fragment;
        let says_index = media_type.as_deref() == Some(media::INDEX);
        if says_index && layers.is_none() {
            return Err("it is an index of several images; name the digest of one of them".to_owned());
        }
        let is_manifest = media_type.is_none_or(|found| found == media::MANIFEST) && manifests.is_none();
        let layers =
            layers.filter(|_| is_manifest && schema_version == 2).ok_or("it is no OCI image manifest")?;
        if layers.len() > MAX_LAYERS {
            return Err(format!("it has more than {MAX_LAYERS} layers"));
        }
        let layers: Vec<Layer> = layers.into_iter().map(Layer::of).collect::<Result<_, _>>()?;
        let size = layers.iter().fold(0u64, |sum, layer| sum.saturating_add(layer.size));
        match size > limits::IMAGE {
            true => Err(format!("its layers have more than {} bytes", limits::IMAGE)),
            false => Ok(Manifest { layers }),
        }
    }
}

impl Layer {
    fn of(LayerFragment { media_type, digest, size }: LayerFragment) -> Result<Layer, String> {
        let compression = match media_type.strip_prefix(LAYER) {
            Some("") => Compression::None,
            Some("+gzip") => Compression::Gzip,
            Some("+zstd") => Compression::Zstd,
            _ => {
                return Err(format!(
                    "its layer {digest} is of an unknown type: {}",
                    media_type.escape_debug()
                ));
            }
        };
        Ok(Layer { digest, size, compression })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn layers(count: usize, size: u64, kind: &str) -> String {
        let layer = format!(r#"{{"mediaType":"{LAYER}{kind}","digest":"{DIGEST}","size":{size}}}"#);
        format!(r#"{{"schemaVersion":2,"config":{{}},"layers":[{}]}}"#, vec![layer; count].join(","))
    }

    fn problem(text: &str) -> String {
        Manifest::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn layers_come_with_their_compression() {
        for (kind, compression) in
            [("", Compression::None), ("+gzip", Compression::Gzip), ("+zstd", Compression::Zstd)]
        {
            let manifest = Manifest::parse(layers(2, 7, kind).as_bytes()).unwrap();
            let layer = || Layer { digest: DIGEST.parse().unwrap(), size: 7, compression };
            assert_eq!(manifest.layers, [layer(), layer()]);
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        assert!(problem("{").starts_with("it is no image manifest: "));
        assert_eq!(problem(r#"{"schemaVersion":2}"#), "it is no OCI image manifest");
        assert_eq!(problem(&layers(1, 1, "").replace(":2,", ":1,")), "it is no OCI image manifest");
        assert_eq!(problem(&layers(1, 1, "").replace("config", "manifests")), "it is no OCI image manifest");
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media::INDEX);
        assert_eq!(problem(&index), "it is an index of several images; name the digest of one of them");
        let artifact = layers(1, 1, "").replace(LAYER, "application/x");
        assert_eq!(problem(&artifact), format!("its layer {DIGEST} is of an unknown type: application/x"));
        assert!(problem(&layers(1, 1, "+xz")).contains("is of an unknown type"));
    }

    #[test]
    fn layers_are_counted_before_one_is_read() {
        assert_eq!(problem(&layers(501, 1, "")), "it has more than 500 layers");
        assert_eq!(problem(&layers(2, u64::MAX, "")), "its layers have more than 17179869184 bytes");
    }

    proptest! {
        #[test]
        fn a_changed_manifest_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = layers(2, 7, "+gzip").into_bytes();
            *at.get_mut(&mut bytes) = byte;
            let _ = Manifest::parse(&bytes);
        }
    }
}

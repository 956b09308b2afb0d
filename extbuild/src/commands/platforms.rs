//! `extbuild inspect` of a version for several architectures: which there are.

use catalog::platforms::check_agreement;
use catalog::{Artifact, CatalogError, Descriptor, Found, Layout};
use serde_json::{Value, json};
use terminal::{Failure, Table};

use super::inspect::{keys, signed_by};
use super::{size, warn_of_absent};

/// What there is for one architecture.
struct Platform {
    artifact: Artifact,
    /// The keys that its signatures name.
    signatures: Vec<String>,
}

impl Platform {
    fn read(layout: &Layout, manifest: &Descriptor) -> Result<Platform, CatalogError> {
        Ok(Platform { artifact: layout.read_extension(manifest)?, signatures: signed_by(layout, manifest) })
    }
}

pub(super) fn show(layout: &Layout, index: &Descriptor, found: &Found, json: bool) -> Result<(), Failure> {
    let signatures = signed_by(layout, index);
    let platforms: Vec<Platform> =
        found.manifests.iter().map(|one| Platform::read(layout, one)).collect::<Result<_, _>>()?;
    let configs = platforms.iter().map(|one| &one.artifact.config);
    check_agreement(index, found.manifests.iter().zip(configs))?;
    warn_of_absent(found);
    match json {
        true => Ok(terminal::json(&describe(index, found, &platforms, &signatures))?),
        false => print(index, &platforms, &signatures),
    }
}

fn describe(index: &Descriptor, found: &Found, platforms: &[Platform], signatures: &[String]) -> Value {
    let describe =
        |Platform { artifact: Artifact { manifest, config, image, .. }, signatures }: &Platform| {
            json!({
                "arch": config.arch,
                "digest": manifest.digest,
                "image": { "digest": image.digest, "size": image.size },
                "signatures": signatures,
            })
        };
    let config = &platforms[0].artifact.config;
    json!({
        "digest": index.digest,
        "name": config.name,
        "version": config.version,
        "manifests": platforms.iter().map(describe).collect::<Vec<_>>(),
        "absent": found.absent.iter().map(|absent| absent.digest).collect::<Vec<_>>(),
        "signatures": signatures,
    })
}

fn print(index: &Descriptor, platforms: &[Platform], signatures: &[String]) -> Result<(), Failure> {
    let config = &platforms[0].artifact.config;
    let mut facts = Table::new(&[]);
    facts.row(["name", config.name.as_str()]);
    facts.row(["version", &config.version.to_string()]);
    facts.row(["index", &index.digest.to_string()]);
    facts.row(["signatures", &keys(signatures)]);
    facts.print()?;
    terminal::text("\n")?;
    let mut table = Table::new(&["architecture", "manifest", "image", "signatures"]);
    for Platform { artifact: Artifact { manifest, config, image, .. }, signatures } in platforms {
        let (arch, manifest) = (config.arch.to_string(), manifest.digest.to_string());
        table.row([arch, manifest, size(image.size), keys(signatures)]);
    }
    Ok(table.print()?)
}

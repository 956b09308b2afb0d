//! `extbuild inspect`

use catalog::{Artifact, Descriptor, Layout};
use kabi::Record;
use serde_json::json;
use signing::Bundle;
use squash::Image;
use squash::image::Limits;
use terminal::{Failure, Table};

use super::{check_arch, choose, files, layout_of, platforms, size, warn_of_broken};
use crate::cli::InspectArgs;

pub(crate) fn run(args: InspectArgs) -> Result<(), Failure> {
    let InspectArgs { reference, arch, files, json } = args;
    let (layout, found) = choose(&layout_of(reference)?, arch)?;
    if let Some(index) = found.index.as_ref().filter(|_| found.manifests.len() > 1 && !files) {
        return platforms::show(&layout, index, &found, json);
    }
    let manifest = found.one(&layout)?;
    let artifact = layout.read_extension(&manifest)?;
    check_arch(arch, &manifest, &artifact.config)?;
    let modules = artifact.kabi.as_deref().map(Record::parse).transpose()?;
    let hints = signed_by(&layout, &manifest);
    if files {
        layout.check_blob(&artifact.image)?;
    }
    let file = files.then(|| layout.open_blob(&artifact.image.digest)).transpose()?;
    let limits = Limits::of(&artifact.config.content);
    let image = file.as_ref().map(|file| Image::open(file, &limits)).transpose()?;
    for finding in image.iter().flat_map(|image| image.findings().iter()) {
        terminal::warning(&finding.to_string());
    }
    match json {
        true => print_json(&artifact, modules.as_ref(), &hints, image.as_ref()),
        false => {
            print_table(&artifact, modules.as_ref(), &hints)?;
            Ok(image.as_ref().map_or(Ok(()), files::print)?)
        }
    }
}

/// The keys that signatures name, which nobody has verified here.
pub(super) fn signed_by(layout: &Layout, document: &Descriptor) -> Vec<String> {
    let signatures = layout.signatures(&document.digest);
    warn_of_broken(&signatures.skipped, "cannot be read");
    let bundles = signatures.bundles.iter().filter_map(|bundle| Bundle::parse(bundle).ok());
    bundles.map(|bundle| bundle.hint().to_string()).collect()
}

fn print_json(
    artifact: &Artifact,
    modules: Option<&Record>,
    signatures: &[String],
    image: Option<&Image<'_>>,
) -> Result<(), Failure> {
    let paths: Vec<&str> = artifact.paths.iter().map(|(path, _)| path.as_str()).collect();
    let mut value = json!({
        "digest": artifact.manifest.digest,
        "config": artifact.config,
        "image": { "digest": artifact.image.digest, "size": artifact.image.size },
        "paths": paths,
        "modules": modules.map(Record::modules).unwrap_or_default(),
        "signatures": signatures,
    });
    if let Some(image) = image {
        value["files"] = json!(files::to_json(image));
    }
    Ok(terminal::json(&value)?)
}

fn print_table(artifact: &Artifact, modules: Option<&Record>, signatures: &[String]) -> Result<(), Failure> {
    let config = &artifact.config;
    let mut table = Table::new(&[]);
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([name.to_owned(), value]);
        }
    };
    fact("name", config.name.to_string());
    fact("version", config.version.to_string());
    fact("upstream", config.upstream.clone().unwrap_or_default());
    fact("description", config.description.clone());
    fact("licence", config.license.clone().unwrap_or_default());
    fact("architecture", config.arch.to_string());
    fact("kernel", config.kernel.as_ref().map(ToString::to_string).unwrap_or_default());
    fact(
        "requires",
        lines(config.requires.iter().map(|needed| format!("{} {}", needed.name, needed.version))),
    );
    fact(
        "modules",
        lines(modules.into_iter().flat_map(Record::modules).map(|module| module.name.to_string())),
    );
    fact("loads at boot", lines(config.load.iter().map(ToString::to_string)));
    fact("works if", lines(config.probes.iter().map(ToString::to_string)));
    fact("grants", lines(config.grants.iter().map(ToString::to_string)));
    fact("generations", lines(config.generations.iter().map(|(name, number)| format!("{name} {number}"))));
    fact("manifest", artifact.manifest.digest.to_string());
    fact("image", format!("{} ({})", artifact.image.digest, size(artifact.image.size)));
    fact("verity root", config.verity.map(|facts| facts.root_hash.hex().to_string()).unwrap_or_default());
    let signature = config.root_hash_signature.as_ref();
    fact(
        "signed for kernels",
        signature.map(|der| format!("{} bytes", der.as_der().len())).unwrap_or_default(),
    );
    fact(
        "content",
        format!("{} in {} files and directories", size(config.content.bytes), config.content.inodes),
    );
    fact("signatures", keys(signatures));
    Ok(table.print()?)
}

/// The keys of signatures, a line each.
pub(super) fn keys(hints: &[String]) -> String {
    match hints.is_empty() {
        true => "none".to_owned(),
        false => lines(hints.iter().map(|hint| format!("key {hint}"))),
    }
}

fn lines(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join("\n")
}

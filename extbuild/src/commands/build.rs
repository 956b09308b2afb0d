//! `extbuild build`

use terminal::{Failure, Progress};

use super::{output_layout, size};
use crate::cli::BuildArgs;
use crate::{ground, pipeline};

pub(crate) fn run(args: BuildArgs) -> Result<(), Failure> {
    let BuildArgs { target, kernel, output, json, packing, root_hash } = args;
    let directory = output_layout(output)?;
    let request = target.request(kernel.as_deref());
    let packing = packing.into_packing()?;
    let approval = root_hash.read()?;
    let progress = Progress::bytes("packing", 0);
    let built = pipeline::build(&request, &packing, approval.as_ref(), &directory, &mut |done, all| {
        progress.of(done, all);
    })?;
    drop(progress);
    let tag = built.manifest.tag().unwrap_or_default();
    if json {
        return Ok(terminal::json(&serde_json::json!({
            "reference": format!("oci:{}:{tag}", directory.display()),
            "digest": built.manifest.digest,
            "image": { "digest": built.image.digest, "size": built.image.size, "verity": built.image.verity },
            "content": built.image.facts,
            "notes": built.notes,
        }))?);
    }
    ground::note(&built.notes);
    terminal::success(&format!(
        "oci:{}:{tag} has an image of {} for {} of content in {} files and directories",
        directory.display(),
        size(built.image.size),
        size(built.image.facts.bytes),
        built.image.facts.inodes,
    ));
    Ok(terminal::text(&format!("{}\n", built.manifest.digest))?)
}

//! `extbuild pull`

use std::path::Path;

use catalog::registry::Pulled;
use catalog::{Layout, Registry, Selector};
use terminal::{Failure, Progress};

use super::{for_several, output_layout, registry_of, warn_of_broken};
use crate::cli::PullArgs;

pub(crate) fn run(args: PullArgs) -> Result<(), Failure> {
    let PullArgs { from, output, arch, registry } = args;
    let from = registry_of(from)?;
    let directory = output_layout(output)?;
    let Pulled { descriptor, signatures, .. } =
        fetch(&directory, Registry::new(from, registry.access()).only(arch))?;
    let place = Selector { tag: None, digest: Some(descriptor.digest) };
    let several = for_several(&Layout::open(&directory)?.find(&place)?);
    let (directory, tag) = (directory.display(), descriptor.tag().unwrap_or_default());
    terminal::success(&format!(
        "oci:{directory}:{tag} has the extension{several} and {signatures} of its signatures"
    ));
    Ok(terminal::text(&format!("{}\n", descriptor.digest))?)
}

/// Brings what `registry` names into the layout at `directory`.
pub(super) fn fetch(directory: &Path, registry: Registry) -> Result<Pulled, Failure> {
    let progress = Progress::bytes("fetching", 0);
    let pulled = registry.pull(directory, &mut |far| progress.of(far.done, far.total))?;
    drop(progress);
    warn_of_broken(&pulled.skipped, "is broken and was left behind");
    Ok(pulled)
}

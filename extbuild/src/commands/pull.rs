//! `extbuild pull`

use catalog::Registry;
use terminal::{Failure, Progress};

use super::{output_layout, registry_of};
use crate::cli::PullArgs;

pub(crate) fn run(args: PullArgs) -> Result<(), Failure> {
    let PullArgs { from, output, registry } = args;
    let from = registry_of(from)?;
    let directory = output_layout(output)?;
    let progress = Progress::bytes("fetching", 0);
    let pulled = Registry::new(from, registry.access())
        .pull(&directory, &mut |far| progress.of(far.done, far.total))?;
    drop(progress);
    for broken in &pulled.skipped {
        terminal::warning(&format!("a signature is broken and was left behind: {broken}"));
    }
    let tag = pulled.descriptor.tag().unwrap_or_default();
    terminal::success(&format!(
        "oci:{}:{tag} has the extension and {} of its signatures",
        directory.display(),
        pulled.signatures
    ));
    Ok(terminal::text(&format!("{}\n", pulled.descriptor.digest))?)
}

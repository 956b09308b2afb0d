//! `extbuild push`

use catalog::Registry;
use terminal::{Failure, Progress};

use super::{find, registry_of};
use crate::cli::PushArgs;

pub(crate) fn run(args: PushArgs) -> Result<(), Failure> {
    let PushArgs { from, to, fit, mount_from, registry } = args;
    let to = registry_of(to)?;
    let (layout, manifest) = find(from)?;
    if !fit.kernels.is_empty() {
        fit.read(&layout, &manifest)?;
    }
    let progress = Progress::bytes("sending", 0);
    let registry = Registry::new(to.clone(), registry.access()).mounting_from(mount_from);
    let pushed = registry.push(&layout, &manifest, &mut |far| progress.of(far.done, far.total))?;
    drop(progress);
    for broken in &pushed.skipped {
        terminal::warning(&format!("a signature is broken and was not sent: {broken}"));
    }
    if pushed.signatures == 0 {
        terminal::note("the extension has no signature; machines refuse it until it has one (extbuild sign)");
    }
    terminal::success(&format!("{to} has the extension and {} of its signatures", pushed.signatures));
    Ok(terminal::text(&format!("{}\n", manifest.digest))?)
}

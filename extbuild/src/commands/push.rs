//! `extbuild push`

use catalog::{Found, Layout, Registry, RegistryReference};
use terminal::{Failure, Progress};

use super::{choose, layout_of, registry_of, warn_of_broken};
use crate::cli::PushArgs;

pub(crate) fn run(args: PushArgs) -> Result<(), Failure> {
    let PushArgs { from, to, arch, fit, mount_from, registry } = args;
    let to = registry_of(to)?;
    let (layout, found) = choose(&layout_of(from)?, arch)?;
    if !fit.kernels.is_empty() {
        fit.read_all(&layout, &found)?;
    }
    send(&layout, &found, &to, Registry::new(to.clone(), registry.access()).mounting_from(mount_from))?;
    Ok(terminal::text(&format!("{}\n", found.named().digest))?)
}

/// Sends what was found to `registry`, which people call `to`, and says so.
pub(super) fn send(
    layout: &Layout,
    found: &Found,
    to: &RegistryReference,
    registry: Registry,
) -> Result<(), Failure> {
    let progress = Progress::bytes("sending", 0);
    let pushed = registry.push(layout, found, &mut |far| progress.of(far.done, far.total))?;
    drop(progress);
    warn_of_broken(&pushed.skipped, "is broken and was not sent");
    if pushed.signatures == 0 {
        terminal::note("the extension has no signature; machines refuse it until it has one (extbuild sign)");
    }
    let several = super::for_several(found);
    terminal::success(&format!(
        "{to} has the extension{several} and {} of its signatures",
        pushed.signatures
    ));
    Ok(())
}

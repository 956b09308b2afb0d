//! `extbuild copy`: what `pull` and `push` do, and between two layouts the same.

use catalog::{Access, Found, Layout, Reference, Registry, RegistryReference, Selector, Store, copy_found};
use spec::{Arch, Digest};
use terminal::{Failure, Place};

use super::{choose, for_several, output_layout, pull, push, warn_of_broken};
use crate::cli::{CopyArgs, PullArgs};

pub(crate) fn run(args: CopyArgs) -> Result<(), Failure> {
    let CopyArgs { from, to, arch, registry } = args;
    let digest = match (from, to) {
        (Reference::Layout(from), Reference::Registry(to)) => {
            let (layout, found) = choose(&from, arch)?;
            push::send(&layout, &found, &to, Registry::new(to.clone(), registry.access()))?;
            found.named().digest
        }
        (Reference::Layout(from), to) => {
            let (layout, found) = choose(&from, arch)?;
            between_layouts(&layout, &found, to)?;
            found.named().digest
        }
        (Reference::Registry(from), Reference::Registry(to)) => {
            between_registries(&from, &to, arch, &registry.access())?
        }
        (from, output) => return pull::run(PullArgs { from, output, arch, registry }),
    };
    Ok(terminal::text(&format!("{digest}\n"))?)
}

fn between_layouts(layout: &Layout, found: &Found, to: Reference) -> Result<(), Failure> {
    let store = Store::create_or_open(output_layout(to)?)?;
    warn_of_broken(&copy_found(layout, found, &store)?, "is broken and was left behind");
    let several = for_several(found);
    terminal::success(&format!("oci:{} has the extension{several}", store.dir().display()));
    Ok(())
}

/// By way of a layout that is gone afterwards: all of it has come and proved right before any of it goes on. What the same
/// registry has in another repository it need not be sent.
fn between_registries(
    from: &RegistryReference,
    to: &RegistryReference,
    arch: Option<Arch>,
    access: &Access,
) -> Result<Digest, Failure> {
    let directory =
        tempfile::tempdir().map_err(Place::cannot("make a directory in", std::env::temp_dir()))?;
    let source = Registry::new(from.clone(), access.clone()).only(arch);
    let pulled = pull::fetch(directory.path(), source)?.descriptor;
    let layout = Layout::open(directory.path())?;
    let mut found = layout.find(&Selector { tag: None, digest: Some(pulled.digest) })?;
    if let Some(arch) = arch {
        found = found.only(arch)?;
    }
    let mount_from = (from.host == to.host).then(|| from.repository.clone());
    let target = Registry::new(to.clone(), access.clone()).mounting_from(mount_from);
    push::send(&layout, &found, to, target)?;
    Ok(found.named().digest)
}

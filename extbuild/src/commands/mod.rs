//! One file a subcommand: arguments in, library called, words out.

pub(crate) mod base;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod copy;
pub(crate) mod files;
mod fit;
pub(crate) mod fits;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod kernel;
pub(crate) mod key;
pub(crate) mod module;
mod platforms;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod sign;
pub(crate) mod trust;
pub(crate) mod verify;
pub(crate) mod whole;

use std::path::PathBuf;

use catalog::{CatalogError, Descriptor, Found, Layout, LayoutReference, Reference, RegistryReference};
use spec::artifact::ExtensionConfig;
use spec::{Arch, Diagnose, Outcome};
use terminal::Failure;

/// The reference must be a layout.
pub(crate) fn layout_of(reference: Reference) -> Result<LayoutReference, WrongPlace> {
    match reference {
        Reference::Layout(layout) => Ok(layout),
        Reference::Registry(other) => Err(WrongPlace::NotLayout(other.to_string())),
    }
}

/// The reference must be a layout as a whole: to write into, a tag makes no sense.
pub(crate) fn output_layout(reference: Reference) -> Result<PathBuf, WrongPlace> {
    let layout = layout_of(reference)?;
    match layout.select.tag.is_some() || layout.select.digest.is_some() {
        true => Err(WrongPlace::Tagged(layout.to_string())),
        false => Ok(layout.dir),
    }
}

/// The reference must be a registry.
pub(crate) fn registry_of(reference: Reference) -> Result<RegistryReference, WrongPlace> {
    match reference {
        Reference::Registry(registry) => Ok(registry),
        Reference::Layout(other) => Err(WrongPlace::NotRegistry(other.to_string())),
    }
}

/// The reference must be the name by which others pull an artifact from a registry.
pub(crate) fn name_on_registry(reference: Reference) -> Result<RegistryReference, WrongPlace> {
    let registry = registry_of(reference)?;
    match registry.select.tag.is_some() && registry.select.digest.is_none() {
        true => Ok(registry),
        false => Err(WrongPlace::Untagged(registry.to_string())),
    }
}

/// Opens the layout of a reference and finds the artifact in it.
pub(crate) fn find(reference: Reference) -> Result<(Layout, Descriptor), Failure> {
    let place = layout_of(reference)?;
    let layout = Layout::open(&place.dir)?;
    let manifest = layout.resolve(&place.select)?;
    Ok((layout, manifest))
}

/// Opens the layout of a reference and finds what is meant, only the manifest for `arch` where one is named.
pub(crate) fn choose(place: &LayoutReference, arch: Option<Arch>) -> Result<(Layout, Found), Failure> {
    let layout = Layout::open(&place.dir)?;
    let found = layout.find(&place.select)?;
    match arch {
        Some(arch) => Ok((layout, found.only(arch)?)),
        None => Ok((layout, found)),
    }
}

/// For how many architectures, where it is more than one.
pub(crate) fn for_several(found: &Found) -> String {
    match &found.index {
        Some(_) => format!(" for {} architectures", found.manifests.len()),
        None => String::new(),
    }
}

/// One manifest alone may be for any architecture: which one, its config says.
pub(crate) fn check_arch(
    wanted: Option<Arch>,
    manifest: &Descriptor,
    config: &ExtensionConfig,
) -> Result<(), CatalogError> {
    match wanted.filter(|arch| *arch != config.arch) {
        None => Ok(()),
        Some(arch) => {
            let there = vec![config.arch.to_string()];
            Err(CatalogError::ArchMissing { of: manifest.digest, arch, there })
        }
    }
}

/// Says what an index lists and a layout does not have: nothing can be said about it.
pub(crate) fn warn_of_absent(found: &Found) {
    for absent in &found.absent {
        terminal::note(&format!("{} is in the index and not here", absent.digest));
    }
}

/// Says which signatures are broken, and what comes of it. Strangers may have added many.
pub(crate) fn warn_of_broken(broken: &[CatalogError], so: &str) {
    const SHOWN: usize = 8;
    for error in broken.iter().take(SHOWN) {
        terminal::warning(&format!("a signature {so}: {error}"));
    }
    if broken.len() > SHOWN {
        terminal::warning(&format!("and so {} more", broken.len() - SHOWN));
    }
}

/// A reference of the wrong kind for its argument.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WrongPlace {
    #[error("{0} is a registry; a layout on disk is needed here")]
    NotLayout(String),
    #[error("{0} is a layout on disk; a registry is needed here")]
    NotRegistry(String),
    #[error("{0} is no name with a tag alone, by which an artifact is pulled")]
    Untagged(String),
    #[error("{0} names one artifact; a whole layout is needed here")]
    Tagged(String),
}

impl Diagnose for WrongPlace {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            WrongPlace::NotLayout(place) => format!("bring it here first: extbuild pull {place} -o oci:DIR"),
            WrongPlace::NotRegistry(_) | WrongPlace::Untagged(_) => "write HOST/REPOSITORY:TAG".into(),
            WrongPlace::Tagged(_) => "write oci:DIR; the tag is made of name and version".into(),
        })
    }
}

/// Bytes as a person reads them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

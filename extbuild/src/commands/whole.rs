//! Whole artifacts: what is about to be signed or believed must be all there, and its parts must agree.

use catalog::{Artifact, Descriptor, Layout};
use kabi::TrustedKey;
use spec::{Diagnose, ModuleName, Outcome, TreePath};
use squash::image::Limits;
use squash::{Image, verity};
use terminal::Failure;

use crate::ground::Facts;
use crate::modules;

/// Reads an artifact to its last byte, and its image as a machine would read it. Modules signed with one of the `keys` must
/// be as they were signed.
pub(crate) fn read_whole(
    layout: &Layout,
    manifest: &Descriptor,
    keys: &[TrustedKey],
) -> Result<Facts, Failure> {
    let artifact = layout.read_extension(manifest)?;
    layout.check_blob(&artifact.image)?;
    check_image(layout, &artifact, keys)?;
    Facts::of(artifact)
}

/// Does the image break no rule, and hold what the list says, the kernel ABI record and its hash tree?
fn check_image(layout: &Layout, artifact: &Artifact, keys: &[TrustedKey]) -> Result<(), Failure> {
    let file = layout.open_blob(&artifact.image.digest)?;
    let image = Image::open(&file, &Limits::of(&artifact.config.content))?;
    if let Some(finding) = image.findings().iter().next() {
        return Err(finding.clone().into());
    }
    let found = image.listing();
    if found != artifact.paths {
        let differs = |path: &&TreePath| found.get(path) != artifact.paths.get(path);
        let paths = found.iter().chain(artifact.paths.iter()).map(|(path, _)| path);
        let first = paths.into_iter().find(differs).cloned().unwrap_or(TreePath::root());
        return Err(Contradiction::List(first).into());
    }
    check_record(&image, artifact, keys)?;
    match &artifact.config.verity {
        Some(facts) => Ok(verity::check(&file, facts)?),
        None => Ok(()),
    }
}

/// Machines judge the record and never open a module: it must be what the modules say.
fn check_record(image: &Image<'_>, artifact: &Artifact, keys: &[TrustedKey]) -> Result<(), Failure> {
    let claimed = Facts::record(artifact)?;
    let found = modules::record_of_image(image, keys)?.unwrap_or_default();
    let differs = |name: &ModuleName| claimed.get(name) != found.get(name);
    let mut names = found.modules().iter().chain(claimed.modules()).map(|module| &module.name);
    match names.find(|name| differs(name)) {
        Some(name) => Err(Contradiction::Record(name.clone()).into()),
        None => Ok(()),
    }
}

/// The parts of an artifact contradict each other.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("the kernel ABI record says something else about module {0} than the image")]
    Record(ModuleName),
    #[error("the image and the list of its paths differ at {0}")]
    List(TreePath),
}

impl Diagnose for Contradiction {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("build the extension again".into())
    }
}

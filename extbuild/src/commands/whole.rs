//! Whole artifacts: what is about to be signed or believed must be all there, and its parts must agree.

use catalog::{Artifact, Descriptor, Layout};
use kabi::Record;
use spec::listing::Kind;
use spec::{Diagnose, Outcome, TreePath};
use squash::image::Limits;
use squash::{Image, verity};
use terminal::Failure;

/// Reads an artifact to its last byte, and its image as a machine would read it.
pub(crate) fn read_whole(layout: &Layout, manifest: &Descriptor) -> Result<Artifact, Failure> {
    let artifact = layout.read_extension(manifest)?;
    layout.check_blob(&artifact.image)?;
    check_image(layout, &artifact)?;
    let record = artifact.kabi.as_deref().map(Record::parse).transpose()?.unwrap_or_default();
    match record.modules().iter().find(|module| artifact.paths.get(&module.path) != Some(Kind::Leaf)) {
        Some(module) => Err(Contradiction::Unlisted(module.path.clone()).into()),
        None => Ok(artifact),
    }
}

/// Does the image break no rule, and hold what the list says, and what its hash tree says?
fn check_image(layout: &Layout, artifact: &Artifact) -> Result<(), Failure> {
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
    match &artifact.config.verity {
        Some(facts) => Ok(verity::check(&file, facts)?),
        None => Ok(()),
    }
}

/// The parts of an artifact contradict each other.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("the kernel ABI record has {0}, which is not in the image")]
    Unlisted(TreePath),
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

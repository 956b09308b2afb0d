//! Whole artifacts: what is about to be signed or believed must be all there, and its parts must agree.

use catalog::{Artifact, Descriptor, Layout};
use kabi::TrustedKey;
use spec::content::{self, Complaint};
use spec::{Diagnose, ModuleName, Outcome, TreePath};
use squash::{Image, Promise, verity};
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

/// Does the image keep what the rest of the artifact says about it, as a machine asks before it mounts one? And may an
/// extension of that name have such paths?
fn check_image(layout: &Layout, artifact: &Artifact, keys: &[TrustedKey]) -> Result<(), Failure> {
    let Artifact { config, paths, .. } = artifact;
    let file = layout.open_blob(&artifact.image.digest)?;
    let image = Promise { facts: &config.content, listing: paths }.check(&file)?;
    for (path, kind) in paths.iter() {
        content::check_path(path, kind, &config.name, config.kernel.as_ref())
            .map_err(|complaint| Misplaced { path: path.clone(), complaint })?;
    }
    grants::of_image(&image).check(&config.grants)?;
    config.check_steps()?;
    check_record(&image, artifact, keys)?;
    match &config.verity {
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
        Some(name) => Err(Contradiction(name.clone()).into()),
        None => Ok(()),
    }
}

/// The record of an artifact contradicts its image.
#[derive(Debug, thiserror::Error)]
#[error("the kernel ABI record says something else about module {0} than the image")]
struct Contradiction(ModuleName);

impl Diagnose for Contradiction {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("build the extension again".into())
    }
}

/// A path that no extension may have, or not this one.
#[derive(Debug, thiserror::Error)]
#[error("{path} {}", complaint.what)]
struct Misplaced {
    path: TreePath,
    complaint: Complaint,
}

impl Diagnose for Misplaced {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(self.complaint.hint.clone())
    }
}

//! `extbuild verify`

use signing::{clear, verify_extension};
use spec::{Diagnose, Outcome, Reason, ReasonCode};
use terminal::Failure;

use super::find;
use super::whole::read_whole;
use crate::cli::VerifyArgs;
use crate::trust;

/// The order is the one of the boot program: nothing of the artifact is parsed before its signature is believed.
pub(crate) fn run(args: VerifyArgs) -> Result<(), Failure> {
    let VerifyArgs { reference, trust, json } = args;
    let trust = trust::establish(&trust)?;
    let (layout, manifest) = find(reference)?;
    let Some(wanted) =
        layout.extensions().into_iter().find(|entry| entry.descriptor.digest == manifest.digest)
    else {
        let sentence = format!("{} is not listed as an extension", manifest.digest);
        return Err(Refused(Reason::new(ReasonCode::MalformedArtifact, sentence)).into());
    };
    let signatures = layout.signatures(&manifest.digest);
    for broken in &signatures.skipped {
        terminal::warning(&format!("a signature cannot be read: {broken}"));
    }
    let approval = verify_extension(&trust, &wanted.name, &manifest.digest, &signatures.bundles)
        .map_err(|refusal| Refused(refusal.reason()))?;
    let artifact = read_whole(&layout, &manifest, &[])?;
    let cleared = clear(&trust, approval, &artifact.config).map_err(|refusal| Refused(refusal.reason()))?;
    let (name, version, approval) = (&artifact.config.name, &artifact.config.version, cleared.approval());
    if json {
        return Ok(terminal::json(&serde_json::json!({
            "name": name, "version": version, "digest": manifest.digest,
            "signers": approval.signers(), "developer": approval.developer(),
        }))?);
    }
    match approval.developer() {
        Some(by) => {
            terminal::warning(&format!("{name} {version} needs no signature: developer override {by}"))
        }
        None => terminal::success(&format!(
            "{name} {version} is signed by {}, and its image is the one that was signed",
            approval.signers().join(", ")
        )),
    }
    Ok(())
}

/// The policy does not admit it.
#[derive(Debug, thiserror::Error)]
#[error("{} ({})", .0.sentence, .0.code)]
struct Refused(Reason);

impl Diagnose for Refused {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        self.0.hint.clone()
    }
}

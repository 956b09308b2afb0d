//! `extbuild verify`

use signing::{TrustPolicy, verify_extension};
use spec::{Diagnose, Outcome, Reason, ReasonCode};
use terminal::Failure;

use super::find;
use super::whole::read_whole;
use crate::cli::VerifyArgs;
use crate::pipeline::read_text;

/// The order is the one of the boot program: nothing of the artifact is parsed before its signature is believed.
pub(crate) fn run(args: VerifyArgs) -> Result<(), Failure> {
    let VerifyArgs { reference, trust, json } = args;
    let policy = TrustPolicy::parse(&read_text(&trust)?, &trust.display().to_string())?;
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
    let approval = verify_extension(&policy, &wanted.name, &manifest.digest, &signatures.bundles)
        .map_err(|refusal| Refused(refusal.reason()))?;
    let artifact = read_whole(&layout, &manifest, &[])?;
    if artifact.config.name != approval.value().name {
        let sentence = format!(
            "the signature is for {}, but the artifact is {}",
            approval.value().name,
            artifact.config.name
        );
        return Err(Refused(Reason::new(ReasonCode::IdentityMismatch, sentence)).into());
    }
    let (name, version, signer) = (&artifact.config.name, &artifact.config.version, approval.signer());
    if json {
        return Ok(terminal::json(&serde_json::json!({
            "name": name, "version": version, "digest": manifest.digest, "signer": signer,
        }))?);
    }
    terminal::success(&format!(
        "{name} {version} is signed by {signer}, and its image is the one that was signed"
    ));
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

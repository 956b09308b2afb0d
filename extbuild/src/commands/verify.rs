//! `extbuild verify`

use catalog::platforms::check_agreement;
use catalog::{Descriptor, Found, Layout};
use serde_json::{Value, json};
use signing::{Approval, ApprovedIndex, Cleared, Refusal, Trust, Verified};
use signing::{clear, verify_extension, verify_index};
use spec::artifact::ExtensionConfig;
use spec::{Diagnose, ExtensionName, Outcome, Reason, ReasonCode};
use terminal::Failure;

use super::whole::read_whole;
use super::{check_arch, choose, layout_of, warn_of_absent, warn_of_broken};
use crate::cli::VerifyArgs;
use crate::trust;

pub(crate) fn run(args: VerifyArgs) -> Result<(), Failure> {
    let VerifyArgs { reference, arch, trust, json } = args;
    let trust = trust::establish(&trust)?;
    let (layout, found) = choose(&layout_of(reference)?, arch)?;
    let verified = Version::verify(&trust, &layout, &found)?;
    for (manifest, one) in found.manifests.iter().zip(&verified.manifests) {
        check_arch(arch, manifest, &one.config)?;
    }
    warn_of_absent(&found);
    if json {
        return Ok(terminal::json(&verified.describe(&found))?);
    }
    verified.tell();
    Ok(())
}

/// A version of an extension that the policy admits, for all architectures that were looked at.
struct Version {
    /// The index, where there is one.
    index: Option<Verified<ApprovedIndex>>,
    /// At least one.
    manifests: Vec<One>,
}

/// The same for one architecture.
struct One {
    config: ExtensionConfig,
    cleared: Cleared,
}

impl Version {
    fn verify(trust: &Trust, layout: &Layout, found: &Found) -> Result<Version, Failure> {
        if found.manifests.is_empty() {
            found.check_whole()?;
        }
        let index =
            found.index.as_ref().map(|index| believe_index(trust, layout, index, &found.manifests[0]));
        let index = index.transpose()?;
        let manifests: Vec<One> =
            found.manifests.iter().map(|one| One::verify(trust, layout, one)).collect::<Result<_, _>>()?;
        if let Some(index) = &found.index {
            check_agreement(index, found.manifests.iter().zip(manifests.iter().map(|one| &one.config)))?;
        }
        Ok(Version { index, manifests })
    }

    fn tell(&self) {
        for One { config, cleared } in &self.manifests {
            let ExtensionConfig { name, version, arch, .. } = config;
            let what = match self.index {
                Some(_) => format!("{name} {version} for {arch}"),
                None => format!("{name} {version}"),
            };
            tell(&what, cleared.approval(), ", and its image is the one that was signed");
        }
        if let Some(index) = &self.index {
            let ExtensionConfig { name, version, .. } = &self.manifests[0].config;
            tell(&format!("the index of {name} {version}"), index, "");
        }
    }

    fn describe(&self, found: &Found) -> Value {
        let One { config, cleared } = &self.manifests[0];
        let (signers, developer) = match &self.index {
            Some(index) => (index.signers(), index.developer()),
            None => (cleared.approval().signers(), cleared.approval().developer()),
        };
        let mut value = json!({
            "name": config.name, "version": config.version, "digest": found.named().digest,
            "signers": signers, "developer": developer,
        });
        if self.index.is_some() {
            let each = found.manifests.iter().zip(&self.manifests);
            value["manifests"] = each.map(|(manifest, one)| one.describe(manifest)).collect();
            value["absent"] = found.absent.iter().map(|absent| json!(absent.digest)).collect();
        }
        value
    }
}

impl One {
    /// The order is the one of the boot program: nothing of the artifact is parsed before its signature is believed.
    fn verify(trust: &Trust, layout: &Layout, manifest: &Descriptor) -> Result<One, Failure> {
        let approval = believe(trust, layout, manifest)?;
        let config = read_whole(layout, manifest, &[])?.config;
        let cleared = clear(trust, approval, &config).map_err(Refused::because)?;
        Ok(One { config, cleared })
    }

    fn describe(&self, manifest: &Descriptor) -> Value {
        let approval = self.cleared.approval();
        json!({
            "arch": self.config.arch, "digest": manifest.digest,
            "signers": approval.signers(), "developer": approval.developer(),
        })
    }
}

fn believe(trust: &Trust, layout: &Layout, manifest: &Descriptor) -> Result<Verified<Approval>, Failure> {
    let (name, bundles) = (name_of(layout, manifest)?, bundles(layout, manifest));
    Ok(verify_extension(trust, &name, &manifest.digest, &bundles).map_err(Refused::because)?)
}

/// An index goes by the name of what it lists, which must be the same for all.
fn believe_index(
    trust: &Trust,
    layout: &Layout,
    index: &Descriptor,
    first: &Descriptor,
) -> Result<Verified<ApprovedIndex>, Failure> {
    let (name, bundles) = (name_of(layout, first)?, bundles(layout, index));
    Ok(verify_index(trust, &name, &index.digest, &bundles).map_err(Refused::because_of_index)?)
}

fn bundles(layout: &Layout, document: &Descriptor) -> Vec<Vec<u8>> {
    let signatures = layout.signatures(&document.digest);
    warn_of_broken(&signatures.skipped, "cannot be read");
    signatures.bundles
}

/// The name that the layout lists a manifest under. The signature is for a name, and the config has it too.
fn name_of(layout: &Layout, manifest: &Descriptor) -> Result<ExtensionName, Failure> {
    let listed = layout.extensions().into_iter().find(|entry| entry.descriptor.digest == manifest.digest);
    let Some(entry) = listed else {
        let sentence = format!("{} is not listed as an extension", manifest.digest);
        let reason = Reason::new(ReasonCode::MalformedArtifact, sentence);
        return Err(Refused { of: "", reason }.into());
    };
    Ok(entry.name)
}

fn tell<T>(what: &str, verified: &Verified<T>, more: &str) {
    match verified.developer() {
        Some(by) => terminal::warning(&format!("{what} needs no signature: developer override {by}")),
        None => terminal::success(&format!("{what} is signed by {}{more}", verified.signers().join(", "))),
    }
}

/// The policy does not admit it.
#[derive(Debug, thiserror::Error)]
#[error("{of}{} ({})", reason.sentence, reason.code)]
struct Refused {
    of: &'static str,
    reason: Reason,
}

impl Refused {
    fn because(refusal: Refusal) -> Refused {
        Refused { of: "", reason: refusal.reason() }
    }

    fn because_of_index(refusal: Refusal) -> Refused {
        Refused { of: "of the index: ", reason: refusal.reason() }
    }
}

impl Diagnose for Refused {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        self.reason.hint.clone()
    }
}

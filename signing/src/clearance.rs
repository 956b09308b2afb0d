//! The second half of the verdict: what the signed config says, held against the approval and the policy.

use spec::artifact::ExtensionConfig;
use spec::defence::{self, Threat};
use spec::{ExtensionName, Grant};

use crate::policy::{Role, TrustedKey};
use crate::refusal::Refusal;
use crate::trust::Trust;
use crate::verify::{Approval, Authority, Verified};

/// An extension whose manifest *and* config may be used: it is the one that was approved, nothing in it is older than
/// the policy allows, and it carries only what those who signed it may let in. Only [`clear`] makes one.
///
/// ```compile_fail,E0423
/// fn forge(approval: signing::Verified<signing::Approval>) -> signing::Cleared {
///     signing::Cleared(approval)
/// }
/// ```
#[derive(Debug)]
pub struct Cleared(Verified<Approval>);

impl Cleared {
    /// What was approved, and by whom.
    pub fn approval(&self) -> &Verified<Approval> {
        &self.0
    }
}

/// Decides whether an approved extension may be used with this config: the one of the approved manifest, which the caller
/// has read by its digest.
pub fn clear(
    trust: &Trust,
    approval: Verified<Approval>,
    config: &ExtensionConfig,
) -> Result<Cleared, Refusal> {
    check_name(&approval, config)?;
    check_generations(trust, config)?;
    check_grants(trust, &approval, config)?;
    Ok(Cleared(approval))
}

fn check_name(approval: &Verified<Approval>, config: &ExtensionConfig) -> Result<(), Refusal> {
    let wanted = &approval.value().name;
    match config.name == *wanted {
        true => Ok(()),
        false => Err(Refusal::OtherConfig { wanted: wanted.clone(), found: config.name.clone() }),
    }
}

/// A component that the extension does not name is none of its business, but for itself: nobody gets around a floor by
/// leaving the number out, which is then 0.
fn check_generations(trust: &Trust, config: &ExtensionConfig) -> Result<(), Refusal> {
    let generation = |component: &ExtensionName| match config.generations.get(component) {
        None if *component == config.name => Some(0),
        named => named.copied(),
    };
    let too_low = trust.floors().iter().find_map(|(component, floor)| {
        generation(component).filter(|found| found < floor).map(|found| (component.clone(), *floor, found))
    });
    match too_low.filter(|_| defence::stands(Threat::C12)) {
        None => Ok(()),
        Some((component, floor, found)) => {
            Err(Refusal::TooOld { name: config.name.clone(), component, floor, found })
        }
    }
}

/// Enough of the keys that have signed must each let in all that it carries.
fn check_grants(
    trust: &Trust,
    approval: &Verified<Approval>,
    config: &ExtensionConfig,
) -> Result<(), Refusal> {
    let threshold = trust.policy().thresholds().of(Role::Publisher);
    let refused = match approval.authority() {
        Authority::Keys(keys) => {
            let lets_in = |key: &&TrustedKey| config.grants.iter().all(|grant| key.may_grant(grant));
            let enough = keys.iter().filter(lets_in).count() >= threshold;
            let by_all = |grant: &&Grant| !keys.iter().all(|key| key.may_grant(grant));
            config.grants.iter().find(by_all).filter(|_| !enough)
        }
        Authority::Developer(developer) => config.grants.iter().find(|grant| !developer.may_grant(grant)),
    };
    match refused.filter(|_| defence::stands(Threat::C10)) {
        None => Ok(()),
        Some(grant) => Err(Refusal::NotGranted {
            name: config.name.clone(),
            grant: grant.clone(),
            by: approval.authority().names(),
        }),
    }
}

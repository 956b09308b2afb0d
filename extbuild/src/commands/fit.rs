//! What is demanded of an extension before it is signed or sent.

use catalog::{Descriptor, Layout};
use kabi::{SignatureRule, TrustedKey};
use terminal::Failure;

use super::whole::read_whole;
use crate::cli::RequireFitArgs;
use crate::ground::{self, Facts, Ground};

impl RequireFitArgs {
    /// Reads the whole artifact, which must fit each of the kernels; says what is worth a second look. Modules that one of
    /// them has a key for must be as they were signed.
    pub(crate) fn read(&self, layout: &Layout, manifest: &Descriptor) -> Result<Facts, Failure> {
        let signatures = if self.sig_enforce { SignatureRule::Enforced } else { SignatureRule::AsBuilt };
        let grounds =
            self.kernels.iter().map(|kernel| Ground::open(kernel)).collect::<Result<Vec<_>, _>>()?;
        let facts = read_whole(layout, manifest, &keys(&grounds))?;
        let with = Facts::of_all(&self.with)?;
        for ground in &grounds {
            let host = ground.host(signatures, &[]);
            ground::note(&ground::require(&host, facts.candidate(), &with)?);
        }
        Ok(facts)
    }
}

/// The keys that the kernels have together.
pub(super) fn keys(grounds: &[Ground]) -> Vec<TrustedKey> {
    grounds.iter().flat_map(|ground| ground.profile.keys()).cloned().collect()
}

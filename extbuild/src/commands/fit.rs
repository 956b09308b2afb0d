//! What is demanded of an extension before it is signed or sent.

use catalog::platforms::check_agreement;
use catalog::{Descriptor, Found, Layout};
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

    /// The same for all manifests of what was found; those of an index must be what it says they are.
    pub(crate) fn read_all(&self, layout: &Layout, found: &Found) -> Result<Vec<Facts>, Failure> {
        found.check_whole()?;
        let facts: Vec<Facts> =
            found.manifests.iter().map(|manifest| self.read(layout, manifest)).collect::<Result<_, _>>()?;
        if let Some(index) = &found.index {
            let configs = facts.iter().map(|facts| &facts.config);
            check_agreement(index, found.manifests.iter().zip(configs))?;
        }
        Ok(facts)
    }
}

/// The keys that the kernels have together.
pub(super) fn keys(grounds: &[Ground]) -> Vec<TrustedKey> {
    grounds.iter().flat_map(|ground| ground.profile.keys()).cloned().collect()
}

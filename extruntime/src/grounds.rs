//! Gathering what a judgement rests on, at boot and for `extruntime plan`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use catalog::{CatalogError, TrustFiles};
use signing::{Moment, Occasion, PolicyError, Trust, TrustPolicy, Updates};
use spec::artifact::limits;
use spec::machine::{self, ExtensionsConfig, MachineError};
use spec::{Diagnose, Digest, Outcome, Reason, ReasonCode};

use crate::admit::Grounds;
use crate::cannot::Cannot;
use crate::facts::{BaseFacts, FactsError};
use crate::files;
use crate::offer::{Offer, StorePlace};

/// Where the grounds of a judgement are.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) store: StorePlace,
    /// The policy that is pinned.
    pub(crate) trust: PathBuf,
    /// The directories of what its keys have signed since.
    pub(crate) updates: Vec<PathBuf>,
    pub(crate) occasion: Occasion,
}

/// The machine config at boot. A missing or broken one must not end the boot: then nothing is wanted, and the note says
/// why.
pub(crate) fn machine_config(file: &Path) -> (ExtensionsConfig, Vec<String>) {
    match read_config(file) {
        Ok(config) => (config, Vec::new()),
        Err(error) => {
            (ExtensionsConfig::default(), vec![format!("the base runs alone: {}", spec::sentence(&error))])
        }
    }
}

/// Reads a machine config.
pub(crate) fn read_config(file: &Path) -> Result<ExtensionsConfig, ConfigError> {
    let text = files::read_text(file, limits::CONFIG)?;
    Ok(machine::parse(&text, &file.display().to_string())?)
}

/// Places of a set, with a policy that is not of the same hand.
pub(crate) fn places(offer: &Offer, trust: &Path) -> Places {
    Places {
        store: offer.store.clone(),
        trust: trust.to_owned(),
        updates: offer.updates.clone(),
        occasion: Occasion::Boot(Moment::of(SystemTime::now())),
    }
}

/// Reads everything that does not depend on a single extension.
pub(crate) fn gather(
    config: ExtensionsConfig,
    places: &Places,
    base: Arc<BaseFacts>,
) -> Result<Grounds, GroundsError> {
    let Places { store, trust, updates, occasion } = places;
    let trust = establish(trust, updates, *occasion)?;
    let store = store.open()?;
    Ok(Grounds { config, store, trust, base })
}

/// What is trusted: the pinned policy with its updates. Updates that cannot be read change nothing.
fn establish(policy: &Path, updates: &[PathBuf], occasion: Occasion) -> Result<Trust, GroundsError> {
    let text = files::read_text(policy, limits::CONFIG).map_err(GroundsError::TrustRead)?;
    let policy = TrustPolicy::parse(&text, &policy.display().to_string())?;
    let (files, unread) = read_updates(updates);
    let mut trust = Trust::establish(policy, &Updates::of_files(files), occasion);
    unread.iter().for_each(|error| trust.note(spec::sentence(error)));
    Ok(trust)
}

/// The files of all directories. Sets of one node mostly come with the same ones, and each counts once.
fn read_updates(directories: &[PathBuf]) -> (Vec<(String, Vec<u8>)>, Vec<CatalogError>) {
    let (mut known, mut files, mut unread) = (BTreeSet::new(), Vec::new(), Vec::new());
    for directory in directories {
        match TrustFiles::read(directory) {
            Ok(TrustFiles { files: found, skipped }) => {
                files.extend(found.into_iter().filter(|(_, bytes)| known.insert(Digest::of(bytes))));
                unread.extend(skipped);
            }
            Err(error) => unread.push(error),
        }
    }
    (files, unread)
}

/// Why there is no machine config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] Cannot),
    /// It is not sound.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

impl Diagnose for ConfigError {
    fn outcome(&self) -> Outcome {
        match self {
            ConfigError::Read(error) => error.outcome(),
            ConfigError::Machine(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Read(error) => error.hint(),
            ConfigError::Machine(error) => error.hint(),
        }
    }
}

/// Why no extension can be judged.
#[derive(Debug, thiserror::Error)]
pub enum GroundsError {
    /// The base does not say what it is.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// There is no trust policy.
    #[error(transparent)]
    TrustRead(Cannot),
    /// The trust policy is not sound.
    #[error(transparent)]
    Trust(#[from] PolicyError),
    /// There is no store.
    #[error(transparent)]
    Store(#[from] CatalogError),
}

impl GroundsError {
    /// The error as the reason why every extension stays out.
    pub(crate) fn reason(&self) -> Reason {
        let code = match self {
            GroundsError::Facts(_) => ReasonCode::ActivationFailed,
            GroundsError::TrustRead(_) | GroundsError::Trust(_) => ReasonCode::KeyUnknown,
            GroundsError::Store(error) => error.reason_code(),
        };
        Reason { hint: self.hint(), ..Reason::new(code, spec::sentence(self)) }
    }
}

impl Diagnose for GroundsError {
    fn outcome(&self) -> Outcome {
        match self {
            GroundsError::Facts(error) => error.outcome(),
            GroundsError::TrustRead(error) => error.outcome(),
            GroundsError::Trust(error) => error.outcome(),
            GroundsError::Store(error) => error.outcome(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            GroundsError::Facts(error) => error.hint(),
            GroundsError::TrustRead(error) => error.hint(),
            GroundsError::Trust(error) => error.hint(),
            GroundsError::Store(error) => error.hint(),
        }
    }
}

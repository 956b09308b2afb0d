//! A system that runs, or that is about to: its root, and what is known about it as a base.

use std::path::PathBuf;
use std::sync::Arc;

use generations::BaseIdentity;
use kabi::SignatureRule;
use spec::base::{BaseDescription, files};
use spec::{Diagnose, Outcome};

use crate::activation::{INDEXED, Present};
use crate::base::{self, BaseError};
use crate::facts::{BaseFacts, FactFiles, FactsError};
use crate::identity;
use crate::places::Run;
use crate::running::{Running, RunningError};

/// Where a system is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct System {
    /// Its root: `/`, or where an initrd has mounted it.
    pub(crate) root: PathBuf,
    /// A base directory with the facts about it; those in its root are taken where there is none.
    pub(crate) base: Option<PathBuf>,
}

/// What is known about it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) description: Option<BaseDescription>,
    pub(crate) facts: Arc<BaseFacts>,
}

impl System {
    /// The system as it was before anything was laid over it, with the kernel that runs.
    pub(crate) fn look(&self, present: &Present) -> Result<Known, SystemError> {
        let root = if present.covered.contains(&INDEXED) { Run::base() } else { self.root.clone() };
        let files = match &self.base {
            Some(directory) => FactFiles::in_directory(directory).and_root(root),
            None => FactFiles::in_root(&root),
        };
        let facts = Arc::new(BaseFacts::read(&files, Running::look()?)?);
        Ok(Known { description: self.description()?, facts })
    }

    fn description(&self) -> Result<Option<BaseDescription>, BaseError> {
        self.base.as_ref().map(|directory| base::parse(&directory.join(files::DESCRIPTION))).transpose()
    }
}

impl Known {
    /// A base that is not running yet, by the directory that `extbuild base` wrote.
    pub(crate) fn of_base(
        directory: &std::path::Path,
        signatures: SignatureRule,
    ) -> Result<Known, SystemError> {
        let description = base::parse(&directory.join(files::DESCRIPTION))?;
        let kernel =
            Running { arch: description.arch, release: description.kernel.clone(), build: None, signatures };
        let facts = Arc::new(BaseFacts::read(&FactFiles::in_directory(directory), kernel)?);
        Ok(Known { description: Some(description), facts })
    }

    /// Which base it is.
    pub(crate) fn identity(&self) -> BaseIdentity {
        identity::of(self.description.as_ref(), &self.facts)
    }

    /// What it is called, for people.
    pub(crate) fn name(&self) -> String {
        self.description.as_ref().map_or_else(|| "the running system".to_owned(), BaseDescription::to_string)
    }
}

/// Nothing is known about a system.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemError {
    #[error(transparent)]
    Kernel(#[from] RunningError),
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl SystemError {
    fn inner(&self) -> &dyn Diagnose {
        match self {
            SystemError::Kernel(error) => error,
            SystemError::Base(error) => error,
            SystemError::Facts(error) => error,
        }
    }
}

impl Diagnose for SystemError {
    fn outcome(&self) -> Outcome {
        self.inner().outcome()
    }

    fn hint(&self) -> Option<String> {
        match self {
            SystemError::Facts(_) => Some(
                "the root has to be of a base that extbuild base made, or its directory named with --base"
                    .into(),
            ),
            other => other.inner().hint(),
        }
    }
}

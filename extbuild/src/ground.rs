//! What extensions are held against: a base, a kernel, or a profile of one.

use std::path::{Path, PathBuf};

use catalog::Artifact;
use kabi::{Candidate, Fits, Host, Profile, Record, SignatureRule, Verdict};
use spec::artifact::{ExtensionConfig, limits};
use spec::base::files;
use spec::listing::Listing;
use spec::{Diagnose, KernelRelease, ModuleName, Outcome, Reason};
use terminal::{Failure, Place};

use crate::base_dir::Base;
use crate::kernel::Kernel;

/// A base or a kernel, as far as it is known.
#[derive(Debug)]
pub(crate) struct Ground {
    /// Where it was read from, for people.
    pub path: PathBuf,
    /// The kernel.
    pub profile: Profile,
    /// The modules of a base, where there is one.
    modules: Option<Record>,
    /// The paths of a base, where there is one.
    paths: Option<Listing>,
}

impl Ground {
    /// Reads the directory of a base, the directory of a kernel, or a kernel profile.
    pub(crate) fn open(path: &Path) -> Result<Ground, Failure> {
        let of_kernel = |profile| Ground { path: path.to_owned(), profile, modules: None, paths: None };
        if path.join(files::DESCRIPTION).is_file() {
            let Base { description: _, profile, modules, paths } = Base::open(path)?;
            return Ok(Ground { path: path.to_owned(), profile, modules: Some(modules), paths: Some(paths) });
        }
        if path.is_dir() {
            return Ok(of_kernel(Kernel::open(path)?.profile));
        }
        let bytes = terminal::read_regular(path, limits::FACTS).map_err(Place::cannot("read", path))?;
        let profile =
            Profile::parse(&bytes).map_err(|source| NotProfile { path: path.to_owned(), source })?;
        Ok(of_kernel(profile))
    }

    /// The same for the judge; `others` were not chosen and could be.
    pub(crate) fn host<'a>(&'a self, signatures: SignatureRule, others: &'a [Candidate<'a>]) -> Host<'a> {
        let Ground { path: _, profile, modules, paths } = self;
        Host { profile, modules: modules.as_ref(), paths: paths.as_ref(), signatures, others }
    }
}

/// An extension as far as it is judged.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Its config.
    pub config: ExtensionConfig,
    /// Its modules.
    pub record: Record,
    /// Its paths.
    pub paths: Listing,
}

impl Facts {
    /// Those of an artifact.
    pub(crate) fn of(artifact: Artifact) -> Result<Facts, Failure> {
        let record = Facts::record(&artifact)?;
        Ok(Facts { config: artifact.config, record, paths: artifact.paths })
    }

    /// The modules of an artifact.
    pub(crate) fn record(artifact: &Artifact) -> Result<Record, Failure> {
        Ok(artifact.kabi.as_deref().map(Record::parse).transpose()?.unwrap_or_default())
    }

    /// The names of its modules.
    pub(crate) fn module_names(&self) -> impl Iterator<Item = ModuleName> {
        self.record.modules().iter().map(|module| module.name.clone())
    }

    /// The same for the judge.
    pub(crate) fn candidate(&self) -> Candidate<'_> {
        Candidate::new(&self.config, &self.record, &self.paths)
    }
}

/// Demands that one extension fits each of the kernels. What is worth a second look comes back.
pub(crate) fn require(
    facts: &Facts,
    grounds: &[Ground],
    signatures: SignatureRule,
) -> Result<Vec<Fits>, Failure> {
    let mut fits = Vec::new();
    for ground in grounds {
        for verdict in kabi::judge(&ground.host(signatures, &[]), &[facts.candidate()]) {
            match verdict {
                Verdict::Fits(proof) => fits.push(proof),
                Verdict::Unfit(reasons) => {
                    let kernel = ground.profile.release().clone();
                    return Err(Unfit { name: facts.config.name.to_string(), kernel, reasons }.into());
                }
            }
        }
    }
    Ok(fits)
}

/// A file is not a profile.
#[derive(Debug, thiserror::Error)]
#[error("{} is neither the directory of a base or a kernel nor a kernel profile", path.display())]
struct NotProfile {
    path: PathBuf,
    source: kabi::ProfileError,
}

impl Diagnose for NotProfile {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("make a profile with extbuild kernel profile".into())
    }
}

/// An extension does not fit a kernel that it must fit.
#[derive(Debug, thiserror::Error)]
#[error("extension {name} does not fit {kernel}:{}", sentences(reasons))]
pub(crate) struct Unfit {
    pub name: String,
    pub kernel: KernelRelease,
    pub reasons: Vec<Reason>,
}

impl Diagnose for Unfit {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        self.reasons.first().and_then(|reason| reason.hint.clone())
    }
}

/// How many things of a kind an error names.
const SHOWN: usize = 5;

/// The first reasons, each in a line of its own.
pub(crate) fn sentences(reasons: &[Reason]) -> String {
    let mut text: String = reasons.iter().take(SHOWN).map(|reason| format!("\n  {reason}")).collect();
    if reasons.len() > SHOWN {
        text += &format!("\n  and {} more", reasons.len() - SHOWN);
    }
    text
}

/// Says what is worth a second look.
pub(crate) fn note(notes: &[Reason]) {
    for note in notes.iter().take(SHOWN) {
        terminal::note(&note.to_string());
    }
    if notes.len() > SHOWN {
        terminal::note(&format!("and {} more of this kind", notes.len() - SHOWN));
    }
}

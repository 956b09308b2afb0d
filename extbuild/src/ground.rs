//! What extensions are held against: a base, a kernel, or a profile of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use catalog::{Artifact, Reference};
use kabi::{Candidate, Host, Profile, Record, SignatureRule, Verdict};
use spec::artifact::ExtensionConfig;
use spec::base::files;
use spec::listing::Listing;
use spec::{Diagnose, KernelRelease, ModuleName, Outcome, Reason, ReasonCode};
use terminal::Failure;

use crate::base_dir::Base;
use crate::commands::find;
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
        Ok(of_kernel(Kernel::open(path)?.profile))
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

    /// Those of the artifacts that are meant.
    pub(crate) fn of_all(references: &[Reference]) -> Result<Vec<Facts>, Failure> {
        let read = |reference: &Reference| {
            let (layout, manifest) = find(reference.clone())?;
            Facts::of(layout.read_extension(&manifest)?)
        };
        references.iter().map(read).collect()
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

/// Demands that the extension fits the host, together with those that will be there too. What is worth a second look
/// comes back.
pub(crate) fn require(host: &Host<'_>, own: Candidate<'_>, with: &[Facts]) -> Result<Vec<Reason>, Unfit> {
    let candidates: Vec<Candidate<'_>> = with.iter().map(Facts::candidate).chain([own]).collect();
    match kabi::judge(host, &candidates).pop().expect("one verdict comes for each candidate") {
        Verdict::Fits(fits) => Ok(fits.notes().to_vec()),
        Verdict::Unfit(reasons) => {
            let (name, kernel) = (own.name.to_string(), host.profile.release().clone());
            Err(Unfit { name, kernel, reasons })
        }
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

/// How many things an error names.
const SHOWN: usize = 5;
/// How many notes of one kind are shown.
const SHOWN_OF_KIND: usize = 2;

/// The first reasons, each in a line of its own.
pub(crate) fn sentences(reasons: &[Reason]) -> String {
    let mut text: String = reasons.iter().take(SHOWN).map(|reason| format!("\n  {reason}")).collect();
    if reasons.len() > SHOWN {
        text += &format!("\n  and {} more", reasons.len() - SHOWN);
    }
    text
}

/// Says what is worth a second look, the first few of each kind.
pub(crate) fn note(notes: &[Reason]) {
    let mut kinds: BTreeMap<ReasonCode, Vec<&Reason>> = BTreeMap::new();
    for note in notes {
        kinds.entry(note.code).or_default().push(note);
    }
    for notes in kinds.values() {
        for note in notes.iter().take(SHOWN_OF_KIND) {
            terminal::note(&note.to_string());
        }
        if notes.len() > SHOWN_OF_KIND {
            terminal::note(&format!("and {} more of this kind", notes.len() - SHOWN_OF_KIND));
        }
        if let Some(hint) = notes.iter().find_map(|note| note.hint.as_deref()) {
            terminal::hint(hint);
        }
    }
}

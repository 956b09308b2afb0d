//! What `kabi` says about the modules that a kernel is asked about.

use std::fs;

use kabi::signature::{self, SignatureError};
use kabi::{
    Candidate, Exports, Host, KernelFacts, KernelImage, KernelOptions, Module, Profile, Record,
    SignatureRule, Verdict,
};
use spec::{ExtensionName, ModuleName, Reason, TreePath};

use super::condition::Condition;
use super::craft;
use super::job::{Group, Job};
use super::kernel::Kernel;
use super::loader::Objection;
use super::question::{Answer, Force, Outcome, Purpose, Question};
use crate::Error;

/// A kernel as `kabi` knows it.
pub(super) struct Ground {
    profile: Profile,
}

impl Ground {
    /// Reads image, configuration and modules of a kernel.
    ///
    /// # Errors
    /// [`Error::Truth`] with what `kabi` cannot read, [`Error::File`].
    pub(super) fn of(kernel: &Kernel) -> Result<Ground, Error> {
        let read = |path: std::path::PathBuf| fs::read(&path).map_err(Error::file("read", path));
        let text = |path| Ok::<_, Error>(String::from_utf8_lossy(&read(path)?).into_owned());
        let image = KernelImage::parse(&read(kernel.image())?).map_err(unreadable)?;
        let mut exports = Exports::default();
        exports.add_kernel(image.exports).map_err(unreadable)?;
        let (mut vermagic, mut layout) = (None, None);
        for shipped in kernel.modules() {
            let path = shipped.path.parse().map_err(unreadable)?;
            let module = Module::parse(&path, &read(shipped.file.clone())?).map_err(unreadable)?;
            exports.add_module(None, &module).map_err(unreadable)?;
            vermagic = vermagic.or(module.vermagic);
            // A module without a start function has no offset of it.
            layout = layout.or(module.layout.filter(|layout| layout.init.is_some() && layout.exit.is_some()));
        }
        let config = kernel.root().join("boot").join(format!("config-{}", kernel.release()));
        let builtins = kernel.tree().join("modules.builtin");
        let facts = KernelFacts {
            vermagic,
            build_id: image.build_id,
            layout,
            options: KernelOptions::from_config(&text(config)?).map_err(unreadable)?,
            builtins: kabi::read_builtins(&text(builtins)?).map_err(unreadable)?,
            keys: image.keys,
        };
        let profile = Profile::new(image.release, image.arch, exports, facts);
        // As the verdicts are made everywhere else: from what is in a file.
        Ok(Ground { profile: Profile::parse(&profile.to_bytes()).map_err(unreadable)? })
    }

    fn host<'a>(&'a self, loaded: &'a Record, condition: Condition) -> Host<'a> {
        let signatures = match condition {
            Condition::AsBuilt => SignatureRule::AsBuilt,
            Condition::SigEnforce | Condition::Lockdown => SignatureRule::Enforced,
        };
        Host { signatures, ..Host::base(&self.profile, loaded) }
    }

    /// Reads the module of a question, as if it were installed for this kernel; or says why it cannot be used at all.
    fn read(
        &self,
        question: &Question,
        condition: Condition,
    ) -> Result<Result<Module, Vec<Objection>>, Error> {
        let bytes = fs::read(&question.file).map_err(Error::file("read", &question.file))?;
        let path = format!("/usr/lib/modules/{}/updates/{}.ko", self.profile.release(), question.module);
        let path: TreePath = path.parse().map_err(unreadable)?;
        let module = match Module::parse(&path, &bytes) {
            Ok(module) => module,
            Err(error) => {
                let unsigned = Objection::of_unsigned_file(condition).filter(|_| !craft::is_signed(&bytes));
                let problem = Objection::of_problem(&error.problem, bytes.is_empty());
                return Ok(Err(unsigned.into_iter().chain([problem]).collect()));
            }
        };
        Ok(match self.bad_signature(&module, &bytes) {
            Some(error) => Err(vec![Objection::of_bad_signature(error.to_string())]),
            None => Ok(module),
        })
    }

    /// What builders ask before they take a module.
    fn bad_signature(&self, module: &Module, bytes: &[u8]) -> Option<SignatureError> {
        let signature = module.signature.as_ref()?;
        let mut keys = self.profile.keys().iter().filter(|key| key.is_named_by(signature));
        keys.find_map(|key| signature::verify(bytes, &key.spki).err())
    }

    fn objections(&self, verdict: &Verdict, condition: Condition) -> Vec<Objection> {
        let objection = |reason: &Reason| {
            let name: Option<ModuleName> = reason.subject.as_ref().and_then(|subject| subject.parse().ok());
            Objection::of_reason(reason, condition, name.is_some_and(|name| self.profile.is_builtin(&name)))
        };
        match verdict {
            Verdict::Fits(_) => Vec::new(),
            Verdict::Unfit(reasons) => reasons.iter().map(objection).collect(),
        }
    }
}

/// What we hold against each module of a job, in the order of its questions, given what was loaded in the machine.
///
/// # Errors
/// [`Error::File`], [`Error::Truth`].
pub(super) fn objections(
    job: &Job<'_>,
    answers: &[Answer],
    ground: &Ground,
) -> Result<Vec<Vec<Objection>>, Error> {
    match job.group {
        Group::InTree => as_a_set(job, answers, ground),
        Group::Foreign | Group::Crafted | Group::OutOfTree => one_by_one(job, answers, ground),
    }
}

/// Each module alone, in a base that ships what stayed loaded before it.
fn one_by_one(job: &Job<'_>, answers: &[Answer], ground: &Ground) -> Result<Vec<Vec<Objection>>, Error> {
    let mut loaded = Record::default();
    let mut all = Vec::new();
    for (question, answer) in job.questions.iter().zip(answers) {
        let module = ground.read(question, job.condition)?;
        all.push(match &module {
            Ok(module) => verdict_of(module, question.force, ground, job.condition, &loaded)?,
            Err(objections) => objections.clone(),
        });
        if let (Ok(module), true) = (module, question.stays(answer)) {
            loaded = record(loaded.modules().iter().cloned().chain([module]).collect())?;
        }
    }
    Ok(all)
}

/// What we hold against one module, on a kernel where these are loaded.
fn verdict_of(
    module: &Module,
    force: Force,
    ground: &Ground,
    condition: Condition,
    loaded: &Record,
) -> Result<Vec<Objection>, Error> {
    let record = record(vec![module.clone()])?;
    let names = [module.name.clone()];
    let force = if force == Force::Allowed { &names[..] } else { &[] };
    let name = extension(0)?;
    let candidate = Candidate { force, ..candidate(&name, &record, ground) };
    let verdicts = kabi::judge(&ground.host(loaded, condition), &[candidate]);
    Ok(verdicts.iter().flat_map(|verdict| ground.objections(verdict, condition)).collect())
}

/// All modules at once, each as an extension of its own, in a base that ships none. Those whose start failed export
/// nothing to the others, unless a copy without start stands in.
fn as_a_set(job: &Job<'_>, answers: &[Answer], ground: &Ground) -> Result<Vec<Vec<Objection>>, Error> {
    let stands_in = |module: &ModuleName| {
        let mut both = job.questions.iter().zip(answers);
        both.any(|(question, answer)| question.module == *module && question.stays(answer))
    };
    let failed: Vec<bool> = (job.questions.iter().zip(answers))
        .map(|(question, answer)| {
            matches!(answer.outcome, Outcome::StartFailed(_)) && !stands_in(&question.module)
        })
        .collect();
    let all = verdicts_of_set(job, ground, |_| true)?;
    let without_failed = verdicts_of_set(job, ground, |index| !failed[index])?;
    let choose = |(index, (all, without))| if failed[index] { all } else { without };
    Ok(all.into_iter().zip(without_failed).enumerate().map(choose).collect())
}

fn verdicts_of_set(
    job: &Job<'_>,
    ground: &Ground,
    is_in: impl Fn(usize) -> bool,
) -> Result<Vec<Vec<Objection>>, Error> {
    let mut all = vec![Vec::new(); job.questions.len()];
    let mut set: Vec<(usize, ExtensionName, Record)> = Vec::new();
    for (index, question) in job.questions.iter().enumerate() {
        if !is_in(index) || question.purpose != Purpose::Compare {
            continue;
        }
        match ground.read(question, job.condition)? {
            Ok(module) => set.push((index, extension(index)?, record(vec![module])?)),
            Err(objections) => all[index] = objections,
        }
    }
    let candidates: Vec<Candidate<'_>> =
        set.iter().map(|(_, name, record)| candidate(name, record, ground)).collect();
    let verdicts = kabi::judge(&ground.host(&Record::default(), job.condition), &candidates);
    for ((index, ..), verdict) in set.iter().zip(&verdicts) {
        all[*index] = ground.objections(verdict, job.condition);
    }
    Ok(all)
}

/// An extension that is nothing but its modules.
fn candidate<'a>(name: &'a ExtensionName, record: &'a Record, ground: &'a Ground) -> Candidate<'a> {
    Candidate { name, kernel: Some(ground.profile.release()), record, paths: None, force: &[], group: None }
}

fn extension(index: usize) -> Result<ExtensionName, Error> {
    format!("module-{index}").parse().map_err(unreadable)
}

fn record(modules: Vec<Module>) -> Result<Record, Error> {
    Record::new(modules).map_err(unreadable)
}

fn unreadable(error: impl std::error::Error) -> Error {
    Error::Truth(spec::sentence(&error))
}

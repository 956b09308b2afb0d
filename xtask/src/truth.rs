//! `cargo xtask truth`: do our verdicts about modules agree with the kernel?
//!
//! Real kernels run in QEMU and are asked to load modules: all that they ship, all that another kernel ships, modules
//! that are wrong in one point each, and one that was built from sources of its own; as they were built, with
//! `module.sig_enforce=1`, and locked down. What the loader says is held against what `kabi` says.
//!
//! Answers are kept in `target/truth`, and given again while nothing changes that they depend on.

mod compare;
mod condition;
mod craft;
mod errno;
mod job;
mod kernel;
mod loader;
mod machine;
mod question;
mod report;
mod verdict;

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use spec::ModuleName;

use crate::progress::seconds;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, inputs, packages, programs};
use condition::Condition;
use job::{Group, Job};
use kernel::Kernel;
use question::Answer;
use report::Report;
use verdict::Ground;

/// What to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// How the release of the only kernel to ask begins.
    kernel: Option<String>,
    /// About how many modules of a kernel's own to ask.
    sample: Option<NonZeroUsize>,
}

impl Truth {
    /// Reads `--kernel RELEASE` and `--sample N`.
    ///
    /// # Errors
    /// [`Error::UnknownChore`].
    pub fn parse(words: &[&str]) -> Result<Truth, Error> {
        let unknown = || Error::UnknownChore(format!("truth {}", words.join(" ")));
        let mut truth = Truth::default();
        let mut rest = words;
        loop {
            rest = match rest {
                [] => return Ok(truth),
                ["--kernel", release, rest @ ..] => {
                    truth.kernel = Some((*release).to_owned());
                    rest
                }
                ["--sample", number, rest @ ..] => {
                    truth.sample = Some(number.parse().map_err(|_| unknown())?);
                    rest
                }
                _ => return Err(unknown()),
            }
        }
    }

    /// Asks and compares.
    pub fn run(&self, workspace: &Workspace) -> ExitCode {
        let mut steps = Steps::default();
        let result = self.all(&mut steps, workspace);
        steps.finish(result)
    }

    fn all(&self, steps: &mut Steps, workspace: &Workspace) -> Result<(), Error> {
        steps.run("system packages", || packages::ensure(&[packages::TRUTH]))?;
        let inputs = steps.run("real inputs", || inputs::prepare(workspace))?;
        let init = steps.run("the guest's program", || programs::build_truth(workspace))?;
        // A sample must not take the place of answers to everything.
        let dir = workspace.target().join(if self.sample.is_none() { "truth" } else { "truth-sample" });
        let kernels = steps.run("kernels", || {
            let open = |root| Kernel::open(root, &dir.join("modules"));
            [inputs.kernel(), inputs.other_kernel()].into_iter().map(open).collect::<Result<Vec<_>, _>>()
        })?;
        let jobs = steps.run("questions", || self.jobs(&kernels, &dir))?;
        let answers = steps.run("answers", || answer_all(&jobs, &init, &dir))?;
        let report = steps.run("verdicts", || judge_all(&kernels, &jobs, answers))?;
        report.write(&dir.join("report.json"))?;
        println!("\n{}", report.text());
        match report.differences() {
            0 => Ok(()),
            number => Err(Error::Differences(number)),
        }
    }

    fn jobs<'a>(&self, kernels: &'a [Kernel], dir: &Path) -> Result<Vec<Job<'a>>, Error> {
        let mut jobs = Vec::new();
        let is_wanted = |kernel: &&Kernel| {
            self.kernel.as_ref().is_none_or(|wanted| kernel.release().as_str().starts_with(wanted))
        };
        for kernel in kernels.iter().filter(is_wanted) {
            let crafted_dir = dir.join("crafted");
            let chosen = |kernel: &'a Kernel| match self.sample {
                Some(size) => kernel.sample(size.get()),
                None => Ok(kernel.modules().iter().collect()),
            };
            let mut groups = vec![
                (Group::InTree, job::in_tree(kernel, &chosen(kernel)?, &crafted_dir)?),
                (Group::Crafted, craft::questions(kernel, &crafted_dir)?),
            ];
            for other in kernels.iter().filter(|other| other.release() != kernel.release()) {
                groups.push((Group::Foreign, job::foreign(&chosen(other)?)));
            }
            for condition in Condition::ALL {
                let job = |(group, questions): &(Group, Vec<_>)| Job { kernel, condition, group: *group, questions: questions.clone() };
                jobs.extend(groups.iter().map(job));
            }
        }
        Ok(jobs)
    }
}

/// Two machines at a time: each has one processor.
fn answer_all(jobs: &[Job<'_>], init: &Path, dir: &Path) -> Result<Vec<Vec<Answer>>, Error> {
    let waiting = Mutex::new(jobs.iter().enumerate());
    let done = Mutex::new(Vec::new());
    let work = || -> Result<(), Error> {
        loop {
            let next = waiting.lock().expect("nobody panics while he holds it").next();
            let Some((index, job)) = next else { return Ok(()) };
            let started = Instant::now();
            let answers = job.answers(init, dir)?;
            eprintln!("  {job}: {} answers ({})", answers.len(), seconds(started.elapsed()));
            done.lock().expect("nobody panics while he holds it").push((index, answers));
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        work().and(other.join().expect("no thread panics"))
    })?;
    let mut done = done.into_inner().expect("nobody holds it any more");
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, answers)| answers).collect())
}

fn judge_all(kernels: &[Kernel], jobs: &[Job<'_>], answers: Vec<Vec<Answer>>) -> Result<Report, Error> {
    let mut report = Report::default();
    for kernel in kernels {
        let ground = Ground::of(kernel)?;
        let of_kernel = jobs.iter().zip(&answers).filter(|(job, _)| job.kernel.release() == kernel.release());
        for (job, answers) in of_kernel {
            let objections = verdict::objections(job, answers, &ground)?;
            report.add(job, answers.clone(), objections);
        }
    }
    Ok(report)
}

fn module_name(name: &str) -> Result<ModuleName, Error> {
    name.parse().map_err(|_| Error::Truth(format!("no module is called {name}")))
}

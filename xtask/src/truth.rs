//! `cargo xtask truth`: do our verdicts about modules agree with the kernel?
//!
//! Real kernels run in QEMU and are asked to load modules: all that they ship, all that another kernel ships, modules
//! that are wrong in one point each, and one that was built from other sources; as the kernels were built, with
//! `module.sig_enforce=1`, and locked down. What the loader says is held against what `kabi` says.
//!
//! Answers are kept in `target/truth`, and given again while nothing changes that they depend on; all comparisons are
//! in `report.json` there.

mod compare;
mod condition;
mod craft;
mod errno;
mod job;
mod kernel;
mod loader;
mod machine;
mod out_of_tree;
mod plan;
mod question;
mod report;
mod verdict;

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::inputs::Inputs;
use crate::progress::seconds;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, inputs, packages, programs};
use job::Job;
use kernel::Kernel;
use plan::Scope;
use question::Answer;
use report::Report;
use verdict::Ground;

/// What to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// How the release of the only kernel to ask begins.
    kernel: Option<String>,
    /// About how many modules of each kernel to ask.
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
        for pair in words.chunks(2) {
            match pair {
                ["--kernel", release] => truth.kernel = Some((*release).to_owned()),
                ["--sample", number] => truth.sample = Some(number.parse().map_err(|_| unknown())?),
                _ => return Err(unknown()),
            }
        }
        Ok(truth)
    }

    /// Asks, judges, compares and prints what came of it.
    pub fn run(&self, workspace: &Workspace) -> ExitCode {
        let mut steps = Steps::default();
        let result = self.all(&mut steps, workspace);
        steps.finish(result)
    }

    fn all(&self, steps: &mut Steps, workspace: &Workspace) -> Result<(), Error> {
        steps.run("system packages", || packages::ensure(&[packages::TRUTH]))?;
        let inputs = steps.run("real inputs", || inputs::prepare(workspace))?;
        let init = steps.run("the guest's program", || programs::build_truth(workspace))?;
        // What a sample is asked must not take the place of answers to everything.
        let dir = workspace.target().join(if self.sample.is_none() { "truth" } else { "truth-sample" });
        let kernels = steps.run("kernels", || open_kernels(&inputs, &dir))?;
        let jobs = steps.run("questions", || self.jobs(&kernels, &dir))?;
        let answers = steps.run("answers", || answer_all(&jobs, &init, &dir))?;
        let report = steps.run("verdicts", || judge_all(&kernels, &jobs, &answers))?;
        report.write(&dir.join("report.json"))?;
        println!("\n{}", report.text());
        match report.differences() {
            0 => Ok(()),
            number => Err(Error::Differences(number)),
        }
    }

    fn jobs<'a>(&self, kernels: &'a [Kernel; 2], dir: &Path) -> Result<Vec<Job<'a>>, Error> {
        let [first, second] = kernels;
        let built;
        let scope = match self.sample {
            Some(size) => Scope::Sample(size),
            None => {
                packages::ensure(&[packages::TRUTH_BUILD])?;
                built = out_of_tree::build(first, &dir.join("sources"))?;
                Scope::All { built: &built }
            }
        };
        let crafted = dir.join("crafted");
        let mut jobs = Vec::new();
        for (kernel, other) in [(first, second), (second, first)] {
            let release = kernel.release().as_str();
            if self.kernel.as_ref().is_none_or(|wanted| release.starts_with(wanted.as_str())) {
                jobs.extend(plan::jobs(kernel, other, scope, &crafted)?);
            }
        }
        match jobs.is_empty() {
            true => Err(Error::Truth("none of the kernels is of that release".to_owned())),
            false => Ok(jobs),
        }
    }
}

fn open_kernels(inputs: &Inputs, dir: &Path) -> Result<[Kernel; 2], Error> {
    let modules = dir.join("modules");
    Ok([Kernel::open(inputs.kernel(), &modules)?, Kernel::open(inputs.other_kernel(), &modules)?])
}

/// Two machines at a time: each has one processor.
fn answer_all(jobs: &[Job<'_>], init: &Path, dir: &Path) -> Result<Vec<Vec<Answer>>, Error> {
    let waiting = Mutex::new(jobs.iter().enumerate());
    let answered = Mutex::new(vec![Vec::new(); jobs.len()]);
    let work = || -> Result<(), Error> {
        loop {
            let next = waiting.lock().expect("nobody panics while he holds it").next();
            let Some((index, job)) = next else { return Ok(()) };
            let started = Instant::now();
            let answers = job.answers(init, dir)?;
            eprintln!("  {job}: {} answers ({})", answers.len(), seconds(started.elapsed()));
            answered.lock().expect("nobody panics while he holds it")[index] = answers;
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        work().and(other.join().expect("the other does not panic"))
    })?;
    Ok(answered.into_inner().expect("nobody holds it any more"))
}

fn judge_all(kernels: &[Kernel], jobs: &[Job<'_>], answers: &[Vec<Answer>]) -> Result<Report, Error> {
    let mut report = Report::default();
    for kernel in kernels {
        let ground = Ground::of(kernel)?;
        for (job, answers) in
            jobs.iter().zip(answers).filter(|(job, _)| job.kernel.release() == kernel.release())
        {
            report.add(job, answers, verdict::objections(job, answers, &ground)?);
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_and_sample_are_options() {
        let both = Truth { kernel: Some("6.1.".into()), sample: NonZeroUsize::new(5) };
        assert_eq!(Truth::parse(&["--sample", "5", "--kernel", "6.1."]).unwrap(), both);
        assert_eq!(Truth::parse(&[]).unwrap(), Truth::default());
        for words in [&["--sample", "0"][..], &["--sample"], &["--kernel"], &["6.1"]] {
            assert!(Truth::parse(words).is_err(), "{words:?}");
        }
    }
}

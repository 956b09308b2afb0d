//! A long chore as a sequence of named, timed steps with a summary.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use spec::Diagnose;

use crate::Error;
use crate::progress::seconds;

/// The steps so far.
#[derive(Debug, Default)]
pub struct Steps {
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Steps {
    /// Does one step under its heading, and notes how it went.
    ///
    /// # Errors
    /// Those of `work`; the sequence ends with the first.
    pub fn run<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        eprintln!("\n==> {}. {name}", self.done.len() + 1);
        let started = Instant::now();
        let result = work();
        self.done.push(Step { name, took: started.elapsed(), passed: result.is_ok() });
        result
    }

    /// Ends the chore: the error if there is one, a table of the steps, and their count alone on the last line.
    pub fn finish(self, result: Result<(), Error>) -> ExitCode {
        if let Err(error) = &result {
            eprintln!();
            report(error);
        }
        println!("\n{}", self.summary());
        result.map_or_else(|error| error.outcome().exit_code().into(), |()| ExitCode::SUCCESS)
    }

    fn summary(&self) -> String {
        let failed = self.done.iter().filter(|step| !step.passed).count();
        let mut lines: Vec<String> = self.done.iter().map(Step::line).collect();
        lines.push(format!("{} passed, {failed} failed", self.done.len() - failed));
        lines.join("\n")
    }
}

impl Step {
    fn line(&self) -> String {
        let verdict = if self.passed { "passed" } else { "FAILED" };
        format!("{verdict}  {:<20} {:>12}", self.name, seconds(self.took))
    }
}

/// Prints an error with its causes and its hint.
pub fn report(error: &Error) {
    eprintln!("error: {error}");
    for cause in spec::causes(error) {
        eprintln!("  caused by: {}", cause.to_string().replace('\n', "\n             "));
    }
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_what_passed_and_what_failed() {
        let mut steps = Steps::default();
        assert_eq!(steps.run("one", || Ok(1)).unwrap(), 1);
        assert!(steps.summary().ends_with("\n1 passed, 0 failed"));
        steps.run("two", || Err::<(), _>(Error::UnknownChore("x".into()))).unwrap_err();
        assert!(steps.summary().ends_with("\n1 passed, 1 failed"));
        assert!(steps.summary().contains("FAILED  two"), "{}", steps.summary());
    }
}

//! What is asked in one machine, and the answers, which are kept: the same questions get the same answers again.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use spec::Digest;

use super::condition::Condition;
use super::kernel::Kernel;
use super::machine::Machine;
use super::question::{Answer, Question};
use crate::{Error, cache};

/// Questions for one machine.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) condition: Condition,
    pub(super) group: Group,
    pub(super) questions: Vec<Question>,
}

/// Where the modules of a job come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// The kernel's own.
    InTree,
    /// Another kernel's own.
    Foreign,
    /// The kernel's own, changed.
    Crafted,
    /// Built for the kernel from sources that are not its own.
    OutOfTree,
}

/// Answers, and what they are answers to.
#[derive(Serialize, Deserialize)]
struct Answers {
    asked: Digest,
    answers: Vec<Answer>,
}

impl Job<'_> {
    /// The answers to all questions, in their order: those that are kept in `dir`, or else the kernel's.
    ///
    /// # Errors
    /// Those of [`Machine::ask`], [`Error::File`].
    pub(super) fn answers(&self, init: &Path, dir: &Path) -> Result<Vec<Answer>, Error> {
        let name = self.to_string().replace(' ', "_");
        let image = self.kernel.image();
        let machine =
            Machine { image: &image, init, condition: self.condition, dir: dir.join("machines").join(&name) };
        let (kept, asked) = (dir.join("answers").join(format!("{name}.json")), self.digest(&machine)?);
        if let Some(answers) = read(&kept).filter(|kept| kept.asked == asked) {
            return Ok(answers.answers);
        }
        let answers = Answers { asked, answers: machine.ask(&self.questions)? };
        // On another day the host may be less busy, or more.
        if !answers.answers.iter().all(|answer| answer.outcome.is_final()) {
            return Ok(answers.answers);
        }
        let json = serde_json::to_string_pretty(&answers).expect("strings and numbers are JSON");
        fs::create_dir_all(dir.join("answers")).map_err(Error::file("create", dir))?;
        cache::write(&kept, &json)?;
        Ok(answers.answers)
    }

    /// Of all that the answers depend on.
    fn digest(&self, machine: &Machine<'_>) -> Result<Digest, Error> {
        let digest =
            |path: &Path| fs::read(path).map(|bytes| Digest::of(&bytes)).map_err(Error::file("read", path));
        let mut all =
            format!("{}\n{}\n{}\n", digest(machine.image)?, digest(machine.init)?, machine.arguments());
        for Question { name, module, file, after, force: _, purpose: _ } in &self.questions {
            all += &format!("{name} {module} {after:?} {}\n", digest(file)?);
        }
        Ok(Digest::of(all.as_bytes()))
    }
}

fn read(path: &Path) -> Option<Answers> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

impl fmt::Display for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kernel.release(), self.condition, self.group)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Group::InTree => "in-tree",
            Group::Foreign => "foreign",
            Group::Crafted => "crafted",
            Group::OutOfTree => "out-of-tree",
        })
    }
}

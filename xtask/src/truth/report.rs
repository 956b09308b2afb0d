//! What came of it all: a table for people, and a file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::compare::{Finding, compare};
use super::job::Job;
use super::loader::Objection;
use super::question::{Answer, Outcome, Purpose, Question};
use crate::{Error, cache};

/// More would be of one kind.
const DIFFERENCES_SHOWN: usize = 20;

/// One comparison.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    kernel: String,
    condition: String,
    group: String,
    module: String,
    finding: Finding,
    /// What we hold against the module.
    objections: Vec<String>,
    outcome: Outcome,
    log: Vec<String>,
}

/// All comparisons.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Report(Vec<Line>);

/// How many of a job there are of each kind.
#[derive(Default)]
struct Count {
    asked: usize,
    agreed: usize,
    stricter: usize,
    different: usize,
}

impl Report {
    /// Compares the answers to a job with what we hold against its modules.
    pub(super) fn add(&mut self, job: &Job<'_>, answers: &[Answer], objections: Vec<Vec<Objection>>) {
        let all = job.questions.iter().zip(answers).zip(objections);
        let compared = all.filter(|((question, _), _)| question.purpose == Purpose::Compare);
        self.0.extend(
            compared.map(|((question, answer), objections)| Line::new(job, question, answer, &objections)),
        );
    }

    /// How many differences there are.
    pub(super) fn differences(&self) -> usize {
        self.different().count()
    }

    fn different(&self) -> impl Iterator<Item = &Line> {
        self.0.iter().filter(|line| matches!(line.finding, Finding::Different(_)))
    }

    /// Writes everything as JSON.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        cache::write(path, &serde_json::to_string_pretty(self).expect("strings and numbers are JSON"))
    }

    /// Counts by kernel, condition and kind of module; why we are stricter; each difference.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{:<28}{:<13}{:<12}{:>6}{:>8}{:>10}{:>11}\n",
            "KERNEL", "CONDITION", "MODULES", "ASKED", "AGREED", "STRICTER", "DIFFERENT"
        );
        for (place, count) in self.counts() {
            let [kernel, condition, group] = place;
            let Count { asked, agreed, stricter, different } = count;
            let _ = writeln!(
                text,
                "{kernel:<28}{condition:<13}{group:<12}{asked:>6}{agreed:>8}{stricter:>10}{different:>11}"
            );
        }
        for (note, modules) in self.stricter() {
            let _ = writeln!(text, "\nstricter on purpose: {note}\n  {}", modules.join(", "));
        }
        for line in self.different().take(DIFFERENCES_SHOWN) {
            line.difference(&mut text);
        }
        match self.differences().saturating_sub(DIFFERENCES_SHOWN) {
            0 => text,
            more => text + &format!("\nand {more} more, in report.json\n"),
        }
    }

    fn counts(&self) -> BTreeMap<[&str; 3], Count> {
        let mut counts: BTreeMap<[&str; 3], Count> = BTreeMap::new();
        for line in &self.0 {
            let count = counts.entry([&line.kernel, &line.condition, &line.group]).or_default();
            count.asked += 1;
            *match line.finding {
                Finding::Agreed => &mut count.agreed,
                Finding::Stricter(_) => &mut count.stricter,
                Finding::Different(_) => &mut count.different,
            } += 1;
        }
        counts
    }

    fn stricter(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut notes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for line in &self.0 {
            if let Finding::Stricter(note) = line.finding {
                let modules = notes.entry(note).or_default();
                if !modules.contains(&line.module.as_str()) {
                    modules.push(&line.module);
                }
            }
        }
        notes
    }
}

impl Line {
    fn new(job: &Job<'_>, question: &Question, answer: &Answer, objections: &[Objection]) -> Line {
        Line {
            kernel: job.kernel.release().to_string(),
            condition: job.condition.to_string(),
            group: job.group.to_string(),
            module: question.name.clone(),
            finding: compare(objections, answer),
            objections: objections.iter().map(|objection| objection.sentence.clone()).collect(),
            outcome: answer.outcome,
            log: answer.log.clone(),
        }
    }

    /// At most three lines of each side: a module may miss a hundred symbols.
    fn difference(&self, text: &mut String) {
        let Line {
            kernel,
            condition,
            group: _,
            module,
            finding: Finding::Different(how),
            objections,
            outcome,
            log,
        } = self
        else {
            return;
        };
        let _ = writeln!(text, "\n{module} on {kernel}, {condition}: {how}\n  kernel: {outcome}");
        for line in log.iter().take(3) {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "  verdict: {}", if objections.is_empty() { "fits" } else { "does not fit" });
        for sentence in objections.iter().take(3) {
            let _ = writeln!(text, "    {sentence}");
        }
    }
}

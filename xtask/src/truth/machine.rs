//! The machine in which a kernel is asked. `truth/src/main.rs` is its first process and says how the two speak.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::condition::Condition;
use super::errno::Errno;
use super::question::{After, Answer, Outcome, Question};
use crate::error::BootEnd;
use crate::{Error, cache, vm};

/// What begins each line of the guest's.
const SAID: &str = "TRUTH ";
/// Its last line.
const DONE: &str = "TRUTH done";

/// Emulated, all modules of a kernel take a minute or two.
const LIMIT: Duration = Duration::from_secs(1200);

/// After so many ends of the machine something else is wrong.
const ENDS_MAX: usize = 20;

/// Only the log tells the loader's refusals from the failures of modules, so it must not run over, and its calls of
/// start functions must be in it (admin-guide/kernel-parameters). The console is for the guest; what ends the machine
/// is for us to see at once.
const ARGUMENTS: &str = "console=ttyS0 quiet loglevel=1 log_buf_len=8M initcall_debug oops=panic panic=-1";

/// What a machine is made of.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    /// The kernel's image.
    pub(super) image: &'a Path,
    /// Its first process.
    pub(super) init: &'a Path,
    /// How the kernel is started.
    pub(super) condition: Condition,
    /// Is made for this machine alone.
    pub(super) dir: PathBuf,
}

impl Machine<'_> {
    /// The kernel's command line.
    pub(super) fn arguments(&self) -> String {
        format!("{ARGUMENTS} {}", self.condition.argument())
    }

    /// Asks all questions in their order. What ends the machine is left out when the next one is asked all again.
    ///
    /// # Errors
    /// [`Error::Truth`] if the guest says what cannot be, [`Error::File`], those of cpio and QEMU.
    pub(super) fn ask(&self, questions: &[Question]) -> Result<Vec<Answer>, Error> {
        let mut ends = BTreeMap::new();
        for _ in 0..ENDS_MAX {
            let open: Vec<usize> = (0..questions.len()).filter(|id| !ends.contains_key(id)).collect();
            let heard = self.boot(questions, &open)?;
            match heard.ended_by {
                Some(id) => ends.insert(id, Answer::ended_machine(&questions[id])),
                None => {
                    ends.extend(heard.answers(questions)?);
                    return Ok(ends.into_values().collect());
                }
            };
        }
        Err(Error::Truth(format!("{ENDS_MAX} machines ended before the last question")))
    }

    /// Boots a machine that is asked what is open.
    fn boot(&self, questions: &[Question], open: &[usize]) -> Result<Heard, Error> {
        let archive = self.initramfs(questions, open)?;
        let mut heard = Heard::default();
        let mut qemu = vm::direct(self.image, &archive, &self.arguments());
        let console = self.dir.join("console.log");
        match vm::listen(&mut qemu, &console, LIMIT, DONE, |line| heard.hear(line)) {
            Err(Error::Boot { how: BootEnd::Stopped, .. }) if heard.asked.is_some() => {
                heard.ended_by = heard.asked
            }
            other => drop(other?),
        }
        fs::remove_file(&archive).map_err(Error::file("remove", &archive))?;
        let state = |what: &str| heard.state.get(what).map_or("", String::as_str);
        self.condition.check(state("sig_enforce"), state("lockdown"))?;
        Ok(heard)
    }

    /// The modules are links to their files, for the sake of space.
    fn initramfs(&self, questions: &[Question], open: &[usize]) -> Result<PathBuf, Error> {
        let root = self.dir.join("root");
        cache::remove_dir(&root)?;
        for below in ["dev", "sys", "modules"] {
            let below = root.join(below);
            fs::create_dir_all(&below).map_err(Error::file("create", &below))?;
        }
        let init = root.join("init");
        fs::copy(self.init, &init).map_err(Error::file("copy", self.init))?;
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755))
            .map_err(Error::file("change", &init))?;
        let mut list = String::new();
        for id in open {
            let Question { module, file, after, .. } = &questions[*id];
            fs::hard_link(file, root.join(format!("modules/{id}.ko"))).map_err(Error::file("link", file))?;
            list += &match after {
                After::Keep => format!("{id} keep\n"),
                After::Drop => format!("{id} drop {module}\n"),
            };
        }
        let file = root.join("questions");
        fs::write(&file, list).map_err(Error::file("write", &file))?;
        let archive = self.dir.join("initramfs.cpio");
        vm::pack_initramfs(&root, &archive)?;
        cache::remove_dir(&root)?;
        Ok(archive)
    }
}

/// What the guest has said.
#[derive(Debug, Default)]
struct Heard {
    /// What the kernel says about itself.
    state: BTreeMap<String, String>,
    /// The last question.
    asked: Option<usize>,
    log: BTreeMap<usize, Vec<String>>,
    /// An error number, or "hangs".
    ends: BTreeMap<usize, String>,
    /// The question that ended the machine.
    ended_by: Option<usize>,
    /// Lines that say that the questions that follow are not what they should be.
    trouble: Vec<String>,
}

impl Heard {
    /// Takes a line of the console.
    fn hear(&mut self, line: &str) {
        let Some(said) = line.strip_prefix(SAID) else { return };
        let (what, rest) = said.split_once(' ').unwrap_or((said, ""));
        let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
        match (what, first.parse::<usize>()) {
            ("state", _) => drop(self.state.insert(first.to_owned(), text.to_owned())),
            ("ask", Ok(id)) => self.asked = Some(id),
            ("log", Ok(id)) => self.log.entry(id).or_default().push(text.to_owned()),
            ("end", Ok(id)) => drop(self.ends.insert(id, text.to_owned())),
            ("done", _) => {}
            _ => self.trouble.push(said.to_owned()),
        }
    }

    fn answers(mut self, questions: &[Question]) -> Result<BTreeMap<usize, Answer>, Error> {
        if let Some(trouble) = self.trouble.first() {
            return Err(Error::Truth(format!("the machine said \"{trouble}\"")));
        }
        let answers = self.ends.iter().map(|(id, end)| {
            let log = self.log.remove(id).unwrap_or_default();
            let outcome = match end.parse::<i32>() {
                Ok(number) => Outcome::new(Errno::from(number), &log),
                Err(_) => Outcome::Hangs,
            };
            let question =
                questions.get(*id).ok_or_else(|| Error::Truth(format!("there is no question {id}")))?;
            Ok((*id, Answer { question: question.name.clone(), outcome, log }))
        });
        answers.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::question::{Force, Purpose};

    fn question(name: &str) -> Question {
        let module = name.parse().unwrap();
        let (after, force, purpose) = (After::Keep, Force::Refused, Purpose::Compare);
        Question { name: name.into(), module, file: PathBuf::new(), after, force, purpose }
    }

    fn heard(console: &str) -> Heard {
        let mut heard = Heard::default();
        console.lines().for_each(|line| heard.hear(line));
        heard
    }

    #[test]
    fn each_question_has_its_end_and_its_part_of_the_log() {
        let console = "firmware\nTRUTH state lockdown [none] integrity\nTRUTH ask 0\nTRUTH end 0 0\nTRUTH ask 1\n\
            TRUTH log 1 b: Unknown symbol c (err -2)\nTRUTH end 1 2\nTRUTH ask 2\nTRUTH end 2 hangs\nTRUTH done";
        let heard = heard(console);
        assert_eq!(heard.state["lockdown"], "[none] integrity");
        let answers = heard.answers(&["a", "b", "c"].map(question)).unwrap();
        let outcomes: Vec<Outcome> = answers.values().map(|answer| answer.outcome).collect();
        assert_eq!(outcomes, [Outcome::Loaded, Outcome::Refused(Errno::ENOENT), Outcome::Hangs]);
        assert_eq!(answers[&1].log, ["b: Unknown symbol c (err -2)"]);
        assert!(answers[&0].log.is_empty());
    }

    #[test]
    fn a_module_that_cannot_be_removed_spoils_what_follows() {
        let heard = heard("TRUTH ask 0\nTRUTH end 0 0\nTRUTH stays 0 11\nTRUTH done");
        let error = heard.answers(&[question("a")]).unwrap_err();
        assert!(error.to_string().contains("stays 0 11"), "{error}");
    }

    #[test]
    fn the_last_question_is_known() {
        assert_eq!(heard("TRUTH ask 0\nTRUTH end 0 0\nTRUTH ask 1\nBUG: oops").asked, Some(1));
    }
}

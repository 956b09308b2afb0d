//! Power cuts: a machine works on a disk whose power fails, at any moment and with any legal part of its cache lost. What is
//! left must be a node that is whole, and that goes on.
//!
//! A session is recorded once, with a real kernel and a real file system, and can then be cut anywhere, many thousand times.
//! Each disk is judged by this machine; some are booted, too.

mod disk;
mod judge;
mod nbd;
mod resets;
mod session;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::boots::{self, Workshop};
use crate::inputs::Inputs;
use crate::programs::Programs;
use crate::workspace::Workspace;
use crate::{Error, steps};
use disk::{Chance, Honesty};
use session::{LABEL, Medium, NodeState, Session};

/// How many boots are recorded, each on the disk of the one before.
const SESSIONS: usize = 2;
/// How many cuts of `cargo xtask test`, all of them booted.
const CUTS: usize = 10;
/// How many cuts of `cargo xtask powercut`, of which one in so many is booted.
const MANY: usize = 1000;
const BOOTED: usize = 25;
/// How many cuts it may take until something that is wrong is noticed.
const LUCK: u64 = 200;
/// The seed, unless somebody says otherwise.
const SEED: u64 = 1;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerCut {
    cuts: usize,
    booted: usize,
    seed: u64,
}

impl PowerCut {
    /// What every test run does.
    pub const TEST: PowerCut = PowerCut { cuts: CUTS, booted: 1, seed: SEED };

    /// Reads the arguments.
    ///
    /// # Errors
    /// [`Error::UnknownChore`] for anything but `--cuts N` and `--seed N`.
    pub fn parse(words: &[&str]) -> Result<PowerCut, Error> {
        let mut asked = PowerCut { cuts: MANY, booted: BOOTED, seed: SEED };
        let wrong = || Error::UnknownChore(format!("powercut {}", words.join(" ")));
        for pair in words.chunks(2) {
            match pair {
                ["--cuts", number] => asked.cuts = number.parse().map_err(|_| wrong())?,
                ["--seed", number] => asked.seed = number.parse().map_err(|_| wrong())?,
                _ => return Err(wrong()),
            }
        }
        Ok(asked)
    }

    /// Does it, set-up included; goes on where an earlier run with the same seed was interrupted.
    pub fn start(self, workspace: &Workspace) -> ExitCode {
        let file = workspace.target().join(format!("powercut-{}.passed", self.seed));
        let passed = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let outcome = boots::prepared(workspace).and_then(|(inputs, programs)| {
            self.run(workspace, &inputs, &programs, passed, &mut |passed| {
                fs::write(&file, format!("{passed}\n")).map_err(Error::file("write", &file))
            })
        });
        finished(outcome)
    }

    /// Does it on what is prepared, from cut number `passed` on; `on_pass` hears how many are done.
    ///
    /// # Errors
    /// [`Error::Machine`] for a disk that is not whole; those of the programs.
    pub fn run(
        self,
        workspace: &Workspace,
        inputs: &Inputs,
        programs: &Programs,
        passed: usize,
        on_pass: &mut dyn FnMut(usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let workshop = Workshop::open(workspace, "powercut", inputs, programs)?;
        let medium = medium(&workshop)?;
        let sessions = record(&workshop, &medium)?;
        check_control(&sessions, &workshop, programs)?;
        for number in passed..self.cuts {
            let cut = Cut::draw(&sessions, self.seed.wrapping_add(number as u64), Honesty::Honest);
            let image = cut.write(&workshop.path("cut.img"))?;
            let fault = match judge::fault(&image, &programs.extruntime, cut.allowed())? {
                None if number % self.booted == 0 => boot(&workshop, &medium, &image, &cut)?,
                judged => judged,
            };
            if let Some(fault) = fault {
                let kept = cut.write(&workspace.target().join(format!("powercut-{number}.img")))?;
                let place = format!("cut {number}, of seed {}, behind request {}", self.seed, cut.requests);
                return Err(Error::Machine(format!(
                    "{place}: {fault}; the disk is kept in {}",
                    kept.display()
                )));
            }
            on_pass(number + 1)?;
            if (number + 1) % 100 == 0 {
                eprintln!("  {} cuts", number + 1);
            }
        }
        let requests: usize = sessions.iter().map(|session| session.requests.len()).sum();
        println!(
            "{} power cuts in {requests} requests of {SESSIONS} boots: each left a node that is whole",
            self.cuts
        );
        Ok(())
    }
}

/// Resets machines at named places of their work, set-up included.
pub fn resets(workspace: &Workspace) -> ExitCode {
    finished(
        boots::prepared(workspace).and_then(|(inputs, programs)| resets::run(workspace, &inputs, &programs)),
    )
}

fn finished(outcome: Result<(), Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::report(&error);
            spec::Diagnose::outcome(&error).exit_code().into()
        }
    }
}

/// One power cut.
struct Cut<'s> {
    session: &'s Session,
    requests: usize,
    honesty: Honesty,
    seed: u64,
}

impl<'s> Cut<'s> {
    fn draw(sessions: &'s [Session], seed: u64, honesty: Honesty) -> Cut<'s> {
        // Neighbouring seeds draw different places.
        let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let session = &sessions[chance.below(sessions.len())];
        Cut { session, requests: chance.below(session.requests.len() + 1), honesty, seed }
    }

    fn allowed(&self) -> impl Iterator<Item = &'s NodeState> {
        self.session.allowed(self.requests)
    }

    /// Writes what the disk holds then.
    fn write(&self, to: &Path) -> Result<PathBuf, Error> {
        let disk = disk::after_cut(
            &self.session.base,
            &self.session.requests[..self.requests],
            self.honesty,
            self.seed,
        );
        // A new file: where the one before is still mounted in somebody's namespace, mount(8) would show that again.
        let _ = fs::remove_file(to);
        fs::write(to, disk).map_err(Error::file("write", to))?;
        Ok(to.to_owned())
    }
}

fn medium(workshop: &Workshop<'_>) -> Result<Medium, Error> {
    let extensions = ["word-1", "word-2"];
    workshop.stock(boots::Kernel::Six1, &extensions.into())?;
    let list: String = extensions.iter().map(|name| format!("  - name: {name}\n")).collect();
    let arguments = format!("tenon.state={LABEL}, tenon.images=verity");
    let iso = workshop.compose_medium("node", boots::Kernel::Six1, &list, &arguments, None)?;
    let start = boots::without_firmware(workshop, &iso)?;
    Ok(Medium { iso, start })
}

/// Records a few boots, one after the other on the same disk.
fn record(workshop: &Workshop<'_>, medium: &Medium) -> Result<Vec<Session>, Error> {
    let (mut base, mut before) = (session::new_disk(workshop, session::WORK)?, NodeState::new());
    let mut sessions = Vec::new();
    for number in 1..=SESSIONS {
        let recorded = session::record(workshop, medium, base, before)?;
        eprintln!("  boot {number}: {} requests, {} states", recorded.requests.len(), recorded.states.len());
        base = disk::after_end(&recorded.base, &recorded.requests);
        before = recorded.states.last().map_or_else(NodeState::new, |(_, state)| state.clone());
        sessions.push(recorded);
    }
    Ok(sessions)
}

/// What must be caught, or the judge sees nothing: a disk that forgets what it has flushed, and a node that has forgotten
/// what it did.
fn check_control(sessions: &[Session], workshop: &Workshop<'_>, programs: &Programs) -> Result<(), Error> {
    let controls =
        [("a disk that forgets what it has flushed", Honesty::Lying), ("lost work", Honesty::Honest)];
    for (what, honesty) in controls {
        let mut caught = false;
        for seed in 0..LUCK {
            let cut = Cut::draw(sessions, seed, honesty);
            let image = cut.write(&workshop.path("cut.img"))?;
            let end = cut.session.states.last().map(|(_, state)| state);
            // An honest disk that is cut long before the end has not the state that the node had then.
            let fault = match honesty {
                Honesty::Lying => judge::fault(&image, &programs.extruntime, cut.allowed())?,
                Honesty::Honest => judge::fault(&image, &programs.extruntime, end.into_iter())?,
            };
            if fault.is_some() {
                caught = true;
                break;
            }
        }
        if !caught {
            return Err(Error::Machine(format!("{what} went unnoticed in {LUCK} power cuts")));
        }
    }
    Ok(())
}

/// What is wrong when a machine boots from the disk.
fn boot(
    workshop: &Workshop<'_>,
    medium: &Medium,
    image: &Path,
    cut: &Cut<'_>,
) -> Result<Option<String>, Error> {
    match session::boot(workshop, medium, image.to_owned()) {
        Ok(generation) if cut.allowed().any(|state| state.next() == generation) => Ok(None),
        Ok(generation) => Ok(Some(format!("the machine runs set {generation}, which is not the next one"))),
        Err(error @ (Error::Boot { .. } | Error::Machine(_))) => Ok(Some(spec::sentence(&error))),
        Err(error) => Err(error),
    }
}

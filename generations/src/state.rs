//! Which generation runs, which one ran before, and which one is on trial: values, and how one follows from another.
//!
//! Nothing here reads or writes. A trial is counted before it is activated, so that a machine that hangs, reboots or loses
//! power on it ends on the set that it had.

use std::fmt;
use std::num::NonZeroU32;

use crate::layout::Generation;

/// How often a set is booted without being confirmed before it is given up, unless somebody says otherwise.
pub const TRIES: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");

/// Most bytes of the reason that is kept with a state.
pub const WHY_MAX: usize = 1024;

/// The state of a node. A trial is neither the base alone nor what is current.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    current: Generation,
    previous: Generation,
    trial: Option<Trial>,
    why: String,
}

/// A generation that is not confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trial {
    /// Which.
    pub generation: Generation,
    /// How often it may still be booted.
    pub tries_left: u32,
}

/// Can a generation run on the base that boots?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fitness {
    /// It is whole, and was verified for this base.
    Fits,
    /// It was verified for another base. It may fit again when that one boots.
    OtherBase(String),
    /// It cannot be read, or is not whole.
    Damaged(String),
}

/// What a boot is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// What is to be written before anything is activated.
    pub write: Option<State>,
    /// What is to be activated then.
    pub choice: Choice,
}

/// What is to be activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which.
    pub generation: Generation,
    /// What it is at this boot.
    pub role: Role,
    /// Why it is not what one would expect, a sentence each.
    pub notes: Vec<String>,
}

/// Why a generation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is on trial, and is given up unless somebody confirms it.
    Trial,
    /// It was confirmed, or is the base alone because nothing ever was.
    Current,
    /// What is current cannot run, and this ran before it.
    Previous,
    /// Nothing else can run.
    Fallback,
}

/// A change of the state that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Only what is on trial is confirmed.
    #[error("generation {0} is not on trial")]
    NotOnTrial(Generation),
    /// The base alone cannot be left.
    #[error("there is nothing before generation 0, which is the base alone")]
    NothingBefore,
}

impl State {
    /// The base alone, and nothing else.
    pub fn new(why: &str) -> State {
        State { current: Generation::BASE, previous: Generation::BASE, trial: None, why: shortened(why) }
    }

    /// A state with these parts, if it can be one.
    pub fn from_parts(
        current: Generation,
        previous: Generation,
        trial: Option<Trial>,
        why: &str,
    ) -> Option<State> {
        let on_trial = trial.map(|trial| trial.generation);
        let sound = on_trial != Some(current) && on_trial != Some(Generation::BASE) && shortened(why) == why;
        sound.then(|| State { current, previous, trial, why: why.to_owned() })
    }

    /// What runs where nothing is on trial.
    pub fn current(&self) -> Generation {
        self.current
    }

    /// What ran before it.
    pub fn previous(&self) -> Generation {
        self.previous
    }

    /// What is on trial.
    pub fn trial(&self) -> Option<Trial> {
        self.trial
    }

    /// Why the state is what it is.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The generations that it names, which must not be removed.
    pub fn named(&self) -> impl Iterator<Item = Generation> {
        let all = [Some(self.current), Some(self.previous), self.trial.map(|trial| trial.generation)];
        all.into_iter().flatten().filter(|generation| !generation.is_base())
    }

    /// The generation is to be tried. What is current needs no trial; to stage it takes back what was staged before.
    pub fn stage(&self, generation: Generation, tries: NonZeroU32) -> State {
        let trial = Trial { generation, tries_left: tries.get() };
        let is_new = generation != self.current && !generation.is_base();
        let why = format!("generation {generation} was staged");
        State { trial: is_new.then_some(trial), why, ..self.clone() }
    }

    /// What the next boot does. What is on trial and fits is counted, and only then activated.
    pub fn boot(&self, fitness: impl Fn(Generation) -> Fitness) -> Boot {
        let Some(Trial { generation, tries_left }) = self.trial else {
            return Boot { write: None, choice: self.settled(fitness, Vec::new()) };
        };
        let note = match (tries_left.checked_sub(1), fitness(generation)) {
            (Some(tries_left), Fitness::Fits) => {
                let trial = Some(Trial { generation, tries_left });
                let why = format!("generation {generation} is tried, {tries_left} tries are left");
                let choice = Choice { generation, role: Role::Trial, notes: Vec::new() };
                return Boot { write: Some(State { trial, why, ..self.clone() }), choice };
            }
            (Some(_), Fitness::OtherBase(why)) => {
                let note = format!("generation {generation} is not tried on this base: {why}");
                return Boot { write: None, choice: self.settled(fitness, vec![note]) };
            }
            (Some(_), Fitness::Damaged(why)) => format!("generation {generation} was given up: {why}"),
            (None, _) => format!("generation {generation} was given up: nobody confirmed it"),
        };
        let write = State { trial: None, why: shortened(&note), ..self.clone() };
        Boot { choice: write.settled(fitness, vec![note]), write: Some(write) }
    }

    /// What runs without a trial: what is current, or else what ran before it, or else the base alone. This is only about
    /// one boot, and nothing is forgotten: the base for which a generation was made may come back, and so may a disk.
    pub fn settled(&self, fitness: impl Fn(Generation) -> Fitness, mut notes: Vec<String>) -> Choice {
        let base = |role, notes| Choice { generation: Generation::BASE, role, notes };
        if self.current.is_base() {
            return base(Role::Current, notes);
        }
        for (generation, role) in [(self.current, Role::Current), (self.previous, Role::Previous)] {
            if generation.is_base() || (role == Role::Previous && generation == self.current) {
                continue;
            }
            match fitness(generation) {
                Fitness::Fits => return Choice { generation, role, notes },
                Fitness::OtherBase(why) | Fitness::Damaged(why) => {
                    notes.push(format!("generation {generation} does not run: {why}"));
                }
            }
        }
        base(Role::Fallback, notes)
    }

    /// The generation proved good: it is current from now on, and what was current is what ran before. To confirm what is
    /// current changes nothing.
    pub fn confirm(&self, generation: Generation) -> Result<State, StateError> {
        if generation == self.current {
            return Ok(self.clone());
        }
        match self.trial {
            Some(trial) if trial.generation == generation => Ok(State {
                current: generation,
                previous: self.current,
                trial: None,
                why: format!("generation {generation} was confirmed"),
            }),
            _ => Err(StateError::NotOnTrial(generation)),
        }
    }

    /// The generation is to run no more. Where it neither is current nor on trial, that is so already: a rollback that was
    /// interrupted can be done again and does not go back twice.
    pub fn rollback(&self, generation: Generation, why: &str) -> Result<State, StateError> {
        if generation.is_base() {
            return Err(StateError::NothingBefore);
        }
        let why = shortened(&format!("generation {generation} was left: {why}"));
        if self.trial.is_some_and(|trial| trial.generation == generation) {
            return Ok(State { trial: None, why, ..self.clone() });
        }
        if self.current != generation {
            return Ok(self.clone());
        }
        let (current, previous) = (self.previous, Generation::BASE);
        let trial = self.trial.filter(|trial| trial.generation != current);
        Ok(State { current, previous, trial, why })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { current, previous, trial, why } = self;
        write!(f, "current {current}, previous {previous}")?;
        if let Some(Trial { generation, tries_left }) = trial {
            write!(f, ", trial {generation} with {tries_left} tries left")?;
        }
        match why.is_empty() {
            true => Ok(()),
            false => write!(f, "; {why}"),
        }
    }
}

/// The text on one line and not longer than it may be.
fn shortened(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.truncate(line.floor_char_boundary(WHY_MAX));
    line
}

#[cfg(test)]
mod tests;

//! Where the time goes: what was done, when it began and how long it took.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A clock that several threads may ask.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    laps: Mutex<Vec<Lap>>,
}

/// One thing that was done.
#[derive(Debug, Clone)]
struct Lap {
    what: String,
    /// From the start of the clock.
    began: Duration,
    took: Duration,
}

impl Clock {
    /// Starts.
    pub(crate) fn start() -> Clock {
        Clock { started: Instant::now(), laps: Mutex::default() }
    }

    /// Does the work, and writes down how long it took.
    pub(crate) fn time<R>(&self, what: &str, work: impl FnOnce() -> R) -> R {
        let began = self.started.elapsed();
        let result = work();
        let lap = Lap { what: what.to_owned(), began, took: self.started.elapsed().saturating_sub(began) };
        self.laps.lock().unwrap_or_else(PoisonError::into_inner).push(lap);
        result
    }
}

/// A line for each thing that was done, in the order in which it began, in milliseconds.
impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut laps = self.laps.lock().unwrap_or_else(PoisonError::into_inner).clone();
        laps.sort_by_key(|lap| lap.began);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        writeln!(f, "     at ms    took ms")?;
        for Lap { what, began, took } in &laps {
            writeln!(f, "{:>10.2} {:>10.2}  {what}", milliseconds(*began), milliseconds(*took))?;
        }
        writeln!(f, "{:>10.2}             all", milliseconds(self.started.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_shown_in_the_order_in_which_it_began() {
        let clock = Clock::start();
        let inner = || clock.time("  inner", || 7);
        assert_eq!(clock.time("outer", inner), 7);
        let text = clock.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("  outer") && lines[2].ends_with("    inner"), "{text}");
        assert_eq!(lines.len(), 4);
    }
}

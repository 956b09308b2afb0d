//! A program with all that it starts: nothing of it outlives the time that it has.
//!
//! A process group would do where there is no terminal. At one, a program in a group of its own could not ask its user for
//! anything (SIGTTIN, termios(3)), nor would it hear Ctrl-C; so it stays in ours, and what it leaves behind comes to us.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

/// How long is waited for processes that have been killed: one may be in the kernel for a while.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// What the program that is started next leaves behind when it ends. While there is one, nothing else may be started.
#[derive(Debug)]
pub(crate) struct Family {
    /// Children that we had before: a shell may have left us some.
    before: Vec<Pid>,
}

impl Family {
    /// Orphans become our children from now on (PR_SET_CHILD_SUBREAPER, prctl(2)); no longer once this is dropped.
    pub(crate) fn found() -> Family {
        let before = children();
        // Where that is not to be had, the program alone can be ended.
        let _ = set_child_subreaper(Some(getpid()));
        Family { before }
    }

    /// Ends the program, then those that have lost their parent by that, and so on.
    pub(crate) fn end(&self, program: &mut Child) {
        drop(program.kill());
        drop(program.wait());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let mut orphans = children();
            orphans.retain(|child| !self.before.contains(child));
            if orphans.is_empty() {
                return;
            }
            for orphan in orphans {
                // Its number is its own until it has been waited for, which only we do.
                let _ = kill_process(orphan, Signal::KILL);
                let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let _ = set_child_subreaper(None);
    }
}

/// Our children, those that have ended among them.
fn children() -> Vec<Pid> {
    let ours = getpid();
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok()).filter_map(Pid::from_raw);
    numbers.filter(|process| parent_of(*process) == Some(ours)).collect()
}

fn parent_of(process: Pid) -> Option<Pid> {
    parent_in(&fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?)
}

/// The parent in a line `NUMBER (NAME) STATE PARENT …` (proc_pid_stat(5)), whose name may have anything in it.
fn parent_in(stat: &str) -> Option<Pid> {
    let (_, facts) = stat.rsplit_once(") ")?;
    Pid::from_raw(facts.split(' ').nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_whatever_a_process_is_called() {
        let parent = |stat| parent_in(stat).map(|parent| parent.as_raw_nonzero().get());
        assert_eq!(parent("12 (sleep) S 7 12 1 0"), Some(7));
        assert_eq!(parent("12 (a) R 9 (b) S 7 12"), Some(7));
        for other in ["", "12", "12 (sleep)", "12 (sleep) S", "12 (sleep) S x 3", "1 (init) S 0 1"] {
            assert_eq!(parent(other), None, "{other}");
        }
    }
}

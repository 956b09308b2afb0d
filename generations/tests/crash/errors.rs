//! Writes that fail, and programs that are killed.

use generations::View;
use generations::disk::Disk;
use rustix::io::Errno;

use crate::check::{Expected, Report, scene};
use crate::model::{Done, Fault, FileSystem, Model};
use crate::scenes::{Meaning, Op, SCENES, perform, running};
use crate::states::after_power_cut;

const ERRORS: [Errno; 3] = [Errno::NOSPC, Errno::IO, Errno::ROFS];

/// What an operation does to a scene, and how many steps it takes.
struct Plain {
    expected: Expected,
    steps: usize,
}

fn plain(files: &FileSystem, op: Op) -> Plain {
    let disk = Model::new(files.clone());
    let running = running(disk.clone());
    let was = Meaning::of(&View::new(disk.clone()));
    disk.fail(None);
    perform(disk.clone(), op, running).unwrap();
    let after = Meaning::of(&View::new(disk.clone()));
    Plain { expected: Expected { op, running, before: was, after }, steps: disk.steps() }
}

/// Each step of operations fails, in each way, alone or with all after it. Returns how many did.
pub(crate) fn every_write_fails() -> usize {
    let mut failures = 0;
    for before in SCENES {
        let files = scene(before, |disk| disk).files();
        for op in [Op::Put('c'), Op::Stage('b'), Op::Boot, Op::Confirm, Op::Rollback, Op::Collect] {
            let Plain { expected, steps } = plain(&files, op);
            for step in 0..steps {
                // The reason makes no difference to what is done, only to what is said.
                let errno = ERRORS[step % ERRORS.len()];
                for done in [Done::Nothing, Done::Half, Done::Written] {
                    for lasting in [false, true] {
                        let fault = Fault { step, lasting, errno, done };
                        let place = format!("{op:?} after {before:?}, {fault:?}");
                        failures += usize::from(fails(&files, &expected, fault, &place));
                    }
                }
            }
        }
    }
    failures
}

/// Was the failure one? Then nothing changed, a power cut changes nothing either, and it can be done again.
fn fails(files: &FileSystem, expected: &Expected, fault: Fault, place: &str) -> bool {
    let disk = Model::new(files.clone());
    disk.fail(Some(fault));
    let result = perform(disk.clone(), expected.op, expected.running);
    disk.fail(None);
    let found = Meaning::of(&View::new(disk.clone()));
    let Err(error) = result else {
        assert_eq!(found, expected.after, "{place}: it says that it succeeded");
        return false;
    };
    assert!(!spec::sentence(&error).is_empty());
    // A disk that took the new state, did not sync it, and takes nothing back either: its readers see the new state.
    let is_hopeless = fault.lasting && (fault.done == Done::Written || disk.has_taken_unsynced());
    assert!(found == expected.before || (is_hopeless && found == expected.after), "{place}: {found}");
    for tree in after_power_cut(&disk.files()) {
        let left = Meaning::of(&View::new(Model::of(&tree)));
        let is_sound = left == expected.before || (is_hopeless && left == expected.after);
        assert!(is_sound, "{place}, and a power cut: {left}");
    }
    perform(disk.clone(), expected.op, expected.running).unwrap_or_else(|error| panic!("{place}: {error}"));
    let again = Meaning::of(&View::new(disk));
    let wanted = match expected.op {
        Op::Boot => found.booted(),
        _ => expected.after.clone(),
    };
    assert_eq!(again, wanted, "{place}, done again");
    true
}

/// A program is killed after each of its steps, and all that it wrote is still there and not durable. It is run again, and
/// the power fails at each instant of that.
pub(crate) fn killed_and_run_again<D: Disk>(
    scenes: &[&[Op]],
    ops: &[Op],
    wrap: impl Fn(Model) -> D + Copy,
) -> Report {
    let mut report = Report::default();
    for before in scenes {
        let files = scene(before, wrap).files();
        for &op in ops {
            let steps = plain(&files, op).steps;
            for step in 0..steps {
                for done in [Done::Nothing, Done::Written] {
                    let fault = Fault { step, lasting: true, errno: Errno::IO, done };
                    let place = format!("{op:?} killed at {fault:?} and again, after {before:?}");
                    killed_at(fault, &files, op, wrap, (&mut report, &place));
                }
            }
        }
    }
    report
}

fn killed_at<D: Disk>(
    fault: Fault,
    files: &FileSystem,
    op: Op,
    wrap: impl Fn(Model) -> D,
    (report, place): (&mut Report, &str),
) {
    let disk = Model::new(files.clone());
    let running = running(disk.clone());
    let before = Meaning::of(&View::new(disk.clone()));
    disk.fail(Some(fault));
    let _ = perform(wrap(disk.clone()), op, running);
    disk.fail(None);
    disk.record();
    perform(wrap(disk.clone()), op, running).unwrap();
    let trace = disk.recorded();
    let after = Meaning::of(&View::new(disk));
    report.cut_everywhere(&trace, &Expected { op, running, before, after }, place);
}

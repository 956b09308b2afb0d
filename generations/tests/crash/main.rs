//! The power fails at each instant of each operation, in each way that a file system may bring about.
//!
//! `model.rs` is the disk, `states.rs` what a power cut leaves of it, `scenes.rs` what is done, `check.rs` what must be true
//! then, `errors.rs` writes that fail and programs that are killed, and `careless.rs` disks with which the suite must
//! find fault.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail
#![allow(clippy::print_stdout)] // the numbers are for people

mod careless;
mod check;
mod errors;
mod model;
mod scenes;
mod states;

use std::path::Path;

use careless::{Careless, Omission};
use check::{Report, one_operation, record, scene};
use generations::RealDisk;
use model::{Model, read_tree};
use scenes::{OPS, Op, SCENES, perform, running};

fn print(what: &str, report: &Report) {
    println!("{what}: {} power cuts, {} different disks", report.cuts, report.states);
}

/// Nothing was wrong, nothing was left out, and there was something to look at.
fn assert_sound(what: &str, report: &Report, at_least: usize) {
    print(what, report);
    assert!(report.violations.is_empty(), "{}: {:#?}", report.violations.len(), first(report));
    assert!(!report.cut_short, "{what}: not all states were looked at");
    assert!(report.states >= at_least, "{what}: only {} disks", report.states);
}

fn first(report: &Report) -> Vec<&String> {
    report.violations.iter().take(5).collect()
}

#[test]
fn a_power_cut_in_any_operation() {
    assert_sound("one operation", &one_operation(&SCENES, &OPS, |disk| disk), 1000);
}

/// What the first operation left pending is at stake too.
#[test]
fn a_power_cut_in_the_second_of_two_operations() {
    let mut report = Report::default();
    for before in [SCENES[3], SCENES[5], SCENES[8], SCENES[11]] {
        let files = scene(before, |disk| disk).files();
        for first in [Op::Stage('b'), Op::Boot, Op::Confirm, Op::Rollback, Op::Collect] {
            for second in [Op::Stage('c'), Op::Boot, Op::Confirm, Op::Rollback, Op::Collect] {
                let disk = Model::new(files.clone());
                record(&disk, first, |disk| disk);
                let (expected, trace) = record(&disk, second, |disk| disk);
                report.cut_everywhere(&trace, &expected, &format!("{first:?}, {second:?} after {before:?}"));
            }
        }
    }
    assert_sound("two operations", &report, 2000);
}

/// The power fails, and once more while the machine boots after that (I4): each boot counts or does not, and no more.
#[test]
fn a_power_cut_in_the_boot_after_a_power_cut() {
    let mut report = Report::default();
    for before in SCENES {
        for op in [Op::Stage('b'), Op::Boot, Op::Confirm, Op::Rollback] {
            let disk = scene(before, |disk| disk);
            let (_, trace) = record(&disk, op, |disk| disk);
            let trees: std::collections::BTreeSet<_> =
                trace.iter().flat_map(states::after_power_cut).collect();
            for tree in trees {
                let (expected, trace) = record(&Model::of(&tree), Op::Boot, |disk| disk);
                report.cut_everywhere(&trace, &expected, &format!("boot after {op:?} after {before:?}"));
            }
        }
    }
    assert_sound("boots after power cuts", &report, 1000);
}

/// A program is killed at each of its steps and started again, and then the power fails.
#[test]
fn a_power_cut_after_a_program_was_killed_and_run_again() {
    let report = errors::killed_and_run_again(
        &[SCENES[3], SCENES[5]],
        &[Op::Stage('b'), Op::Confirm, Op::Rollback, Op::Collect],
        |disk| disk,
    );
    assert_sound("killed and run again", &report, 400);
}

#[test]
fn what_fails_leaves_what_was_there() {
    let failures = errors::every_write_fails();
    println!("{failures} failures");
    assert!(failures > 1000, "{failures}");
}

/// A suite that finds nothing proves nothing until it finds what is there to be found.
#[test]
fn what_is_left_out_is_noticed() {
    for omission in [Omission::FileSync, Omission::DirSync, Omission::SyncAfterRename] {
        let report = one_operation(&[SCENES[3]], &[Op::Stage('b')], |disk| Careless::new(disk, omission));
        println!("{omission:?}: {} of {} disks are not sound", report.violations.len(), report.states);
        assert!(!report.violations.is_empty(), "{omission:?} is not noticed");
    }
    let report = errors::killed_and_run_again(&[SCENES[3]], &[Op::Stage('b')], |disk| {
        Careless::new(disk, Omission::OldSlotSync)
    });
    assert!(!report.violations.is_empty(), "a slot that was not synced is not noticed");
}

/// The model is held against the real file system: the same operations leave the same files.
#[test]
fn the_model_does_what_the_real_disk_does() {
    for before in SCENES {
        for op in OPS {
            let dir = tempfile::tempdir().unwrap();
            let real = || RealDisk::open(dir.path()).unwrap();
            for step in before.iter().chain([&op]) {
                perform(real(), *step, running(real())).unwrap();
            }
            let model = scene(before, |disk| disk);
            record(&model, op, |disk| disk);
            assert_eq!(read_tree(dir.path()).unwrap(), model.files().seen(), "{op:?} after {before:?}");
        }
    }
}

#[test]
fn a_disk_that_is_not_there_is_not_made() {
    let error = RealDisk::open(Path::new("/nonexistent/tenon")).unwrap_err();
    assert_eq!(error.to_string(), "cannot open /nonexistent/tenon");
}

//! A real program on the real disk, killed or made to fail at each named place, and run again.
//!
//! The program is `examples/node.rs`, which `cargo test -p generations --features fault-points` builds as well.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is how they fail

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use generations::fault::{POINTS, SWITCH};

/// What a node has been through, and what is done then: together they come by every place.
const STORIES: [(&[&str], &str); 7] = [
    (&[], "stage a"),
    (&["stage a", "boot", "confirm 1"], "stage b"),
    (&["stage a", "boot", "confirm 1", "stage b"], "boot"),
    (&["stage a", "boot", "confirm 1", "stage b", "boot"], "confirm 2"),
    (&["stage a", "boot", "confirm 1", "stage b", "boot"], "rollback 2"),
    (&["stage a", "boot", "confirm 1", "stage b", "boot", "confirm 2"], "rollback 2"),
    (&["stage a", "stage b", "stage c", "boot", "confirm 3"], "collect"),
];

/// Cargo puts examples beside the directory of the tests (The Cargo Book, "Build cache").
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/node")
}

fn node(dir: &Path, words: &str, fault: &str) -> Output {
    let program = program();
    let mut command = Command::new(&program);
    command.arg(dir).args(words.split(' ')).env(SWITCH, fault);
    command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// What the state is, when nothing fails.
fn does(dir: &Path, words: &str) -> String {
    let output = node(dir, words, "");
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn after(history: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for words in history {
        does(dir.path(), words);
    }
    dir
}

#[test]
fn killed_at_each_place_it_leaves_old_or_new_and_can_be_run_again() {
    let mut places = Vec::new();
    for (history, words) in STORIES {
        let before = does(after(history).path(), "check");
        let wanted = does(after(history).path(), words);
        for place in POINTS {
            let dir = after(history);
            let output = node(dir.path(), words, &format!("{place}:kill"));
            if output.status.success() {
                continue;
            }
            assert_eq!(output.status.signal(), Some(9), "{words} at {place}: {output:?}");
            places.push(*place);
            let found = does(dir.path(), "check");
            assert!([&before, &wanted].contains(&&found), "{words} killed at {place}: {found}");
            // Who boots once more counts once more.
            if words == "boot" && found == wanted {
                continue;
            }
            assert_eq!(does(dir.path(), words), wanted, "{words} killed at {place} and run again");
        }
    }
    let missed: Vec<_> = POINTS.iter().filter(|place| !places.contains(place)).collect();
    assert!(missed.is_empty(), "nothing comes by {missed:?}");
}

#[test]
fn what_fails_at_a_place_says_so_and_leaves_old_or_new() {
    for (history, words) in STORIES {
        let before = does(after(history).path(), "check");
        let wanted = does(after(history).path(), words);
        for place in POINTS {
            let dir = after(history);
            let output = node(dir.path(), words, &format!("{place}:error"));
            if output.status.success() {
                continue;
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains(place), "{words} at {place}: {said}");
            let found = does(dir.path(), "check");
            assert!([&before, &wanted].contains(&&found), "{words} failing at {place}: {found}");
        }
    }
}

/// A node that boots a set that does not come up, on the real disk: the old one is back at the third boot.
#[test]
fn two_failed_boots_end_on_the_old_set() {
    let dir = after(&["stage a", "boot", "confirm 1", "stage b"]);
    assert_eq!(does(dir.path(), "boot"), "a base b 1\n");
    assert_eq!(does(dir.path(), "boot"), "a base b 0\n");
    assert_eq!(does(dir.path(), "boot"), "a base none\n");
}

/// Without the feature no program knows the switch: this is about the one that has it.
#[test]
fn a_name_that_is_no_place_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(node(dir.path(), "check", "nowhere:kill").status.success());
}

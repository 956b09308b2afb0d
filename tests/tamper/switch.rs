//! The switch of the defences itself: programs that users get do not have it.

use std::fs;
use std::path::Path;
use std::process::Command;

use spec::defence::{SWITCH, Threat};
use tests::{from_xtask, root};

/// Every attack here runs against whole programs with the switch set, so a program that listened would fail its test.
/// This shows that there is nothing in them that could listen.
#[test]
fn programs_do_not_know_the_switch() {
    let has_it = |program: &Path| {
        let mut grep = Command::new("grep");
        grep.args(["--quiet", "--text", "--fixed-strings", SWITCH]).arg(program);
        match grep.status().unwrap().code() {
            Some(0) => true,
            Some(1) => false,
            other => panic!("grep of {} ends with {other:?}", program.display()),
        }
    };
    for variable in ["TENON_EXTBUILD", "TENON_EXTFACTORY", "TENON_EXTRUNTIME"] {
        assert!(!has_it(&from_xtask(variable)), "{variable} knows {SWITCH}");
    }
    for name in ["extbuild", "extfactory", "extruntime"] {
        let switchable = from_xtask("TENON_SWITCHABLE").join(name);
        assert!(has_it(&switchable), "{name} cannot be switched, so the attacks prove nothing");
    }
}

/// Somebody might build a release with all features.
#[test]
fn no_release_has_the_switch() {
    let source = fs::read_to_string(root().join("spec/src/defence.rs")).unwrap();
    let guard = "#[cfg(all(feature = \"switchable-defences\", not(debug_assertions)))]\ncompile_error!";
    assert!(source.contains(guard));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("debug-assertions"), "a profile may have switched the guard off");
    assert_eq!(Threat::ALL.len(), 33);
}

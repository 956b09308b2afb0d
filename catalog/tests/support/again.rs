//! A test that needs variables of its own: it runs in another process.

use std::ffi::OsStr;
use std::process::Command;

/// Runs the ignored test `name` of the same file with these variables; it must succeed.
pub(crate) fn again(name: &str, variables: &[(&str, &OsStr)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", name]).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

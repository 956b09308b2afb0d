//! Running other programs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Error;
use crate::error::LastLines;

/// Runs a program that talks to the person itself.
///
/// # Errors
/// [`Error::Start`], and [`Error::Failed`] for any exit code but 0.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|cause| cannot_start(command, cause))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::Failed { command: line(command), status }),
    }
}

/// Runs a program that a person need not see, and returns what it wrote to stdout.
///
/// # Errors
/// [`Error::Start`], and [`Error::FailedQuietly`] with the end of its output for any exit code but 0.
pub fn read(command: &mut Command) -> Result<String, Error> {
    let output = capture(command)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Error::FailedQuietly {
            command: line(command),
            status: output.status,
            said: LastLines::of(&said(&output)),
        }),
    }
}

/// Runs a program that talks to the person on stderr, and returns what it wrote to stdout.
///
/// # Errors
/// [`Error::Start`], and [`Error::Failed`] for any exit code but 0.
pub fn read_aloud(command: &mut Command) -> Result<String, Error> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|cause| cannot_start(command, cause))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Error::Failed { command: line(command), status: output.status }),
    }
}

/// Runs a program with no input, whatever its end, and returns all that it wrote.
///
/// Its messages are in English, for the few that we look into.
///
/// # Errors
/// [`Error::Start`].
pub fn capture(command: &mut Command) -> Result<Output, Error> {
    command.stdin(Stdio::null()).env("LC_ALL", "C");
    command.output().map_err(|cause| cannot_start(command, cause))
}

/// Both streams of a program, its errors last.
pub fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n")
}

/// The path of a program, if the machine has it.
///
/// The `sbin` directories are looked into as well: Debian leaves them out of an ordinary user's `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Is this process allowed to install packages? The owner of `/proc/self` is its effective user (proc(5)).
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|meta| meta.uid() == 0)
}

/// The command line, for messages.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, cause: std::io::Error) -> Error {
    Error::Start { program: command.get_program().to_string_lossy().into_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_last_words() {
        let error = read(Command::new("sh").args(["-c", "echo first; echo reason >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(said.ends_with("reason"), "{said}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program-of-tenon")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-program-of-tenon");
        assert_eq!(find("no-such-program-of-tenon"), None);
        assert!(find("sh").is_some());
    }
}

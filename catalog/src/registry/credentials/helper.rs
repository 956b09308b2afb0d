//! The programs `docker-credential-NAME` (github.com/docker/docker-credential-helpers, README "Development"): asked
//! with `get` and the registry on stdin, they answer JSON on stdout.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use super::Credentials;

/// How long a program may take: it may ask its user for a passphrase.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Longest answer that is read, in bytes. Real ones are below 8 KiB.
const ANSWER_MAX: u64 = 64 << 10;
/// What a program without an entry answers (docker-credential-helpers, credentials/error.go).
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The name under which a program keeps an identity token (same repository, README).
const TOKEN_USER: &str = "<token>";

/// What is wrong with a program: the end of a sentence that names it. Its output is left out, for it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("has a name that no program can have")]
    Name,
    #[error("does not start: {0}")]
    Start(io::Error),
    #[error("does not answer within {} s", .0.as_secs())]
    Time(Duration),
    #[error("answers more than {ANSWER_MAX} bytes")]
    Size,
    #[error("fails: {0}")]
    Status(String),
    #[error("does not answer name and secret")]
    Answer,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks the program `docker-credential-NAME` about `server`; `None` where it knows nothing.
pub(super) fn get(name: &str, server: &str) -> Result<Option<Credentials>, Trouble> {
    // The name is looked up in PATH, so it must not be a path.
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(sound) {
        return Err(Trouble::Name);
    }
    ask(Command::new(format!("docker-credential-{name}")).arg("get"), server, TIME_MAX)
}

fn ask(command: &mut Command, server: &str, limit: Duration) -> Result<Option<Credentials>, Trouble> {
    // It may talk to its user on stderr.
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // In a process group of its own it can be ended with all that it has started; but from there it could not ask at a
    // terminal (SIGTTIN, termios(3)).
    let alone = File::open("/dev/tty").is_err();
    if alone {
        command.process_group(0);
    }
    let due = Instant::now() + limit;
    let mut child = command.spawn().map_err(Trouble::Start)?;
    let done =
        exchange(&mut child, server, limit).and_then(|answer| Ok((answer, end(&mut child, due, limit)?)));
    if done.is_err() {
        // It was not waited for, so its number is still its own.
        if alone {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        }
        let _ = (child.kill(), child.wait());
    }
    let (answer, status) = done?;
    if !status.success() {
        return match String::from_utf8_lossy(&answer).contains(NOT_FOUND) {
            true => Ok(None),
            false => Err(Trouble::Status(status.to_string())),
        };
    }
    let Answer { username, secret } = serde_json::from_slice(&answer).map_err(|_| Trouble::Answer)?;
    Ok(Some(match username == TOKEN_USER {
        true => Credentials::Identity(secret),
        false => Credentials::Password { user: username, password: secret },
    }))
}

/// Writes the question and reads the answer to its end.
fn exchange(child: &mut Child, server: &str, limit: Duration) -> Result<Vec<u8>, Trouble> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (sender, receiver) = mpsc::channel();
    let question = format!("{server}\n");
    // A thread, for neither end can be made to give up; the program's end ends it.
    std::thread::spawn(move || {
        // A program that does not read has its answer already.
        let _ = stdin.map(|mut stdin| stdin.write_all(question.as_bytes()));
        let mut answer = Vec::new();
        let read = stdout.map(|stdout| stdout.take(ANSWER_MAX + 1).read_to_end(&mut answer));
        let _ = sender.send(read.unwrap_or(Ok(0)).map(|_| answer));
    });
    match receiver.recv_timeout(limit) {
        Ok(Ok(answer)) if answer.len() as u64 > ANSWER_MAX => Err(Trouble::Size),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Trouble::Answer),
        Err(_) => Err(Trouble::Time(limit)),
    }
}

/// Waits for the end of a program that has closed its output, and so has little left to do.
fn end(child: &mut Child, due: Instant, limit: Duration) -> Result<ExitStatus, Trouble> {
    loop {
        match child.try_wait().map_err(Trouble::Start)? {
            Some(status) => return Ok(status),
            None if Instant::now() > due => return Err(Trouble::Time(limit)),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Result<Option<Credentials>, Trouble> {
        ask(Command::new("sh").args(["-c", text, "docker-credential-test", "get"]), "r.example", TIME_MAX)
    }

    #[test]
    fn a_program_is_asked_on_its_stdin() {
        let found = script(
            r#"read server; echo "{\"ServerURL\":\"$server\",\"Username\":\"$server/$1\",\"Secret\":\"s\"}""#,
        );
        let wanted = Credentials::Password { user: "r.example/get".into(), password: "s".into() };
        assert_eq!(found.unwrap(), Some(wanted));
        let found = script(r#"echo '{"Username":"<token>","Secret":"s"}'"#);
        assert_eq!(found.unwrap(), Some(Credentials::Identity("s".into())));
        assert_eq!(script(&format!("echo {NOT_FOUND}; exit 1")).unwrap(), None);
    }

    #[test]
    fn a_program_that_misbehaves_is_named_and_not_quoted() {
        assert!(
            matches!(script("echo hunter2; exit 1"), Err(Trouble::Status(status)) if !status.contains("hunter2"))
        );
        assert!(matches!(script("echo hunter2"), Err(Trouble::Answer)));
        assert!(matches!(script("kill -9 $$"), Err(Trouble::Status(_))));
        assert!(matches!(get("no/such", "x"), Err(Trouble::Name)));
        assert!(matches!(get("", "x"), Err(Trouble::Name)));
        assert!(matches!(get("tenon-has-no-such", "x"), Err(Trouble::Start(_))));
    }

    #[test]
    fn time_and_output_of_a_program_are_bounded() {
        let started = Instant::now();
        assert!(matches!(script("cat /dev/zero"), Err(Trouble::Size)));
        for slow in ["exec sleep 60", "exec sleep 60 >&-", "exec 0<&-; exec sleep 60"] {
            let mut slow_one = Command::new("sh");
            let limit = Duration::from_millis(100);
            assert!(matches!(ask(slow_one.args(["-c", slow]), "x", limit), Err(Trouble::Time(_))), "{slow}");
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    /// setsid(1) takes the terminal away, if the tests have one.
    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let name = "registry::credentials::helper::tests::a_program_with_a_child_is_ended";
        let mut again = Command::new("setsid");
        again.arg("--wait").arg(std::env::current_exe().unwrap()).args(["--exact", "--ignored", name]);
        let output = again.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn a_program_with_a_child_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("child");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let limit = Duration::from_secs(1);
        assert!(matches!(ask(Command::new("sh").args(["-c", &script]), "x", limit), Err(Trouble::Time(_))));
        let child = std::fs::read_to_string(&file).unwrap();
        // It may still be there for somebody to ask how it ended (Z, proc_pid_stat(5)). A busy machine takes its time.
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        let ended = |stat: &str| stat.is_empty() || stat.contains(") Z ");
        let patience = Instant::now() + Duration::from_secs(20);
        while !ended(&stat()) {
            assert!(Instant::now() < patience, "it still runs: {}", stat());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

//! Programs of the system that are run for an extension, and not for longer than they may.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait for the last words of a program that has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// What a program that is run finds in its environment, and nothing else.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of what a program says against itself is kept, in bytes.
const SAID_MAX: usize = 4096;

/// Runs a program to its end, or until it has no more time; then it is killed with all that it started. The error is why it
/// did not end well, and its own last words.
pub(crate) fn run(program: &str, arguments: &[String], until: Instant) -> Result<(), String> {
    let mut program = Command::new(program);
    program.args(arguments).env_clear().env("PATH", PATH).current_dir("/").process_group(0);
    program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = program.spawn().map_err(|error| format!("it does not start: {error}"))?;
    let (sender, said) = mpsc::channel();
    if let Some(stream) = child.stderr.take() {
        thread::spawn(move || sender.send(last_line(stream)));
    }
    let ended = wait(&mut child, until);
    kill_all(&child);
    // What left the group may hold the stream open for ever.
    let said = said.recv_timeout(LAST_WORDS).unwrap_or_default();
    let how = match ended {
        Ok(Some(status)) if status.success() => return Ok(()),
        Ok(Some(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("it ended with {code}"),
            (None, signal) => format!("signal {} ended it", signal.unwrap_or_default()),
        },
        Ok(None) => "it did not end".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(if said.is_empty() { how } else { format!("{how}: {said}") })
}

/// Its exit status; nothing if it ran out of time, and was killed.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(PAUSE.min(until.saturating_duration_since(Instant::now())));
    }
    kill_all(child);
    child.wait().map(|_| None)
}

fn kill_all(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // Fails only where nobody is left.
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}

/// The last line that is not empty, of the first and the last bytes of a stream that may have no end.
fn last_line(mut stream: ChildStderr) -> String {
    let (mut kept, mut chunk) = (Vec::new(), [0; SAID_MAX]);
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..count]);
        kept.drain(..kept.len().saturating_sub(SAID_MAX));
    }
    let text = String::from_utf8_lossy(&kept);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

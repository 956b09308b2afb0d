//! A program that signs, as behind it a token, a security module or a service may be.
//!
//! It gets the bytes that are to be signed on its standard input, which is a file, so that it may ask for their number
//! before it reads them. It writes the signature, 64 bytes and nothing else, to its standard output and ends with
//! exit code 0. Its standard error and its environment are ours, and [`HINT_VARIABLE`] says which key is meant.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use signing::{Message, PublicKey, Signer};
use spec::{Diagnose, Outcome};

use super::family::Family;
use super::words::{self, SplitError};

/// The variable in which the program finds the hint of the key, as `extbuild key show` prints it.
const HINT_VARIABLE: &str = "TENON_KEY_HINT";
/// Bytes of a signature (RFC 8032, section 5.1.6).
const SIGNATURE: usize = 64;
/// How long to wait between two looks at whether the program has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// A [`Signer`] by way of a program.
#[derive(Debug)]
pub(crate) struct Program {
    words: Vec<String>,
    key: PublicKey,
    limit: Duration,
}

impl Program {
    /// The program in a command line, which signs with `key` and has so much time.
    pub(crate) fn new(line: &str, key: PublicKey, limit: Duration) -> Result<Program, ProgramError> {
        let words = words::split(line).map_err(ProgramError::Split)?;
        Ok(Program { words, key, limit })
    }

    fn name(&self) -> String {
        self.words[0].clone()
    }

    fn start(&self, message: &Message) -> Result<Child, ProgramError> {
        let input = file_of(message.as_bytes()).map_err(ProgramError::Input)?;
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).env(HINT_VARIABLE, self.key.hint().to_string());
        command.stdin(input).stdout(Stdio::piped());
        command.spawn().map_err(|source| ProgramError::Start { name: self.name(), source })
    }

    /// What the program has written when it is done, at most a byte more than a signature has.
    fn output(&self, child: &mut Child, deadline: Instant) -> Result<Vec<u8>, ProgramError> {
        let stdout = child.stdout.take().expect("it was asked for");
        let late = || ProgramError::Late { name: self.name(), limit: self.limit.as_secs() };
        let output = read_in_time(stdout, deadline).ok_or_else(late)?;
        let output = output.map_err(|source| ProgramError::Output { name: self.name(), source })?;
        if output.len() > SIGNATURE {
            return Err(ProgramError::TooMuch { name: self.name() });
        }
        let status = wait_in_time(child, deadline)
            .map_err(|source| ProgramError::Output { name: self.name(), source })?;
        match status.ok_or_else(late)? {
            status if status.success() => Ok(output),
            status => Err(ProgramError::Failed { name: self.name(), status }),
        }
    }
}

impl Signer for Program {
    type Error = ProgramError;

    fn public_key(&self) -> PublicKey {
        self.key
    }

    fn sign(&self, message: &Message) -> Result<[u8; 64], ProgramError> {
        let family = Family::found();
        let mut child = self.start(message)?;
        let output = self.output(&mut child, Instant::now() + self.limit);
        if output.as_ref().is_err_and(|error| !matches!(error, ProgramError::Failed { .. })) {
            family.end(&mut child);
        }
        let output = output?;
        let size = output.len();
        output.try_into().map_err(|_| ProgramError::Size { name: self.name(), size })
    }
}

/// A file without a name, read from its start.
fn file_of(bytes: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Reads to the end, but no more than shows that it is too much; none where that takes too long. The thread ends with the
/// pipe, and at last with this program.
fn read_in_time(stdout: ChildStdout, deadline: Instant) -> Option<io::Result<Vec<u8>>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut output = Vec::new();
        let read = stdout.take(SIGNATURE as u64 + 1).read_to_end(&mut output);
        // Nobody listens any more where the time is over.
        drop(send.send(read.map(|_| output)));
    });
    receive.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
}

/// How the program has ended; none where that takes too long.
fn wait_in_time(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= deadline => return Ok(None),
            None => thread::sleep(PAUSE),
        }
    }
}

/// Why a program has not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("--signer-cmd cannot be used")]
    Split(#[source] SplitError),
    #[error("cannot put what is to be signed into a temporary file")]
    Input(#[source] io::Error),
    #[error("the signer {name} cannot be started")]
    Start { name: String, source: io::Error },
    #[error("the signer {name} cannot be heard")]
    Output { name: String, source: io::Error },
    #[error("the signer {name} has failed: {status}")]
    Failed { name: String, status: ExitStatus },
    #[error("the signer {name} was not done after {limit} seconds, and was ended")]
    Late { name: String, limit: u64 },
    #[error("the signer {name} has written {size} bytes, where a signature of Ed25519 has {SIGNATURE}")]
    Size { name: String, size: usize },
    #[error("the signer {name} has written more than the {SIGNATURE} bytes of a signature, and was ended")]
    TooMuch { name: String },
}

impl Diagnose for ProgramError {
    /// A program that answers, and wrongly, has been asked; all others have not.
    fn outcome(&self) -> Outcome {
        match self {
            ProgramError::Size { .. } | ProgramError::TooMuch { .. } => Outcome::Refused,
            _ => Outcome::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            ProgramError::Split(error) => return error.hint(),
            ProgramError::Start { .. } => {
                "no shell looks at the command: name a program, and put pipes into a script".into()
            }
            ProgramError::Failed { .. } => "what it says of it is above".into(),
            ProgramError::Late { .. } => {
                "a program that waits for a person may get more time with --signer-timeout".into()
            }
            ProgramError::Size { .. } | ProgramError::TooMuch { .. } => {
                "it must write the bytes of the signature themselves, not base64, and words to stderr".into()
            }
            ProgramError::Input(_) | ProgramError::Output { .. } => return None,
        })
    }
}

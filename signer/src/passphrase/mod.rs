//! Where passphrases come from: a file, or whoever sits at the terminal.

mod prompt;

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use signing::{Passphrase, PassphraseError};
use spec::{Diagnose, Outcome};
use terminal::{Failure, Place};
use zeroize::Zeroizing;

use crate::args::{LockArgs, PassphraseArgs};
use crate::key_file::check_private;

/// The variable with the file that has the passphrase, for those who cannot pass an argument.
const VARIABLE: &str = "TENON_PASSPHRASE_FILE";

/// What is known about a passphrase before it is needed.
#[derive(Debug)]
pub struct Source {
    file: Option<PathBuf>,
    /// The argument that could have named a file.
    argument: &'static str,
}

impl Source {
    /// A file that was named by this argument, if it was.
    pub fn new(file: Option<PathBuf>, argument: &'static str) -> Source {
        Source { file, argument }
    }

    /// The passphrase of a key that is there.
    pub fn existing(&self, of: &Path) -> Result<Passphrase, Failure> {
        match &self.file {
            Some(file) => Ok(Passphrase::new(read(file)?).map_err(Bad::of(file))?),
            None => Ok(Passphrase::new(self.ask(&format!("Passphrase of {}: ", of.display()))?)?),
        }
    }

    /// A passphrase for a key that is about to be written.
    pub fn fresh(&self, path: &Path) -> Result<Passphrase, Failure> {
        match &self.file {
            Some(file) => Ok(Passphrase::new(read(file)?).map_err(NoLock).map_err(Bad::of(file))?),
            None => twice(path, |question| self.ask(question)),
        }
    }

    fn ask(&self, question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Err(Unasked::NoTerminal { argument: self.argument }.into());
        }
        Ok(prompt::ask(&stdin, &mut std::io::stderr(), question)?)
    }
}

/// What is typed blindly is typed twice.
fn twice(
    path: &Path,
    mut ask: impl FnMut(&str) -> Result<Zeroizing<Vec<u8>>, Failure>,
) -> Result<Passphrase, Failure> {
    let first = ask(&format!("New passphrase for {}: ", path.display()))?;
    let first = Passphrase::new(first).map_err(NoLock)?;
    let second = Passphrase::new(ask("The same again: ")?);
    match second.is_ok_and(|second| second.is(&first)) {
        true => Ok(first),
        false => Err(Unasked::Different.into()),
    }
}

impl From<PassphraseArgs> for Source {
    fn from(args: PassphraseArgs) -> Source {
        Source::new(args.passphrase_file.or_else(from_environment), "--passphrase-file")
    }
}

/// How a key is to be written: behind a passphrase from somewhere, unless somebody said no.
pub fn lock(args: LockArgs) -> Option<Source> {
    let LockArgs { passphrase_file, no_passphrase } = args;
    (!no_passphrase).then(|| PassphraseArgs { passphrase_file }.into())
}

fn from_environment() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The first line of a file that is kept from others, or of a pipe, as `<(…)` of a shell makes it.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let cannot = || Place::cannot("read", path);
    let file = File::open(path).map_err(cannot())?;
    let metadata = file.metadata().map_err(cannot())?;
    match metadata.file_type() {
        kind if kind.is_fifo() => {}
        kind if kind.is_file() => check_private(path, &metadata)?,
        _ => {
            let neither = std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is neither a regular file nor a pipe",
            );
            return Err(cannot()(neither).into());
        }
    }
    Ok(first_line(file).map_err(cannot())?)
}

/// The bytes before the first end of line, at most one more than a passphrase may have.
fn first_line(mut file: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(Passphrase::MAX + 1));
    let mut byte = Zeroizing::new([0]);
    while line.len() <= Passphrase::MAX {
        match file.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(line)
}

/// A file without a passphrase in it.
#[derive(Debug, thiserror::Error)]
#[error("{} has no passphrase in its first line", path.display())]
struct Bad<E> {
    path: PathBuf,
    source: E,
}

impl<E> Bad<E> {
    /// For `map_err`.
    fn of(path: &Path) -> impl FnOnce(E) -> Bad<E> {
        let path = path.to_owned();
        move |source| Bad { path, source }
    }
}

impl<E: Diagnose + 'static> Diagnose for Bad<E> {
    fn outcome(&self) -> Outcome {
        self.source.outcome()
    }

    fn hint(&self) -> Option<String> {
        self.source.hint()
    }
}

/// A passphrase with which no new key can be locked; unlike one that is there, it may do without.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct NoLock(PassphraseError);

impl Diagnose for NoLock {
    fn outcome(&self) -> Outcome {
        self.0.outcome()
    }

    fn hint(&self) -> Option<String> {
        match self.0 {
            PassphraseError::Empty => Some("for a key without one, say --no-passphrase".into()),
            other => other.hint(),
        }
    }
}

/// Nobody has given a passphrase.
#[derive(Debug, thiserror::Error)]
enum Unasked {
    #[error("a passphrase is needed, and standard input is no terminal to ask for it")]
    NoTerminal { argument: &'static str },
    #[error("the two passphrases are not the same")]
    Different,
}

impl Diagnose for Unasked {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        match self {
            Unasked::NoTerminal { argument: "--passphrase-file" } => Some(format!(
                "put it into a file of mode 0600 and say --passphrase-file FILE or {VARIABLE}=FILE"
            )),
            Unasked::NoTerminal { argument } => {
                Some(format!("put it into a file of mode 0600 and say {argument} FILE"))
            }
            Unasked::Different => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line_and_nothing_else() {
        for text in ["secret", "secret\n", "secret\nanother\n"] {
            assert_eq!(first_line(text.as_bytes()).unwrap().as_slice(), b"secret", "{text:?}");
        }
        assert_eq!(first_line(&b"\nsecret"[..]).unwrap().len(), 0);
        assert_eq!(first_line(std::io::repeat(b'x')).unwrap().len(), Passphrase::MAX + 1);
    }

    #[test]
    fn what_is_typed_only_once_counts_for_nothing() {
        let typed = |answers: [&str; 2]| {
            let mut answers = answers.into_iter();
            let mut asked = 0;
            let passphrase = twice(Path::new("key.pem"), |_| {
                asked += 1;
                Ok(Zeroizing::new(answers.next().unwrap().as_bytes().to_vec()))
            });
            (passphrase.map_err(|failure| failure.sentence()), asked)
        };
        let (passphrase, asked) = typed(["secret", "secret"]);
        assert!(passphrase.is_ok() && asked == 2);
        for other in ["Secret", ""] {
            let (passphrase, _) = typed(["secret", other]);
            assert_eq!(passphrase.unwrap_err(), "the two passphrases are not the same");
        }
        let (passphrase, asked) = typed(["", ""]);
        assert_eq!((passphrase.unwrap_err().as_str(), asked), ("the passphrase is empty", 1));
    }

    #[test]
    fn a_file_with_a_passphrase_is_a_secret_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        fs::write(&path, "secret\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let sentence = read(&path).unwrap_err().sentence();
        assert!(sentence.ends_with("is a secret that others may use: its mode is 0644"), "{sentence}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).is_ok());
        assert!(read(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn a_file_without_a_passphrase_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        for (text, cause) in
            [("", "is empty"), ("\nsecret", "is empty"), ("secret\r\n", "control characters")]
        {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let source = Source::new(Some(path.clone()), "--passphrase-file");
            let (new, old) = (source.fresh(&path).unwrap_err(), source.existing(&path).unwrap_err());
            let sentence = new.sentence();
            assert!(sentence.contains("has no passphrase in its first line: the passphrase"), "{sentence}");
            assert!(sentence.contains(cause) && old.sentence() == sentence, "{sentence}");
            // Only where a key is written there is such an argument.
            let argument = |failure: Failure| failure.hint().is_some_and(|hint| hint.contains("--no-"));
            assert_eq!((argument(new), argument(old)), (cause == "is empty", false), "{text:?}");
        }
    }
}

//! A line that is typed at a terminal and not shown.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use signing::Passphrase;
use spec::{Diagnose, Outcome};
use zeroize::Zeroizing;

/// Ctrl-C, Ctrl-D and Ctrl-U, and the two codes that a backspace key has (ascii(7)).
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const KILL: u8 = 0x15;
const DELETE: u8 = 0x7f;

/// Asks on `words` and reads from `terminal`. The terminal is as it was before whatever happens, a signal from outside
/// aside.
pub(super) fn ask(
    terminal: &impl AsFd,
    words: &mut impl Write,
    question: &str,
) -> Result<Zeroizing<Vec<u8>>, NoLine> {
    let quiet = Quiet::new(terminal.as_fd()).map_err(NoLine::Terminal)?;
    write!(words, "{question}").and_then(|()| words.flush()).map_err(NoLine::Terminal)?;
    let line = read_line(terminal.as_fd());
    // The end of line that was typed was not shown either.
    drop(writeln!(words));
    drop(quiet);
    line
}

/// A terminal that hands out every byte at once, shows none, and raises no signals, so that nothing ends this program
/// while it is so.
struct Quiet<'t> {
    terminal: BorrowedFd<'t>,
    before: Termios,
}

impl<'t> Quiet<'t> {
    /// What was typed before the question is thrown away: it was shown.
    fn new(terminal: BorrowedFd<'t>) -> io::Result<Quiet<'t>> {
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        // One byte is enough for a read to return, however long it takes (termios(3)).
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Flush, &modes)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // A terminal that has gone away needs no settings.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn read_line(terminal: BorrowedFd<'_>) -> Result<Zeroizing<Vec<u8>>, NoLine> {
    let mut line = Zeroizing::new(Vec::with_capacity(Passphrase::MAX + 1));
    loop {
        match read_byte(terminal).map_err(NoLine::Terminal)? {
            Some(b'\n' | b'\r') => return Ok(line),
            None | Some(INTERRUPT | END) => return Err(NoLine::Cancelled),
            Some(BACKSPACE | DELETE) => remove_character(&mut line),
            Some(KILL) => line.clear(),
            // Too long already: the rest is read away, and the length tells.
            Some(_) if line.len() > Passphrase::MAX => {}
            Some(byte) => line.push(byte),
        }
    }
}

/// The next byte; none where the terminal was hung up.
fn read_byte(terminal: BorrowedFd<'_>) -> io::Result<Option<u8>> {
    let mut byte = Zeroizing::new([0]);
    loop {
        match rustix::io::read(terminal, &mut *byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// One character of UTF-8 is up to four bytes, of which only the first does not begin with the bits 10 (RFC 3629).
fn remove_character(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// Why nothing was typed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    #[error("the terminal cannot be asked for a passphrase")]
    Terminal(#[source] io::Error),
    #[error("nobody has typed a passphrase")]
    Cancelled,
}

impl Diagnose for NoLine {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    /// A terminal of which the test is the person.
    fn terminal() -> (File, OwnedFd) {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let terminal = ioctl_tiocgptpeer(&person, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        (File::from(person), terminal)
    }

    /// What comes of typing these keys, and everything that was to be seen meanwhile.
    fn typed(keys: &[u8]) -> (Result<Zeroizing<Vec<u8>>, NoLine>, String) {
        let (mut person, terminal) = terminal();
        let before = tcgetattr(&terminal).unwrap();
        let line = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut words = File::from(terminal.try_clone().unwrap());
                ask(&terminal, &mut words, "Passphrase: ")
            });
            // Keys come when the question is there; what is typed before is thrown away.
            let mut question = [0; 12];
            person.read_exact(&mut question).unwrap();
            assert_eq!(&question, b"Passphrase: ");
            person.write_all(keys).unwrap();
            asking.join().unwrap()
        });
        let after = tcgetattr(&terminal).unwrap();
        assert_eq!(after.local_modes, before.local_modes, "the terminal was left as it is");
        writeln!(File::from(terminal), "end").unwrap();
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(b"end") {
            person.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        (line, String::from_utf8(seen).unwrap())
    }

    #[test]
    fn what_is_typed_is_read_and_not_shown() {
        let (line, seen) = typed(b"open sesame\r");
        assert_eq!(line.unwrap().as_slice(), b"open sesame");
        assert_eq!(seen, "\r\nend");
    }

    #[test]
    fn mistakes_are_taken_back() {
        for (keys, wanted) in [
            ("sesamr\x7fe\n", "sesame"),
            ("gr\u{fc}\x7f\x08ruen\n", "gruen"),
            ("wrong\x15right\n", "right"),
            ("\x7f\x7fx\n", "x"),
            ("\n", ""),
        ] {
            assert_eq!(typed(keys.as_bytes()).0.unwrap().as_slice(), wanted.as_bytes(), "{keys:?}");
        }
    }

    #[test]
    fn whoever_gives_up_is_let_go() {
        for key in [INTERRUPT, END] {
            let (line, _) = typed(&[b'x', key]);
            assert!(matches!(line.unwrap_err(), NoLine::Cancelled));
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let (line, _) = typed(&[&[b'x'; 3000][..], b"\n"].concat());
        assert_eq!(line.unwrap().len(), Passphrase::MAX + 1);
    }

    #[test]
    fn what_is_no_terminal_is_not_asked() {
        let file = tempfile::tempfile().unwrap();
        assert!(matches!(ask(&file, &mut io::sink(), "?").unwrap_err(), NoLine::Terminal(_)));
    }
}

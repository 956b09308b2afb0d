//! What every error of Tenon can say about itself besides its sentence.

/// How a command that did not succeed has ended; the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It looked, and the answer is no: the input, the signature or the fit is found wanting.
    Refused,
    /// It could not look: usage, input/output, network.
    Unavailable,
}

impl Outcome {
    /// The exit code of a program: 1 refused, 2 could not look.
    pub const fn exit_code(self) -> u8 {
        match self {
            Outcome::Refused => 1,
            Outcome::Unavailable => 2,
        }
    }
}

/// An error that knows how its command ends and what the person who reads it can do next.
///
/// `Display` is one sentence that names the place (file, line, digest, symbol); causes are in `source()` and are
/// not repeated in the sentence.
pub trait Diagnose: std::error::Error {
    /// Was the thing refused, or could it not be looked at?
    fn outcome(&self) -> Outcome;

    /// One thing to do about it, as an instruction; printed after `hint: `.
    fn hint(&self) -> Option<String> {
        None
    }
}

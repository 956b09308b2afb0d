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

/// For what takes any error: there is none.
impl Diagnose for std::convert::Infallible {
    fn outcome(&self) -> Outcome {
        match *self {}
    }
}

/// The causes of an error, the nearest first.
pub fn causes<'a>(
    error: &'a (dyn std::error::Error + 'a),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'a)> {
    std::iter::successors(error.source().map(|cause| cause as _), |cause: &&dyn std::error::Error| {
        cause.source().map(|cause| cause as _)
    })
}

/// An error and its causes as one sentence, for places that have one line.
pub fn sentence(error: &dyn std::error::Error) -> String {
    causes(error).fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn causes_come_in_order_and_once() {
        let error = Link("a", Some(Box::new(Link("b", Some(Box::new(Link("c", None)))))));
        assert_eq!(sentence(&error), "a: b: c");
        assert_eq!(causes(&error).count(), 2);
    }
}

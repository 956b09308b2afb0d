//! Why an image that a trusted key has signed is not used all the same.

use spec::{Diagnose, Outcome, Reason, ReasonCode};

use crate::cannot::Cannot;
use crate::content::ContentError;
use crate::walk::TreeFault;

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is not the one that was signed, or it cannot be held.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// It has extended attributes, which could hide or redirect what lies below it.
    #[error("the image has a table of extended attributes")]
    ExtendedAttributes,
    /// The kernel does not mount it.
    #[error(transparent)]
    Mount(#[from] Cannot),
    /// Its tree is not the one that was signed, or has what no extension may have.
    #[error(transparent)]
    Tree(#[from] TreeFault),
}

impl ImageError {
    /// The error as the reason why an extension stays out.
    pub(crate) fn reason(&self) -> Reason {
        let (code, found) = match self {
            ImageError::Content(error) => (error.code(), error.wanted_found()),
            ImageError::Tree(TreeFault::Read { .. }) | ImageError::Mount(_) => {
                (ReasonCode::ActivationFailed, None)
            }
            ImageError::Tree(_) | ImageError::ExtendedAttributes => (ReasonCode::MalformedArtifact, None),
        };
        let reason = Reason { hint: self.hint(), ..Reason::new(code, spec::sentence(self)) };
        let reason = match found {
            Some((wanted, found)) => reason.wanted_found(wanted, found),
            None => reason,
        };
        match self {
            ImageError::Tree(fault) => reason.subject(fault.path().as_str()),
            _ => reason,
        }
    }
}

impl Diagnose for ImageError {
    fn outcome(&self) -> Outcome {
        match self {
            ImageError::Content(error) => error.outcome(),
            ImageError::Mount(error) => error.outcome(),
            ImageError::ExtendedAttributes | ImageError::Tree(_) => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ImageError::Content(error) => error.hint(),
            ImageError::Mount(error) => error.hint(),
            ImageError::ExtendedAttributes | ImageError::Tree(_) => {
                Some("build the image with extbuild, which makes no such thing, and sign it again".into())
            }
        }
    }
}

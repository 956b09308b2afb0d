//! Why an image that a trusted key has signed is not used all the same.

use grants::Undeclared;
use spec::defence::{self, Threat};
use spec::{Diagnose, Grant, Outcome, Reason, ReasonCode};
use squash::image::Source;
use squash::verity::VerityFault;
use squash::{BrokenPromise, Promise};

use crate::cannot::Cannot;
use crate::content::ContentError;

/// Holds the content of an image against what is signed about it. The kernel is given none that was not.
pub(crate) fn check(image: &dyn Source, promise: &Promise<'_>, grants: &[Grant]) -> Result<(), ImageError> {
    if defence::stands(Threat::C8) {
        grants::of_image(&promise.check(image)?).check(grants)?;
    }
    Ok(())
}

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is not the one that was signed, or it cannot be held.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The kernel does not mount it.
    #[error(transparent)]
    Mount(#[from] Cannot),
    /// Its hash tree is not the one that was signed.
    #[error("the dm-verity area of the image is not the one that was signed")]
    Tree(#[source] VerityFault),
    /// It holds what the extension does not declare.
    #[error(transparent)]
    Grants(#[from] Undeclared),
    /// Its content is not the one that was signed, or has what no extension may have.
    #[error(transparent)]
    Contents(#[from] BrokenPromise),
}

impl ImageError {
    /// The error as the reason why an extension stays out.
    pub(crate) fn reason(&self) -> Reason {
        let (code, found) = match self {
            ImageError::Content(error) => (error.code(), error.wanted_found()),
            ImageError::Mount(_) => (ReasonCode::ActivationFailed, None),
            ImageError::Contents(_) | ImageError::Tree(_) => (ReasonCode::MalformedArtifact, None),
            ImageError::Grants(Undeclared::Need(_)) => (ReasonCode::GrantMissing, None),
            ImageError::Grants(Undeclared::Opaque(_)) => (ReasonCode::MalformedArtifact, None),
        };
        let reason = Reason { hint: self.hint(), ..Reason::new(code, spec::sentence(self)) };
        let reason = match found {
            Some((wanted, found)) => reason.wanted_found(wanted, found),
            None => reason,
        };
        match self {
            ImageError::Contents(fault) => fault.place().into_iter().fold(reason, Reason::subject),
            ImageError::Grants(fault) => reason.subject(fault.path().as_str()),
            ImageError::Content(_) | ImageError::Mount(_) | ImageError::Tree(_) => reason,
        }
    }
}

impl Diagnose for ImageError {
    fn outcome(&self) -> Outcome {
        match self {
            ImageError::Content(error) => error.outcome(),
            ImageError::Mount(error) => error.outcome(),
            ImageError::Contents(_) | ImageError::Grants(_) | ImageError::Tree(_) => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ImageError::Content(error) => error.hint(),
            ImageError::Mount(error) => error.hint(),
            ImageError::Grants(error) => error.hint(),
            ImageError::Contents(_) | ImageError::Tree(_) => {
                Some("build the image with extbuild, which makes no such thing, and sign it again".into())
            }
        }
    }
}

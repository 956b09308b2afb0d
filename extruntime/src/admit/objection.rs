//! What speaks against one extension by itself.

use catalog::CatalogError;
use kabi::RecordError;
use signing::Refusal;
use spec::artifact::StepsError;
use spec::{Arch, Diagnose, ExtensionName, Reason, ReasonCode, Version, VersionRange};

use crate::image::ImageError;
use spec::sentence;

/// Versions that a sentence names.
const VERSIONS_SHOWN: usize = 5;

/// Why an extension stays out, whoever else is there.
#[derive(Debug, thiserror::Error)]
pub(super) enum Objection {
    #[error("the store has no extension {name}")]
    NoSuchName { name: ExtensionName },
    #[error("the store has no version of {name} in {range}, but {}", listed(found))]
    NoSuchVersion { name: ExtensionName, range: VersionRange, found: Vec<Version> },
    #[error(transparent)]
    Untrusted(Box<Refusal>),
    #[error("no signature of {name} can be read")]
    Unreadable {
        name: ExtensionName,
        #[source]
        first: CatalogError,
    },
    #[error(transparent)]
    Store(#[from] CatalogError),
    #[error("the signed config is of version {found}; the index of the store says {wanted}")]
    OtherVersion { wanted: Box<Version>, found: Box<Version> },
    #[error("it is for {found}, and this machine is {wanted}")]
    OtherArch { wanted: Arch, found: Arch },
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Steps(#[from] StepsError),
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl From<Refusal> for Objection {
    fn from(refusal: Refusal) -> Objection {
        Objection::Untrusted(Box::new(refusal))
    }
}

fn listed(versions: &[Version]) -> String {
    let shown: Vec<String> = versions.iter().take(VERSIONS_SHOWN).map(Version::to_string).collect();
    let more = if versions.len() > VERSIONS_SHOWN { " and others" } else { "" };
    shown.join(", ") + more
}

impl Objection {
    /// The objection as status shows it.
    pub(super) fn reason(&self) -> Reason {
        let plain = |code| Reason::new(code, sentence(self));
        match self {
            Objection::NoSuchName { name } => plain(ReasonCode::NotFound)
                .hint(format!("compose the medium with {name}, or take it out of the machine config")),
            Objection::NoSuchVersion { name, range, found } => {
                plain(ReasonCode::NotFound).wanted_found(range.to_string(), listed(found)).hint(format!(
                    "compose the medium with it, or change the range of {name} in the machine config"
                ))
            }
            Objection::Untrusted(refusal) => refusal.reason(),
            Objection::Unreadable { name: _, first } => {
                Reason { hint: first.hint(), ..plain(ReasonCode::SignatureMissing) }
            }
            Objection::Store(error) => of_store(error, plain(error.reason_code())),
            Objection::OtherVersion { wanted, found } => {
                plain(ReasonCode::IdentityMismatch).wanted_found(wanted.to_string(), found.to_string())
            }
            Objection::OtherArch { wanted, found } => plain(ReasonCode::ArchMismatch)
                .wanted_found(wanted.as_str(), found.as_str())
                .hint(format!("publish the extension for {wanted}, too")),
            Objection::Record(_) => plain(ReasonCode::MalformedArtifact),
            Objection::Steps(StepsError::TooManyProbes(_)) => plain(ReasonCode::MalformedArtifact),
            Objection::Steps(undeclared @ StepsError::Undeclared(grant)) => {
                let reason = plain(ReasonCode::GrantMissing).subject(grant.subject());
                Reason { hint: undeclared.hint(), ..reason }
            }
            Objection::Image(error) => error.reason(),
        }
    }
}

fn of_store(error: &CatalogError, reason: Reason) -> Reason {
    let reason = Reason { hint: error.hint(), ..reason };
    match error {
        CatalogError::WrongDigest { wanted, found } => {
            reason.wanted_found(wanted.to_string(), found.to_string())
        }
        CatalogError::WrongSize { digest: _, wanted, found } => {
            reason.wanted_found(wanted.to_string(), found.to_string())
        }
        _ => reason,
    }
}

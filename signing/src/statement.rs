//! What is signed: an in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md) about one digest.

use serde::{Deserialize, Serialize};
use spec::artifact::media;
use spec::defence::{self, Threat};
use spec::{Diagnose, Digest, Outcome, yaml};

use crate::document::{DocumentError, Header};
use crate::envelope::{excerpt, to_json};
use crate::policy::{self, Role};
use crate::{revocation, set};

/// `_type` of a statement (in-toto Statement v1).
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a signature is for. A key signs all kinds alike, so a statement says which one it is by its `predicateType`, and
/// one of another type says nothing: neither a bill of materials nor what cosign signs is an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The manifest of this digest may be used as the extension of this name.
    Extension,
    /// The document of this digest is one of trust.
    Document(DocumentKind),
}

/// The documents of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// The next trust policy.
    Policy,
    /// What must not run any more.
    Revocation,
    /// What a class of machines runs.
    Set,
}

impl Purpose {
    /// The `predicateType` of such statements.
    pub const fn predicate_type(self) -> &'static str {
        match self {
            Purpose::Extension => media::APPROVAL,
            Purpose::Document(DocumentKind::Policy) => "https://tenon.dev/policy/v1",
            Purpose::Document(DocumentKind::Revocation) => "https://tenon.dev/revocation/v1",
            Purpose::Document(DocumentKind::Set) => "https://tenon.dev/set/v1",
        }
    }
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: [DocumentKind; 3] = [DocumentKind::Policy, DocumentKind::Revocation, DocumentKind::Set];

    /// The `kind` of the document, which is also the name of the subject.
    pub fn name(self) -> &'static str {
        match self {
            DocumentKind::Policy => policy::KIND,
            DocumentKind::Revocation => revocation::KIND,
            DocumentKind::Set => set::KIND,
        }
    }

    /// Whose signatures it needs.
    pub fn role(self) -> Role {
        match self {
            DocumentKind::Policy => Role::Root,
            DocumentKind::Revocation | DocumentKind::Set => Role::Operator,
        }
    }

    /// The kind that a text says it is.
    pub fn of(text: &str, file: &str) -> Result<DocumentKind, DocumentError> {
        let header: Header = yaml::parse(text, file)?;
        let kind = DocumentKind::ALL.into_iter().find(|kind| kind.name() == header.kind());
        kind.ok_or_else(|| header.unknown_kind(file))
    }
}

/// What a signature says: the thing of this digest goes by this name, and may be used for this purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it is about: for an extension its [`spec::ExtensionName`], for a document its `kind`.
    pub name: String,
    /// The digest of the manifest or document.
    pub digest: Digest,
}

impl Statement {
    /// The bytes that become the payload: compact JSON without a final newline.
    pub fn to_json(&self, purpose: Purpose) -> Vec<u8> {
        self.of_type(purpose.predicate_type())
    }

    pub(crate) fn of_type(&self, predicate_type: &str) -> Vec<u8> {
        to_json(&StatementDocument {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject {
                name: self.name.clone(),
                digest: SubjectDigest { sha256: self.digest.hex() },
            }],
            predicate_type: predicate_type.to_owned(),
            predicate: NoPredicate {},
        })
    }

    /// Reads a payload. The predicate type is judged first: it decides what the rest looks like.
    pub fn parse(payload: &[u8], purpose: Purpose) -> Result<Statement, StatementError> {
        let PredicateHeader { predicate_type } = serde_json::from_slice(payload)?;
        if predicate_type != purpose.predicate_type() && defence::stands(Threat::A6) {
            let wanted = purpose.predicate_type();
            return Err(StatementError::PredicateType { wanted, found: excerpt(&predicate_type) });
        }
        let document: StatementDocument = serde_json::from_slice(payload)?;
        let StatementDocument { statement_type, subject, predicate_type: _, predicate: NoPredicate {} } =
            document;
        if statement_type != STATEMENT_TYPE {
            return Err(StatementError::Type { found: excerpt(&statement_type) });
        }
        let [Subject { name, digest: SubjectDigest { sha256 } }] = <[Subject; 1]>::try_from(subject)
            .map_err(|subjects| StatementError::Subjects { count: subjects.len() })?;
        let digest = Digest::from_hex(&sha256).map_err(StatementError::Digest)?;
        Ok(Statement { name, digest })
    }
}

/// Why a signed statement is not the one that was looked for.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// It is not JSON, or not of the shape of ours.
    #[error("the statement is not of the shape of an approval")]
    Json(#[from] serde_json::Error),
    /// It is a statement of another format.
    #[error("the type of the statement is {found:?}, not {STATEMENT_TYPE:?}")]
    Type {
        /// What it says.
        found: String,
    },
    /// It is a statement for another purpose, such as a bill of materials.
    #[error("the predicate type of the statement is {found:?}, not {wanted:?}")]
    PredicateType {
        /// The type that is needed.
        wanted: &'static str,
        /// What it says.
        found: String,
    },
    /// It is not about exactly one thing.
    #[error("the statement has {count} subjects; it must have one")]
    Subjects {
        /// How many there are.
        count: usize,
    },
    /// The digest of its subject is not one.
    #[error("the subject of the statement has no SHA-256 digest")]
    Digest(#[source] spec::digest::DigestError),
}

impl Diagnose for StatementError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

// The document, field by field. serde refuses a doubled field of a struct, and these refuse unknown ones.

/// The one field of any statement that says what kind it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PredicateHeader {
    predicate_type: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StatementDocument {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: NoPredicate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    sha256: String,
}

/// A statement says everything by its subject: a predicate with a condition in it would go unheard.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoPredicate {}

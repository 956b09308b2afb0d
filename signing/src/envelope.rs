//! The exact bytes of a signature: statement, pre-authentication encoding, envelope, bundle.
//!
//! The formats are in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md), DSSE 1.0.2
//! (secure-systems-lab/dsse, protocol.md and envelope.md) and sigstore bundle v0.3 (sigstore/protobuf-specs,
//! sigstore_bundle.proto and sigstore_common.proto). The structs at the end are the formats, field by field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use spec::artifact::{limits, media};
use spec::{Diagnose, Digest, Outcome};

use crate::key::{KeyError, KeyHint};

/// `_type` of a statement (in-toto Statement v1).
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of an approval: the one that cosign signs images with (sigstore/cosign, specs/BUNDLE_SPEC.md).
/// A statement of any other type is about something else, a bill of materials for example, and approves nothing.
pub const PREDICATE_TYPE: &str = "https://sigstore.dev/cosign/sign/v1";
/// `payloadType` of an envelope that holds a statement (in-toto/attestation, spec/v1/envelope.md).
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What a signature says: the manifest of this digest goes by this name, and may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The name of the subject; for an extension its [`spec::ExtensionName`].
    pub name: String,
    /// The digest of the manifest.
    pub manifest: Digest,
}

impl Statement {
    /// The bytes that become the payload: compact JSON without a final newline.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(&StatementDocument {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject {
                name: self.name.clone(),
                digest: SubjectDigest { sha256: self.manifest.hex() },
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: NoPredicate {},
        })
    }

    /// Reads a payload. The predicate type is judged first: it decides what the rest looks like.
    pub fn parse(payload: &[u8]) -> Result<Statement, StatementError> {
        let PredicateHeader { predicate_type } = serde_json::from_slice(payload)?;
        if predicate_type != PREDICATE_TYPE {
            return Err(StatementError::PredicateType { found: excerpt(&predicate_type) });
        }
        let document: StatementDocument = serde_json::from_slice(payload)?;
        let StatementDocument { statement_type, subject, predicate_type: _, predicate: NoPredicate {} } =
            document;
        if statement_type != STATEMENT_TYPE {
            return Err(StatementError::Type { found: excerpt(&statement_type) });
        }
        let [Subject { name, digest: SubjectDigest { sha256 } }] = <[Subject; 1]>::try_from(subject)
            .map_err(|subjects| StatementError::Subjects { count: subjects.len() })?;
        let manifest = Digest::from_hex(&sha256).map_err(StatementError::Digest)?;
        Ok(Statement { name, manifest })
    }
}

/// The bytes that a signature is over: the pre-authentication encoding of a payload (DSSE protocol.md).
///
/// Only this crate makes one, and a [`crate::Signer`] signs nothing else: no signature by a key of ours can be taken for
/// one over something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    pub(crate) fn of(payload: &[u8]) -> Message {
        let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
        Message([head.as_bytes(), payload].concat())
    }

    /// Any bytes, for vectors.
    #[cfg(test)]
    pub(crate) fn raw(bytes: &[u8]) -> Message {
        Message(bytes.to_vec())
    }

    /// The bytes, to be signed as they are: pure Ed25519 (RFC 8032, section 5.1), and not a digest of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One signature as a file. Nothing in it is believed: [`crate::verify_extension`] decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    hint: KeyHint,
    payload: Vec<u8>,
    signature: [u8; 64],
}

impl Bundle {
    /// Puts together what [`crate::sign`] has checked.
    pub(crate) fn new(hint: KeyHint, payload: Vec<u8>, signature: [u8; 64]) -> Bundle {
        Bundle { hint, payload, signature }
    }

    /// Which key the bundle claims to be signed with.
    pub fn hint(&self) -> KeyHint {
        self.hint
    }

    /// The bytes that the envelope holds.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature over the [`Message`] of the payload.
    pub(crate) fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The bundle as it is stored: compact JSON without a final newline, media type [`media::BUNDLE`].
    pub fn to_json(&self) -> Vec<u8> {
        let hint = self.hint.to_string();
        to_json(&BundleDocument {
            media_type: media::BUNDLE.to_owned(),
            verification_material: VerificationMaterial {
                public_key: PublicKeyIdentifier { hint: hint.clone() },
                tlog_entries: Vec::new(),
                timestamp_verification_data: Timestamps::default(),
            },
            dsse_envelope: DsseEnvelope {
                payload: BASE64.encode(&self.payload),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![DsseSignature { sig: BASE64.encode(self.signature), keyid: hint }],
            },
        })
    }

    /// Reads a bundle, but not the statement in it: that is for after its signature is found good.
    ///
    /// Refused: more than [`limits::BUNDLE`] bytes, anything behind the document, unknown and doubled fields,
    /// another kind of content or of key, any number of signatures but one, a key id that is not the hint.
    /// Transparency log entries and timestamps of other tools are allowed and left unread.
    pub fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
        if bytes.len() as u64 > limits::BUNDLE {
            return Err(BundleError::TooLarge { size: bytes.len() });
        }
        let document = serde_json::from_slice(bytes).map_err(BundleError::Json)?;
        let BundleDocument { media_type, verification_material, dsse_envelope } = document;
        let VerificationMaterial { public_key, tlog_entries: _, timestamp_verification_data: _ } =
            verification_material;
        let DsseEnvelope { payload, payload_type, signatures } = dsse_envelope;

        expect("mediaType", media::BUNDLE, &media_type)?;
        expect("payloadType", PAYLOAD_TYPE, &payload_type)?;
        let [DsseSignature { sig, keyid }] = <[DsseSignature; 1]>::try_from(signatures)
            .map_err(|signatures| BundleError::Signatures { count: signatures.len() })?;
        expect("keyid", &public_key.hint, &keyid)?;
        let signature = decode("sig", &sig)?;
        Ok(Bundle {
            hint: public_key.hint.parse().map_err(BundleError::Hint)?,
            payload: decode("payload", &payload)?,
            signature: signature
                .try_into()
                .map_err(|bytes: Vec<u8>| BundleError::SignatureSize { size: bytes.len() })?,
        })
    }
}

fn expect(field: &'static str, wanted: &str, found: &str) -> Result<(), BundleError> {
    match found == wanted {
        true => Ok(()),
        false => Err(BundleError::Field { field, wanted: excerpt(wanted), found: excerpt(found) }),
    }
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, BundleError> {
    BASE64.decode(text).map_err(|source| BundleError::Base64 { field, source })
}

fn to_json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("structs of strings always become JSON")
}

/// Enough of a foreign text to recognise it by.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Why a bundle cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is refused unread.
    #[error("the bundle has {size} bytes; at most {} are read", limits::BUNDLE)]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// It is not JSON, or not of the shape of a DSSE bundle with a public key.
    #[error("the bundle is not a sigstore bundle v0.3 with a DSSE envelope and a key")]
    Json(#[source] serde_json::Error),
    /// A field has another value than the one that is allowed.
    #[error("the {field} of the bundle is {found:?}, not {wanted:?}")]
    Field {
        /// The field.
        field: &'static str,
        /// The value that is allowed.
        wanted: String,
        /// What it says.
        found: String,
    },
    /// There is not exactly one signature.
    #[error("the bundle has {count} signatures; it must have one")]
    Signatures {
        /// How many there are.
        count: usize,
    },
    /// A field is not base64.
    #[error("the {field} of the bundle is not base64")]
    Base64 {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        source: base64::DecodeError,
    },
    /// The key hint is of another kind.
    #[error("the bundle names its key in a way that is not known")]
    Hint(#[source] KeyError),
    /// The signature cannot be one of Ed25519.
    #[error("the signature of the bundle has {size} bytes, where Ed25519 has 64")]
    SignatureSize {
        /// Its size in bytes.
        size: usize,
    },
}

impl Diagnose for BundleError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// Why a signed statement is not the approval that was looked for.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// It is not JSON, or not of the shape of an approval.
    #[error("the statement is not of the shape of an approval")]
    Json(#[from] serde_json::Error),
    /// It is a statement of another format.
    #[error("the type of the statement is {found:?}, not {STATEMENT_TYPE:?}")]
    Type {
        /// What it says.
        found: String,
    },
    /// It is a statement about something else, such as a bill of materials.
    #[error("the predicate type of the statement is {found:?}, not {PREDICATE_TYPE:?}")]
    PredicateType {
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

// The documents. serde refuses a doubled field of a struct, and these refuse unknown ones.

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BundleDocument {
    media_type: String,
    verification_material: VerificationMaterial,
    dsse_envelope: DsseEnvelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerificationMaterial {
    public_key: PublicKeyIdentifier,
    #[serde(default)]
    tlog_entries: Vec<serde_json::Value>,
    #[serde(default)]
    timestamp_verification_data: Timestamps,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKeyIdentifier {
    hint: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Timestamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DsseEnvelope {
    payload: String,
    payload_type: String,
    signatures: Vec<DsseSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseSignature {
    sig: String,
    keyid: String,
}

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

/// An approval says everything by its subject: a predicate with a condition in it would go unheard.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoPredicate {}

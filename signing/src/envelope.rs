//! The exact bytes of a signature: pre-authentication encoding, envelope, bundle.
//!
//! The formats are DSSE 1.0.2 (secure-systems-lab/dsse, protocol.md and envelope.md) and sigstore bundle v0.3
//! (sigstore/protobuf-specs, sigstore_bundle.proto and sigstore_common.proto); what is inside is a
//! [`crate::Statement`]. The structs at the end are the formats, field by field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use spec::artifact::{limits, media};
use spec::{Diagnose, Outcome};

use crate::key::{KeyError, KeyHint};

/// `payloadType` of an envelope that holds a statement (in-toto/attestation, spec/v1/envelope.md).
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

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

    /// What minisign signs; how it cannot be taken for an encoding is said there.
    #[cfg(feature = "minisign")]
    pub(crate) fn of_minisign(bytes: Vec<u8>) -> Message {
        Message(bytes)
    }

    /// What cosign's older form signs; how it cannot be taken for an encoding is said there.
    #[cfg(feature = "simple")]
    pub(crate) fn of_simple(payload: Vec<u8>) -> Message {
        Message(payload)
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

pub(crate) fn to_json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("structs of strings always become JSON")
}

/// Enough of a foreign text to recognise it by.
pub(crate) fn excerpt(text: &str) -> String {
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

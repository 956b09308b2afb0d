//! Is the signature of a module right? Behind the feature `verify`: the boot program does not ask, the kernel does.

use ::cms::cert::x509::der::Decode;
use ::cms::cert::x509::der::asn1::ObjectIdentifier;
use ::cms::cert::x509::spki::SubjectPublicKeyInfoRef;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use spec::{Diagnose, Outcome};

use super::{SignatureProblem, cms, split};

/// RSA with PKCS #1 v1.5 padding (RFC 8017, appendix C). As an algorithm of a signature, too: the digest is named beside
/// it, and the kernel takes no other form (crypto/asymmetric_keys/pkcs7_parser.c, pkcs7_sig_note_pkey_algo).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 5480, sections 2.1.1 and 2.1.1.1.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// ECDSA with a digest of the SHA-2 family: below this arc (RFC 5758, section 3.2).
const ECDSA_WITH_SHA2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3");

/// Why a signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the module is not signed")]
    Unsigned,
    /// It cannot be read.
    #[error(transparent)]
    Problem(#[from] SignatureProblem),
    /// The key cannot be read.
    #[error("the public key is not a SubjectPublicKeyInfo in DER")]
    Key,
    /// Nobody here knows how to check it.
    #[error(
        "a signature by {signature} with {hash} and a key of type {key} cannot be checked here: expected RSA with sha256, sha384 or sha512, or ECDSA on P-256 or P-384 with sha256 or sha384"
    )]
    Unsupported {
        /// The signature algorithm, by its object identifier.
        signature: String,
        /// The digest algorithm.
        hash: String,
        /// Algorithm of the key, and its curve if it has one, by their object identifiers.
        key: String,
    },
    /// The key did not sign these bytes.
    #[error("the signature was not made by this key over these bytes")]
    Wrong,
}

impl Diagnose for SignatureError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// Checks the signature at the end of the uncompressed module `bytes` with a public key: a SubjectPublicKeyInfo (RFC
/// 5280, section 4.1.2.7) in DER, as certificates have it. Whether it is the key that the signature names, the caller
/// knows from [`crate::ModuleSignature::key`].
pub fn verify(bytes: &[u8], key: &[u8]) -> Result<(), SignatureError> {
    let parts = split(bytes)?;
    verify_detached(parts.module, parts.message.ok_or(SignatureError::Unsigned)?, key)
}

/// Checks a PKCS#7 message in DER that signs `content` and does not have it, as [`verify`] does for a module.
pub fn verify_detached(content: &[u8], message: &[u8], key: &[u8]) -> Result<(), SignatureError> {
    let signer = cms::signer(message)?;
    let key = SubjectPublicKeyInfoRef::from_der(key).map_err(|_| SignatureError::Key)?;
    let point_or_modulus = key.subject_public_key.as_bytes().ok_or(SignatureError::Key)?;

    let (signature, hash) = (signer.signature_algorithm.oid, cms::hash_name(&signer.digest_alg.oid));
    // RSA keys have no curve, but NULL in its place (RFC 4055, section 1.2).
    let curve = key.algorithm.parameters_oid().ok();
    let Some(algorithm) = algorithm(key.algorithm.oid, curve, signature, &hash) else {
        let key =
            curve.map_or(key.algorithm.oid.to_string(), |curve| format!("{} {curve}", key.algorithm.oid));
        return Err(SignatureError::Unsupported { signature: signature.to_string(), hash, key });
    };
    let key = UnparsedPublicKey::new(algorithm, point_or_modulus);
    key.verify(content, signer.signature.as_bytes()).map_err(|_| SignatureError::Wrong)
}

fn algorithm(
    key: ObjectIdentifier,
    curve: Option<ObjectIdentifier>,
    signature: ObjectIdentifier,
    hash: &str,
) -> Option<&'static dyn VerificationAlgorithm> {
    let rsa = key == RSA && signature == RSA;
    let ec = key == EC && signature.parent() == Some(ECDSA_WITH_SHA2);
    let algorithm: &dyn VerificationAlgorithm = match (rsa, ec, curve, hash) {
        (true, _, _, "sha256") => &RSA_PKCS1_2048_8192_SHA256,
        (true, _, _, "sha384") => &RSA_PKCS1_2048_8192_SHA384,
        (true, _, _, "sha512") => &RSA_PKCS1_2048_8192_SHA512,
        (_, true, Some(P256), "sha256") => &ECDSA_P256_SHA256_ASN1,
        (_, true, Some(P256), "sha384") => &ECDSA_P256_SHA384_ASN1,
        (_, true, Some(P384), "sha256") => &ECDSA_P384_SHA256_ASN1,
        (_, true, Some(P384), "sha384") => &ECDSA_P384_SHA384_ASN1,
        _ => return None,
    };
    Some(algorithm)
}

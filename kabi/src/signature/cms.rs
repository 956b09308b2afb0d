//! The CMS message of a signature, within the bounds that the kernel sets (crypto/asymmetric_keys/pkcs7_parser.c and
//! certs/system_keyring.c, `verify_pkcs7_message_sig`).

use ::cms::cert::x509::der::asn1::ObjectIdentifier;
use ::cms::cert::x509::der::{Decode, Encode, Error};
use ::cms::cert::x509::name::Name;
use ::cms::content_info::ContentInfo;
use ::cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use spec::Digest;

use super::{KeyId, ModuleSignature, SignatureProblem};
use crate::InfoText;

/// RFC 5652, sections 4 and 5.1.
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Digest algorithms by the kernel's names, which are modinfo's, too: RFC 8017, appendix B.1, and NIST's registry
/// (Computer Security Objects Register, "Hash Functions").
const HASHES: [(ObjectIdentifier, &str); 8] = [
    (ObjectIdentifier::new_unwrap("1.3.14.3.2.26"), "sha1"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"), "sha256"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"), "sha384"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"), "sha512"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4"), "sha224"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.8"), "sha3-256"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.9"), "sha3-384"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.10"), "sha3-512"),
];

/// The first signer of a message about content that is elsewhere.
pub(super) fn signer(message: &[u8]) -> Result<SignerInfo, SignatureProblem> {
    let broken = |error: Error| SignatureProblem::Cms(error.to_string());
    let info = ContentInfo::from_der(message).map_err(broken)?;
    if info.content_type != SIGNED_DATA {
        return Err(SignatureProblem::Kind("that is not signed data"));
    }
    let signed: SignedData = info.content.decode_as().map_err(broken)?;
    if signed.encap_content_info.econtent_type != DATA {
        return Err(SignatureProblem::Kind("about something else than plain data"));
    }
    if signed.encap_content_info.econtent.is_some() {
        return Err(SignatureProblem::Kind("that brings its own content along"));
    }
    let signer = signed.signer_infos.0.into_vec().into_iter().next();
    let signer = signer.ok_or(SignatureProblem::Kind("that nobody signed"))?;
    match signer.signed_attrs {
        None => Ok(signer),
        Some(_) => Err(SignatureProblem::Kind("with signed attributes")),
    }
}

/// What a signer says of itself.
pub(super) fn facts(signer: &SignerInfo) -> Result<ModuleSignature, SignatureProblem> {
    let hash = hash_name(&signer.digest_alg.oid);
    let hash = hash.parse().map_err(|_| SignatureProblem::Unreadable { what: "digest algorithm" })?;
    let unreadable = |_| SignatureProblem::Unreadable { what: "key" };
    let unreadable_issuer = || SignatureProblem::Unreadable { what: "issuer" };
    match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(certificate) => Ok(ModuleSignature {
            signer: common_name(&certificate.issuer)?,
            issuer: Some(digest_of_name(&certificate.issuer).map_err(|_| unreadable_issuer())?),
            key: KeyId::of_serial(certificate.serial_number.as_bytes()).map_err(unreadable)?,
            hash,
        }),
        SignerIdentifier::SubjectKeyIdentifier(key) => Ok(ModuleSignature {
            signer: None,
            issuer: None,
            key: KeyId::of_subject(key.0.as_bytes()).map_err(unreadable)?,
            hash,
        }),
    }
}

fn common_name(name: &Name) -> Result<Option<InfoText>, SignatureProblem> {
    let unreadable = SignatureProblem::Unreadable { what: "signer" };
    let Ok(name) = name.common_name() else { return Err(unreadable) };
    name.map(|name| name.value().parse()).transpose().map_err(|_| unreadable)
}

/// What stands for a name of which every byte counts: the kernel compares issuers so (crypto/asymmetric_keys/
/// asymmetric_type.c, `asymmetric_key_id_same`).
pub(crate) fn digest_of_name(name: &Name) -> Result<Digest, Error> {
    name.to_der().map(|der| Digest::of(&der))
}

/// The kernel's name for a digest algorithm, or its object identifier.
pub(super) fn hash_name(algorithm: &ObjectIdentifier) -> String {
    let known = HASHES.iter().find(|(identifier, _)| identifier == algorithm);
    known.map_or_else(|| algorithm.to_string(), |(_, name)| (*name).to_owned())
}

//! The certificates that are built into a kernel, found without its symbols.
//!
//! certs/system_certificates.S puts them one behind the other where a multiple of 8 bytes is, the one for modules first.
//! Behind them, again at a multiple of 8, are two numbers of 8 bytes: the length of all of them, and the length of the
//! first. Other certificates are in kernels too, for tests or to be distrusted; only those that these two numbers follow
//! are what the kernel trusts.

use ::cms::cert::x509::Certificate;
use ::cms::cert::x509::der::asn1::{ObjectIdentifier, OctetString};
use ::cms::cert::x509::der::{Decode, Encode};

use crate::signature::digest_of_name;
use crate::{InfoText, KeyId, TrustedKey};

/// What surrounds the certificates is aligned to this.
const ALIGN: usize = 8;
/// CONFIG_SYSTEM_EXTRA_CERTIFICATE leaves room before the two numbers, 4096 bytes unless somebody wants more.
const ROOM: usize = 16 << 10;
/// Most certificates that are looked at.
const MAX_CERTIFICATES: usize = 256;

/// id-at-commonName (RFC 5280, appendix A.1) and id-ce-subjectKeyIdentifier (section 4.2.1.2).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");

/// The keys of the certificates in a part of a kernel that starts at a multiple of 8; none if there are no such.
pub(super) fn find(data: &[u8]) -> Vec<TrustedKey> {
    let mut places = (0..data.len()).step_by(ALIGN).filter(|place| sequence(&data[*place..]).is_some());
    places.find_map(|place| list(&data[place..])).unwrap_or_default()
}

/// The certificates at the start of the data, if the numbers behind them say that they are what is trusted.
fn list(data: &[u8]) -> Option<Vec<TrustedKey>> {
    let mut keys = Vec::new();
    let mut lengths = Vec::new();
    let mut end = 0;
    while let Some(certificate) = sequence(&data[end..])
        && keys.len() < MAX_CERTIFICATES
    {
        keys.extend(key(certificate));
        end += certificate.len();
        lengths.push(end as u64);
    }
    let (all, _) = data.get(end.next_multiple_of(ALIGN)..)?.as_chunks();
    let mut numbers = all.array_windows().take(ROOM / ALIGN).map(|pair| pair.map(u64::from_le_bytes));
    let is_trusted = numbers.any(|[whole, first]| whole == end as u64 && lengths.contains(&first));
    (is_trusted && !keys.is_empty()).then_some(keys)
}

/// The bytes of a certificate, by the two lengths that it starts with: `SEQUENCE { SEQUENCE {` (RFC 5280, section 4.1),
/// each of 256 to 65535 bytes (X.690, section 8.1.3.5).
fn sequence(data: &[u8]) -> Option<&[u8]> {
    let [0x30, 0x82, high, low, 0x30, 0x82, ..] = data else { return None };
    data.get(..4 + usize::from(u16::from_be_bytes([*high, *low])))
}

/// What is kept of a certificate in DER; nothing if it cannot be read, as the kernel passes over those, too.
pub fn key(certificate: &[u8]) -> Option<TrustedKey> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let certificate = certificate.tbs_certificate();
    let mut extensions = certificate.extensions().into_iter().flatten();
    let identifier = extensions.find(|extension| extension.extn_id == SUBJECT_KEY_IDENTIFIER);
    let identifier = identifier.and_then(|found| OctetString::from_der(found.extn_value.as_bytes()).ok());
    Some(TrustedKey {
        subject: common_name(certificate.subject())?,
        issuer: digest_of_name(certificate.issuer()).ok()?,
        serial: KeyId::of_serial(certificate.serial_number().as_bytes()).ok()?,
        key_id: identifier.and_then(|identifier| KeyId::of_subject(identifier.as_bytes()).ok()),
        spki: certificate.subject_public_key_info().to_der().ok()?,
    })
}

fn common_name(name: &::cms::cert::x509::name::Name) -> Option<InfoText> {
    let mut parts = name.iter().filter(|part| part.oid == COMMON_NAME);
    // All the string types that names have hold UTF-8 or a part of it, but for some that nobody uses.
    str::from_utf8(parts.next()?.value.value()).ok()?.parse().ok()
}

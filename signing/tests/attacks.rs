//! The ways to get an extension in that nobody approved, each tried against the one verdict.
//!
//! Envelopes are put together here by hand, from their specifications, so that what attacks is not what defends.
#![allow(clippy::unwrap_used)] // in the helpers too

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::Signer as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use signing::{
    Approval, Bundle, Occasion, Purpose, Refusal, SigningKey, Trust, TrustPolicy, Updates, Verified,
    sign_extension, verify_extension,
};
use spec::artifact::limits;
use spec::{Digest, ExtensionName, Reason, ReasonCode};

const EXTENSION: &str = Purpose::Extension.predicate_type();

/// Seeds of the keys in these tests.
const ACME: u8 = 1;
const FIRMWARE: u8 = 2;
const STRANGER: u8 = 3;
const SECOND: u8 = 4;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn entry(name: &str, patterns: &str, seed: u8) -> String {
    let pem = key(seed).public_key().to_pem().replace('\n', "\n      ");
    format!("  - name: {name}\n    extensions: {patterns}\n    publicKey: |\n      {pem}\n")
}

fn parse_policy(entries: &[String]) -> Result<TrustPolicy, signing::PolicyError> {
    let text = format!("apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n{}", entries.concat());
    TrustPolicy::parse(&text, "trust.yaml")
}

fn policy() -> TrustPolicy {
    let entries =
        [entry("acme", "[\"wireguard*\"]", ACME), entry("firmware", "[realtek-firmware]", FIRMWARE)];
    parse_policy(&entries).unwrap()
}

/// A policy without updates.
fn pinned(policy: TrustPolicy) -> Trust {
    Trust::establish(policy, &Updates::default(), Occasion::Boot(None))
}

fn name(text: &str) -> ExtensionName {
    text.parse().unwrap()
}

fn manifest() -> Digest {
    Digest::of(b"manifest of wireguard")
}

fn good() -> Vec<u8> {
    sign_extension(&key(ACME), &name("wireguard"), &manifest()).unwrap().to_json()
}

fn statement(predicate_type: &str, predicate: Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "wireguard", "digest": {"sha256": manifest().hex()}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    })
}

/// A bundle over any payload; `claims` is the key that it names, `signs` the one that signs.
fn bundle_over(payload: &[u8], claims: u8, signs: u8) -> Value {
    let head = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());
    let message = [head.as_bytes(), payload].concat();
    let signature = ed25519_dalek::SigningKey::from_bytes(&[signs; 32]).sign(&message).to_bytes();
    let hint = key(claims).public_key().to_string();
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": {
            "payload": BASE64.encode(payload),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": BASE64.encode(signature), "keyid": hint}],
        },
    })
}

/// The good bundle after a change to its JSON.
fn altered(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut bundle: Value = serde_json::from_slice(&good()).unwrap();
    change(&mut bundle);
    bundle.to_string().into_bytes()
}

/// The good bundle after a change to the bytes that the base64 text at `pointer` stands for.
fn altered_bytes(pointer: &str, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    altered(|bundle| {
        let text = bundle.pointer_mut(pointer).unwrap();
        let mut bytes = BASE64.decode(text.as_str().unwrap()).unwrap();
        change(&mut bytes);
        *text = BASE64.encode(bytes).into();
    })
}

const SIGNATURE: &str = "/dsseEnvelope/signatures/0/sig";
const PAYLOAD: &str = "/dsseEnvelope/payload";

fn judge(bundles: &[Vec<u8>]) -> Result<Verified<Approval>, Refusal> {
    verify_extension(&pinned(policy()), &name("wireguard"), &manifest(), bundles)
}

#[track_caller]
fn refused(bundles: &[Vec<u8>], code: ReasonCode, wanted: &str) -> Reason {
    let reason = judge(bundles).unwrap_err().reason();
    assert_eq!(reason.code, code, "{reason}");
    assert!(reason.sentence.contains(wanted), "{:?} does not say {wanted:?}", reason.sentence);
    assert!(reason.hint.is_some());
    reason
}

/// Without this one, all others could pass because nothing is ever accepted.
#[test]
fn what_a_trusted_key_has_signed_is_believed() {
    let verified = judge(&[good()]).unwrap();
    assert_eq!(verified.signers(), ["acme"]);
    assert_eq!(verified.into_value(), Approval { name: name("wireguard"), manifest: manifest() });

    let by_hand = bundle_over(statement(EXTENSION, json!({})).to_string().as_bytes(), ACME, ACME);
    assert!(judge(&[by_hand.to_string().into_bytes()]).is_ok());
}

#[test]
fn flipped_payload_byte() {
    for index in 0..statement_bytes().len() {
        let bundle = altered_bytes(PAYLOAD, |payload| payload[index] ^= 1);
        refused(&[bundle], ReasonCode::SignatureInvalid, "acme");
    }
}

#[test]
fn flipped_signature_byte() {
    for index in 0..64 {
        let bundle = altered_bytes(SIGNATURE, |signature| signature[index] ^= 1);
        refused(&[bundle], ReasonCode::SignatureInvalid, "has not signed these bytes");
    }
}

#[test]
fn unknown_key() {
    let bundle = sign_extension(&key(STRANGER), &name("wireguard"), &manifest()).unwrap().to_json();
    refused(&[bundle], ReasonCode::KeyUnknown, &key(STRANGER).public_key().to_string());
}

#[test]
fn hint_of_a_trusted_key_over_a_signature_by_another() {
    let payload = statement(EXTENSION, json!({})).to_string();
    for signs in [STRANGER, FIRMWARE] {
        let bundle = bundle_over(payload.as_bytes(), ACME, signs).to_string().into_bytes();
        refused(&[bundle], ReasonCode::SignatureInvalid, "acme");
    }
}

#[test]
fn key_out_of_scope() {
    let bundle = sign_extension(&key(FIRMWARE), &name("wireguard"), &manifest()).unwrap().to_json();
    let reason = refused(
        &[bundle],
        ReasonCode::KeyOutOfScope,
        "key firmware may not sign for wireguard, only for realtek-firmware",
    );
    assert_eq!(reason.wanted.as_deref(), Some("wireguard"));
    assert_eq!(reason.found.as_deref(), Some("realtek-firmware"));
}

/// A3 of the threat model: a good signature for one name, served under another.
#[test]
fn signed_a_served_as_b() {
    let other = sign_extension(&key(ACME), &name("wireguard-tools"), &manifest()).unwrap().to_json();
    refused(
        &[other],
        ReasonCode::StatementMismatch,
        "signed this manifest as \"wireguard-tools\", not as wireguard",
    );
}

#[test]
fn a_signature_for_another_manifest() {
    let other =
        sign_extension(&key(ACME), &name("wireguard"), &Digest::of(b"an older one")).unwrap().to_json();
    refused(&[other], ReasonCode::StatementMismatch, &Digest::of(b"an older one").to_string());
}

/// A6: the key has signed a bill of materials, or a failed test, of the very same manifest.
#[test]
fn predicate_confusion() {
    for predicate_type in ["https://spdx.dev/Document", "https://in-toto.io/attestation/test-result/v0.1", ""]
    {
        let statement = statement(predicate_type, json!({"result": "FAILED"})).to_string();
        let bundle = bundle_over(statement.as_bytes(), ACME, ACME).to_string().into_bytes();
        refused(&[bundle], ReasonCode::StatementMismatch, &format!("{predicate_type:?}"));
    }
}

#[test]
fn an_approval_with_conditions_or_more_subjects_or_of_another_kind() {
    let conditional = statement(EXTENSION, json!({"only": "for tests"}));
    let mut several = statement(EXTENSION, json!({}));
    several["subject"] = json!([several["subject"][0], several["subject"][0]]);
    let mut none = statement(EXTENSION, json!({}));
    none["subject"] = json!([]);
    let mut other_type = statement(EXTENSION, json!({}));
    other_type["_type"] = "https://in-toto.io/Statement/v0.1".into();
    let mut digest = statement(EXTENSION, json!({}));
    digest["subject"][0]["digest"]["sha256"] = manifest().hex().to_uppercase().into();
    for statement in [conditional, several, none, other_type, digest, json!("yes"), json!(null)] {
        let bundle = bundle_over(statement.to_string().as_bytes(), ACME, ACME).to_string().into_bytes();
        refused(
            &[bundle],
            ReasonCode::StatementMismatch,
            "key acme has signed a statement, but not that wireguard",
        );
    }
}

#[test]
fn a_field_of_the_statement_twice() {
    let twice = statement(EXTENSION, json!({})).to_string().replacen('{', "{\"predicate\":{},", 1);
    let bundle = bundle_over(twice.as_bytes(), ACME, ACME).to_string().into_bytes();
    refused(&[bundle], ReasonCode::StatementMismatch, "duplicate field `predicate`");
}

/// The payload type is under the signature: a signature over the same bytes as something else does not count.
#[test]
fn payload_type_confusion() {
    let payload = statement(EXTENSION, json!({})).to_string();
    let mut bundle = bundle_over(payload.as_bytes(), ACME, ACME);
    let raw = ed25519_dalek::SigningKey::from_bytes(&[ACME; 32]).sign(payload.as_bytes()).to_bytes();
    *bundle.pointer_mut(SIGNATURE).unwrap() = BASE64.encode(raw).into();
    refused(&[bundle.to_string().into_bytes()], ReasonCode::SignatureInvalid, "acme");

    let renamed = altered(|bundle| bundle["dsseEnvelope"]["payloadType"] = "text/plain".into());
    refused(&[renamed], ReasonCode::MalformedArtifact, "payloadType");
}

/// A7: one key under two names must not look like two signers.
#[test]
fn one_key_under_two_names() {
    let error = parse_policy(&[entry("one", "[a]", ACME), entry("two", "[b]", ACME)]).unwrap_err();
    assert_eq!(error.to_string(), "trust.yaml: trust keys one and two are the same key");
}

/// A8: badly signed, signed by nobody known, and not signed at all come to the same end, in any mixture.
#[test]
fn no_fallback_from_a_bad_signature_to_none() {
    let bad = altered_bytes(SIGNATURE, |signature| signature[0] ^= 1);
    let unknown = sign_extension(&key(STRANGER), &name("wireguard"), &manifest()).unwrap().to_json();
    let unsigned = altered(|bundle| bundle["dsseEnvelope"]["signatures"] = json!([]));
    refused(&[], ReasonCode::SignatureMissing, "there is no signature bundle");
    refused(std::slice::from_ref(&unsigned), ReasonCode::MalformedArtifact, "has 0 signatures");
    refused(&[vec![]], ReasonCode::MalformedArtifact, "cannot be read");
    for bundles in [[&bad, &unknown, &unsigned], [&unsigned, &bad, &unknown], [&unknown, &unsigned, &bad]] {
        refused(&bundles.map(Clone::clone), ReasonCode::SignatureInvalid, "acme");
    }
    refused(&[unsigned, unknown], ReasonCode::KeyUnknown, "by no key of the trust policy");
}

#[test]
fn strangers_cannot_get_in_the_way_of_a_good_signature() {
    let stranger = sign_extension(&key(STRANGER), &name("wireguard"), &manifest()).unwrap().to_json();
    let mut bundles = vec![stranger, b"{}".to_vec(), altered_bytes(SIGNATURE, |signature| signature[9] ^= 1)];
    bundles.push(good());
    assert_eq!(judge(&bundles).unwrap().signers(), ["acme"]);
}

/// B4: whoever may push can add bundles. Those of strangers cost next to nothing and are passed over; of those that claim a
/// trusted key so many are verified, and no more.
#[test]
fn more_bundles_than_are_looked_at() {
    let stranger = sign_extension(&key(STRANGER), &name("wireguard"), &manifest()).unwrap().to_json();
    let mut flood = vec![stranger; 2 * limits::BUNDLES];
    flood.push(good());
    assert!(judge(&flood).is_ok());
    let forged = altered_bytes(SIGNATURE, |signature| signature[0] ^= 1);
    let mut flood = vec![forged; limits::BUNDLES - 1];
    flood.push(good());
    assert!(judge(&flood).is_ok());
    flood.insert(0, flood[0].clone());
    refused(&flood, ReasonCode::SignatureInvalid, "acme");
    // In the name of one key, such a flood does not drown another one.
    let entries = [entry("acme", "[wireguard]", ACME), entry("second", "[wireguard]", SECOND)];
    let trust = pinned(parse_policy(&entries).unwrap());
    flood.push(sign_extension(&key(SECOND), &name("wireguard"), &manifest()).unwrap().to_json());
    let verified = verify_extension(&trust, &name("wireguard"), &manifest(), &flood);
    assert_eq!(verified.unwrap().signers(), ["second"]);
}

/// RFC 8032, section 5.1.7: s + L verifies the same equation as s, so it must not be taken for a second signature.
#[test]
fn malleable_signature() {
    // L = 2^252 + 27742317777372353535851937790883648493, little-endian (RFC 8032, section 5.1).
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let bundle = altered_bytes(SIGNATURE, |signature| {
        let mut carry = 0;
        for (byte, addend) in signature[32..].iter_mut().zip(L) {
            carry += u16::from(*byte) + u16::from(addend);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert_eq!(carry, 0);
    });
    refused(&[bundle], ReasonCode::SignatureInvalid, "acme");
}

/// A signature whose R is the neutral point, with an s to match: plain verification accepts it, strict does not.
#[test]
fn signature_with_a_point_of_low_order() {
    const LOW_ORDER: &str =
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADwhCMeMog4DiQyJVe++vK49U2AM7ITo4wPMJ4ZPvk4Dw==";
    let bundle = altered(|bundle| *bundle.pointer_mut(SIGNATURE).unwrap() = LOW_ORDER.into());

    let payload = statement_bytes();
    let head = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());
    let message = [head.as_bytes(), &payload].concat();
    let signature = ed25519_dalek::Signature::from_slice(&BASE64.decode(LOW_ORDER).unwrap()).unwrap();
    let plain = ed25519_dalek::SigningKey::from_bytes(&[ACME; 32]).verifying_key();
    assert!(ed25519_dalek::Verifier::verify(&plain, &message, &signature).is_ok(), "the attack has no teeth");

    refused(&[bundle], ReasonCode::SignatureInvalid, "acme");
}

fn statement_bytes() -> Vec<u8> {
    let bundle: Value = serde_json::from_slice(&good()).unwrap();
    BASE64.decode(bundle.pointer(PAYLOAD).unwrap().as_str().unwrap()).unwrap()
}

#[test]
fn two_signatures_in_a_bundle() {
    let bundle = altered(|bundle| {
        let signatures = &mut bundle["dsseEnvelope"]["signatures"];
        *signatures = json!([signatures[0], signatures[0]]);
    });
    refused(&[bundle], ReasonCode::MalformedArtifact, "the bundle has 2 signatures; it must have one");
}

#[test]
fn message_signature_bundle() {
    let bundle = altered(|bundle| {
        let signature = bundle.pointer(SIGNATURE).unwrap().clone();
        let fields = bundle.as_object_mut().unwrap();
        fields.remove("dsseEnvelope");
        let digest = BASE64.encode(manifest().as_bytes());
        let message_digest = json!({"algorithm": "SHA2_256", "digest": digest});
        fields.insert(
            "messageSignature".into(),
            json!({"messageDigest": message_digest, "signature": signature}),
        );
    });
    refused(&[bundle], ReasonCode::MalformedArtifact, "unknown field `messageSignature`");
}

#[test]
fn oversize_bundle() {
    let mut bundle = good();
    bundle.resize(limits::BUNDLE as usize, b' ');
    assert!(judge(&[bundle.clone()]).is_ok());
    bundle.push(b' ');
    refused(
        &[bundle],
        ReasonCode::MalformedArtifact,
        "the bundle has 1048577 bytes; at most 1048576 are read",
    );
}

#[test]
fn trailing_garbage() {
    for tail in ["{}", "x", "\0", "]"] {
        let bundle = [&good(), tail.as_bytes()].concat();
        refused(&[bundle], ReasonCode::MalformedArtifact, "trailing characters");
    }
}

#[test]
fn a_bundle_that_can_be_read_in_two_ways() {
    let text = String::from_utf8(good()).unwrap();
    let doubled = text.replacen('{', "{\"dsseEnvelope\":null,", 1);
    assert!(judge(&[doubled.into_bytes()]).is_err());
    let doubled = text.replacen("\"payload\":", "\"payload\":\"\",\"payload\":", 1);
    refused(&[doubled.into_bytes()], ReasonCode::MalformedArtifact, "duplicate field `payload`");
    let other_keyid = altered(|bundle| {
        bundle["dsseEnvelope"]["signatures"][0]["keyid"] = key(FIRMWARE).public_key().to_string().into();
    });
    refused(&[other_keyid], ReasonCode::MalformedArtifact, "keyid");
    let other_version = altered(|bundle| {
        bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2".into();
    });
    refused(&[other_version], ReasonCode::MalformedArtifact, "mediaType");
}

#[test]
fn base64_in_another_spelling() {
    let with = |pointer: &'static str, change: fn(&str) -> String| {
        altered(|bundle| {
            let text = bundle.pointer_mut(pointer).unwrap();
            *text = change(text.as_str().unwrap()).into();
        })
    };
    let unpadded = with(SIGNATURE, |text| text.trim_end_matches('=').to_owned());
    let loose_bits =
        with(SIGNATURE, |text| text.replace("A==", "B==").replace("g==", "h==").replace("w==", "x=="));
    let wrapped = with(PAYLOAD, |text| format!("{text}\n"));
    for bundle in [unpadded, loose_bits, wrapped] {
        refused(&[bundle], ReasonCode::MalformedArtifact, "is not base64");
    }
    let same = altered_bytes(SIGNATURE, |_| ());
    assert!(judge(&[same]).is_ok());
    let empty = altered(|bundle| *bundle.pointer_mut(SIGNATURE).unwrap() = "".into());
    refused(&[empty], ReasonCode::MalformedArtifact, "has 0 bytes, where Ed25519 has 64");
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Bundle::parse(&bytes);
        let _ = signing::Statement::parse(&bytes, Purpose::Extension);
        let _ = signing::PublicKey::from_pem(&bytes);
        #[cfg(feature = "key-files")]
        let _ = signing::KeyFile::parse(&bytes);
        let _ = TrustPolicy::parse(&String::from_utf8_lossy(&bytes), "trust.yaml");
    }

    /// Any change to a byte of the file either is refused, or leaves what it says as it was.
    #[test]
    fn a_changed_bundle_says_the_same_or_nothing(index in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bundle = good();
        let index = index.index(bundle.len());
        bundle[index] = byte;
        match judge(&[bundle.clone()]) {
            Ok(_) => prop_assert_eq!(Bundle::parse(&bundle).unwrap(), Bundle::parse(&good()).unwrap()),
            Err(refusal) => prop_assert!(!refusal.reason().sentence.is_empty()),
        }
    }
}

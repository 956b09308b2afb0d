//! The older form of cosign's signatures, "simple signing", which skopeo, podman and CRI-O ask for (cosign,
//! specs/SIGNATURE_SPEC.md; containers/image, signature/internal/sigstore_payload.go). It is written for them and never
//! read here: no [`Verified`](crate::Verified) comes from it.
//!
//! The signature is over the payload itself, without an encoding around it. A payload begins with `{"critical":`, an
//! encoding of DSSE with `DSSEv1 `, so that none of the one kind is one of the other.

use serde::Serialize;
use spec::Digest;

use crate::envelope::{Message, to_json};
use crate::sign::{SignError, Signer, sign_message};

/// `type` of every payload (SIGNATURE_SPEC.md, "Simple Signing").
const TYPE: &str = "cosign container image signature";

/// A payload and the signature over its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleSignature {
    /// Which manifest was signed, and under which name: compact JSON.
    pub payload: Vec<u8>,
    /// Pure Ed25519 over the payload.
    pub signature: [u8; 64],
}

/// Signs a manifest under the name by which it is pulled, `HOST/REPOSITORY:TAG`.
pub fn sign_simple<S: Signer>(
    signer: &S,
    reference: &str,
    manifest: &Digest,
) -> Result<SimpleSignature, SignError<S::Error>> {
    let payload = to_json(&Payload {
        critical: Critical {
            identity: Identity { docker_reference: reference },
            image: Image { docker_manifest_digest: manifest },
            kind: TYPE,
        },
        optional: None,
    });
    let signature = sign_message(signer, &Message::of_simple(payload.clone()))?;
    Ok(SimpleSignature { payload, signature })
}

// The document, with its fields in the order in which cosign writes them (sigstore/pkg/signature/payload).

#[derive(Serialize)]
struct Payload<'a> {
    critical: Critical<'a>,
    optional: Option<()>,
}

#[derive(Serialize)]
struct Critical<'a> {
    identity: Identity<'a>,
    image: Image<'a>,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Identity<'a> {
    docker_reference: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Image<'a> {
    docker_manifest_digest: &'a Digest,
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;
    use crate::key::SigningKey;

    /// Key with the seed 00 01 … 1f, manifest 1111…; the same bytes were made with another implementation of Ed25519.
    #[test]
    fn the_payload_and_its_signature_are_the_known_bytes() {
        let key = SigningKey::from_seed(std::array::from_fn(|index| index as u8));
        let manifest = Digest::from_hex(&"1".repeat(64)).unwrap();
        let signed = sign_simple(&key, "registry.example/ext/nvidia:v1", &manifest).unwrap();
        assert_eq!(
            String::from_utf8(signed.payload.clone()).unwrap(),
            format!(
                concat!(
                    r#"{{"critical":{{"identity":{{"docker-reference":"registry.example/ext/nvidia:v1"}},"#,
                    r#""image":{{"docker-manifest-digest":"sha256:{}"}},"#,
                    r#""type":"cosign container image signature"}},"optional":null}}"#
                ),
                "1".repeat(64)
            )
        );
        assert_eq!(signed.payload.len(), 246);
        assert_eq!(
            Digest::of(&signed.payload).hex(),
            "ff643b8bf73e1ecc116212c3853d8f98b10bf06e6183fab8d991f3c3f525c838"
        );
        assert_eq!(
            BASE64.encode(signed.signature),
            "2aMXwgHe+yQ/ASkFlSgVAOd7eHAp3agEJjN0LVVJGdmDXG2kdDghCoWsR+jD6vLJ9L1b2EGSWt7NerFAbGt2Aw=="
        );
    }
}

//! Signing: a name and a digest in, a bundle out.

use spec::{Digest, ExtensionName};

use crate::envelope::{Bundle, Statement};
use crate::key::SigningKey;

/// Approves the manifest of an extension under its name.
pub fn sign_extension(key: &SigningKey, name: &ExtensionName, manifest: &Digest) -> Bundle {
    sign(key, name.as_str(), manifest)
}

/// Approves a manifest under any name. [`crate::verify_extension`] takes it for an extension only if the name is
/// that of the extension.
pub fn sign(key: &SigningKey, name: &str, manifest: &Digest) -> Bundle {
    Bundle::sign(key, Statement { name: name.to_owned(), manifest: *manifest }.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::pre_authentication;

    /// Key with the seed 00 01 … 1f, signing the manifest 1111… as `registry.example/ext/nvidia:v1`. The bundle of
    /// these values was accepted by `@sigstore/verify` 3.1.1, the JavaScript verifier of the sigstore project.
    const NAME: &str = "registry.example/ext/nvidia:v1";
    const HINT: &str = "oFCDfYUHBYLM9zlLCYiEfMMSy4glm4lImfbyOc8XkaU=";
    const SIGNATURE: &str =
        "UMg6X1I9c/KsYjABUwfZztR8TKIKcrZSpDPTjd1e+QoWAIRXTc1m5urQDV6RtyBMhbZ1cZ+2BH/fg0UCw0l9Aw==";
    const MESSAGE_SHA256: &str = "593563ab7eaea580f3d21c5d378221b76c365151f2fdc43092e2448e57ae5476";

    fn bundle() -> Bundle {
        let key = SigningKey::from_seed(std::array::from_fn(|index| index as u8));
        sign(&key, NAME, &Digest::from_hex(&"1".repeat(64)).unwrap())
    }

    #[test]
    fn the_statement_and_what_is_signed_are_the_known_bytes() {
        let bundle = bundle();
        let statement = String::from_utf8(bundle.payload().to_vec()).unwrap();
        assert_eq!(
            statement,
            format!(
                concat!(
                    r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"{}","#,
                    r#""digest":{{"sha256":"{}"}}}}],"#,
                    r#""predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#
                ),
                NAME,
                "1".repeat(64)
            )
        );
        assert_eq!(statement.len(), 253);
        let message = pre_authentication(bundle.payload());
        assert!(message.starts_with(b"DSSEv1 28 application/vnd.in-toto+json 253 {\"_type\""));
        assert_eq!(message.len(), 296);
        assert_eq!(Digest::of(&message).hex(), MESSAGE_SHA256);
    }

    #[test]
    fn the_bundle_is_the_known_bytes() {
        use base64::Engine as _;
        let bundle = bundle();
        let payload = base64::engine::general_purpose::STANDARD.encode(bundle.payload());
        let wanted = [
            r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#,
            r#""verificationMaterial":{"publicKey":{"hint":""#,
            HINT,
            r#""},"tlogEntries":[],"#,
            r#""timestampVerificationData":{"rfc3161Timestamps":[]}},"#,
            r#""dsseEnvelope":{"payload":""#,
            &payload,
            r#"","payloadType":"application/vnd.in-toto+json","#,
            r#""signatures":[{"sig":""#,
            SIGNATURE,
            r#"","keyid":""#,
            HINT,
            r#""}]}}"#,
        ];
        assert_eq!(String::from_utf8(bundle.to_json()).unwrap(), wanted.concat());
        assert_eq!(Bundle::parse(&bundle.to_json()).unwrap(), bundle);
    }
}

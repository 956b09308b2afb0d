//! Signing: a name and a digest in, a bundle out.

use spec::{Diagnose, Digest, ExtensionName, Outcome};

use crate::envelope::{Bundle, Message};
use crate::key::{KeyHint, PublicKey};
use crate::statement::{DocumentKind, Purpose, Statement};

/// Whoever has the private half of a key: memory ([`SigningKey`](crate::SigningKey)), or a program that asks a device or a
/// service. Nothing but a signer knows where the key is.
pub trait Signer {
    /// Why there is no signature.
    type Error: Diagnose + 'static;

    /// The key that the signatures are by.
    fn public_key(&self) -> PublicKey;

    /// The Ed25519 signature over the bytes of `message`, R and s (RFC 8032, section 5.1.6). It is checked before anybody gets it.
    fn sign(&self, message: &Message) -> Result<[u8; 64], Self::Error>;
}

/// Approves the manifest of an extension under its name.
pub fn sign_extension<S: Signer>(
    signer: &S,
    name: &ExtensionName,
    manifest: &Digest,
) -> Result<Bundle, SignError<S::Error>> {
    let statement = Statement { name: name.as_str().to_owned(), digest: *manifest };
    sign(signer, statement.to_json(Purpose::Extension))
}

/// Approves a document of trust: a policy, a revocation or a set, by its bytes.
pub fn sign_document<S: Signer>(
    signer: &S,
    kind: DocumentKind,
    bytes: &[u8],
) -> Result<Bundle, SignError<S::Error>> {
    let statement = Statement { name: kind.name().to_owned(), digest: Digest::of(bytes) };
    sign(signer, statement.to_json(Purpose::Document(kind)))
}

/// A signature is believed here no more than anywhere: one that its own key does not verify is refused, so that no
/// fault of a signer goes out into the world.
fn sign<S: Signer>(signer: &S, payload: Vec<u8>) -> Result<Bundle, SignError<S::Error>> {
    let signature = sign_message(signer, &Message::of(&payload))?;
    Ok(Bundle::new(signer.public_key().hint(), payload, signature))
}

/// A signature that the signer's own key verifies.
pub(crate) fn sign_message<S: Signer>(
    signer: &S,
    message: &Message,
) -> Result<[u8; 64], SignError<S::Error>> {
    let key = signer.public_key();
    let signature = signer.sign(message).map_err(SignError::Signer)?;
    match key.has_signed(message, &signature) {
        true => Ok(signature),
        false => Err(SignError::NotBy(key.hint())),
    }
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum SignError<E> {
    /// The signer has not signed.
    #[error(transparent)]
    Signer(E),
    /// The signer has returned something, but no good signature over the bytes it was given.
    #[error("what the signer returned is no signature by the key {0} over what was to be signed")]
    NotBy(KeyHint),
}

impl<E: Diagnose> Diagnose for SignError<E> {
    fn outcome(&self) -> Outcome {
        match self {
            SignError::Signer(error) => error.outcome(),
            SignError::NotBy(_) => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SignError::Signer(error) => error.hint(),
            SignError::NotBy(_) => Some(
                "it must be pure Ed25519 over the bytes themselves, not over a digest of them (Ed25519ph), and by the \
                 private half of this very key"
                    .into(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    /// Key with the seed 00 01 … 1f, signing the manifest 1111… as `registry.example/ext/nvidia:v1`. The bundle of
    /// these values was accepted by `@sigstore/verify` 3.1.1, the JavaScript verifier of the sigstore project.
    const NAME: &str = "registry.example/ext/nvidia:v1";
    const HINT: &str = "oFCDfYUHBYLM9zlLCYiEfMMSy4glm4lImfbyOc8XkaU=";
    const SIGNATURE: &str =
        "UMg6X1I9c/KsYjABUwfZztR8TKIKcrZSpDPTjd1e+QoWAIRXTc1m5urQDV6RtyBMhbZ1cZ+2BH/fg0UCw0l9Aw==";
    const MESSAGE_SHA256: &str = "593563ab7eaea580f3d21c5d378221b76c365151f2fdc43092e2448e57ae5476";

    fn bundle() -> Bundle {
        let key = SigningKey::from_seed(std::array::from_fn(|index| index as u8));
        let digest = Digest::from_hex(&"1".repeat(64)).unwrap();
        let statement = Statement { name: NAME.to_owned(), digest };
        sign(&key, statement.of_type("https://sigstore.dev/cosign/sign/v1")).unwrap()
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
        let message = Message::of(bundle.payload());
        let message = message.as_bytes();
        assert!(message.starts_with(b"DSSEv1 28 application/vnd.in-toto+json 253 {\"_type\""));
        assert_eq!(message.len(), 296);
        assert_eq!(Digest::of(message).hex(), MESSAGE_SHA256);
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

    /// A signer that signs with another key than it says, or something else than it was given.
    struct Liar(SigningKey, fn(&mut [u8; 64]));

    impl Signer for Liar {
        type Error = std::convert::Infallible;

        fn public_key(&self) -> PublicKey {
            SigningKey::from_seed([1; 32]).public_key()
        }

        fn sign(&self, message: &Message) -> Result<[u8; 64], Self::Error> {
            let mut signature = self.0.sign(message)?;
            self.1(&mut signature);
            Ok(signature)
        }
    }

    #[test]
    fn a_signature_that_its_key_does_not_verify_goes_nowhere() {
        let sign = |seed, change| sign(&Liar(SigningKey::from_seed([seed; 32]), change), b"{}".to_vec());
        assert!(sign(1, |_| ()).is_ok());
        let wanted = format!(
            "what the signer returned is no signature by the key {} over what was to be signed",
            SigningKey::from_seed([1; 32]).public_key()
        );
        assert_eq!(sign(2, |_| ()).unwrap_err().to_string(), wanted);
        assert_eq!(sign(1, |signature| signature[63] ^= 0x80).unwrap_err().to_string(), wanted);
        assert_eq!(sign(1, |signature| *signature = [0; 64]).unwrap_err().to_string(), wanted);
    }
}

//! What may be believed: keys, envelopes, the trust policy, and the one function that makes a [`Verified`].
//!
//! A signature is a sigstore bundle v0.3 that holds a DSSE envelope around an in-toto statement, signed with pure
//! Ed25519. Nothing here reads a file, a clock or the network: bytes come in, values go out.
//!
//! ```
//! use signing::{SigningKey, TrustPolicy, sign_extension, verify_extension};
//! use spec::{Digest, ExtensionName};
//!
//! let key = SigningKey::from_seed([7; 32]);
//! let name: ExtensionName = "wireguard".parse()?;
//! let manifest = Digest::of(b"the bytes of an OCI manifest");
//! let bundle = sign_extension(&key, &name, &manifest)?.to_json();
//!
//! let pem = key.public_key().to_pem().replace('\n', "\n      ");
//! let policy = format!("\
//! apiVersion: v1alpha1
//! kind: TrustPolicy
//! keys:
//!   - name: demo-publisher
//!     extensions: [\"wireguard*\"]
//!     publicKey: |
//!       {pem}");
//! let policy = TrustPolicy::parse(&policy, "trust.yaml")?;
//!
//! let approval = verify_extension(&policy, &name, &manifest, &[bundle])?;
//! assert_eq!(approval.signer(), "demo-publisher");
//! assert_eq!(approval.value().manifest, manifest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod envelope;
mod key;
mod policy;
mod sign;
mod verify;

pub use envelope::{
    Bundle, BundleError, Message, PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, Statement, StatementError,
};
#[cfg(feature = "key-files")]
pub use key::{EncryptedKey, Foreign, Fresh, KeyFile, KeyFileError, Passphrase, PassphraseError};
pub use key::{KeyError, KeyHint, PublicKey, SigningKey};
pub use policy::{PolicyError, TrustPolicy, TrustedKey};
pub use sign::{SignError, Signer, sign, sign_extension};
pub use verify::{Approval, Refusal, Verified, verify_extension};

//! What may be believed: keys, envelopes, the trust policy with its updates, and the verdict about an extension, which has
//! two halves: [`verify_extension`] for its manifest, and [`clear`] for the config in it.
//!
//! A signature is a sigstore bundle v0.3 that holds a DSSE envelope around an in-toto statement, signed with pure
//! Ed25519. Nothing here reads a file, a clock or the network: bytes come in, values go out.
//!
//! ```
//! use signing::{Occasion, SigningKey, Trust, TrustPolicy, Updates, sign_extension, verify_extension};
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
//! let trust = Trust::establish(policy, &Updates::default(), Occasion::Boot(None));
//! let approval = verify_extension(&trust, &name, &manifest, &[bundle])?;
//! assert_eq!(approval.signers(), ["demo-publisher"]);
//! assert_eq!(approval.value().manifest, manifest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clearance;
mod document;
mod envelope;
mod key;
#[cfg(feature = "minisign")]
pub mod minisign;
mod moment;
mod policy;
mod refusal;
mod revocation;
mod set;
mod sign;
#[cfg(feature = "simple")]
mod simple;
mod statement;
mod trust;
mod verify;

pub use clearance::{Cleared, clear};
pub use document::{DENIED_MAX, DocumentError};
pub use envelope::{Bundle, BundleError, Message, PAYLOAD_TYPE};
#[cfg(feature = "key-files")]
pub use key::{EncryptedKey, Foreign, Fresh, KeyFile, KeyFileError, Passphrase, PassphraseError};
pub use key::{KeyError, KeyHint, PublicKey, SigningKey};
pub use moment::{Moment, MomentError};
pub use policy::{Developer, OnExpiry, PolicyError, Role, SetRule, Thresholds, TrustPolicy, TrustedKey};
pub use refusal::Refusal;
pub use revocation::Revocation;
pub use set::{ExtensionSet, Member};
pub use sign::{SignError, Signer, sign_document, sign_extension};
#[cfg(feature = "simple")]
pub use simple::{SimpleSignature, sign_simple};
pub use statement::{DocumentKind, Purpose, STATEMENT_TYPE, Statement, StatementError};
pub use trust::{Occasion, Trust, UPDATES_MAX, Update, Updates};
pub use verify::{Approval, ApprovedIndex, Verified, verify_extension, verify_index};

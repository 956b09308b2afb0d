//! A signature of an image's root hash that the kernel can ask for. Somebody else makes it; whether it is right is checked
//! here, because a machine whose kernel does not ask would never notice.

use std::path::{Path, PathBuf};

use clap::Args;
use kabi::TrustedKey;
use kabi::signature::{SignatureError, verify_detached};
use spec::verity::{RootHashSignature, RootHashSignatureError, VerityFacts};
use spec::{Diagnose, Outcome};
use terminal::{Failure, Place};

/// Most bytes of a certificate; one of RSA-4096 has 1300.
const CERTIFICATE_MAX: u64 = 64 << 10;
/// One byte more than a signature may have, so that the parser says that it is too large.
const SIGNATURE_MAX: u64 = (16 << 10) + 1;

/// The signature on the command line.
#[derive(Debug, Args)]
#[command(next_help_heading = "For kernels that demand signed root hashes")]
pub(crate) struct RootHashArgs {
    /// Carry a signature of the image's root hash for the kernel: PKCS#7 in DER, detached, over the hash in hex
    #[arg(long, value_name = "FILE", requires = "root_hash_cert")]
    root_hash_signature: Option<PathBuf>,
    /// The certificate of who made it, in DER; kernels have it in a keyring
    #[arg(long, value_name = "FILE", requires = "root_hash_signature")]
    root_hash_cert: Option<PathBuf>,
}

/// A signature that is not held against a root hash yet.
#[derive(Debug)]
pub struct RootHashApproval {
    signature: RootHashSignature,
    key: TrustedKey,
    /// Where it was read from, for errors.
    file: PathBuf,
    certificate: PathBuf,
}

impl RootHashArgs {
    pub(crate) fn read(&self) -> Result<Option<RootHashApproval>, Failure> {
        let RootHashArgs { root_hash_signature, root_hash_cert } = self;
        let Some((file, certificate)) = root_hash_signature.clone().zip(root_hash_cert.clone()) else {
            return Ok(None);
        };
        let signature = RootHashSignature::new(&read(&file, SIGNATURE_MAX)?)
            .map_err(|source| RootHashError::Signature { file: file.clone(), source })?;
        let key = kabi::certificate_key(&read(&certificate, CERTIFICATE_MAX)?)
            .ok_or_else(|| RootHashError::Certificate(certificate.clone()))?;
        Ok(Some(RootHashApproval { signature, key, file, certificate }))
    }
}

fn read(file: &Path, most: u64) -> Result<Vec<u8>, Place> {
    terminal::read_regular(file, most).map_err(Place::cannot("read", file))
}

impl RootHashApproval {
    /// The signature, if it is one of this image.
    pub(crate) fn of(&self, facts: &VerityFacts) -> Result<RootHashSignature, Failure> {
        let root_hash = facts.root_hash.hex().to_string();
        match verify_detached(root_hash.as_bytes(), self.signature.as_der(), &self.key.spki) {
            Ok(()) => Ok(self.signature.clone()),
            Err(source) => {
                let (file, certificate) = (self.file.clone(), self.certificate.clone());
                Err(RootHashError::Other { file, certificate, root_hash, source }.into())
            }
        }
    }
}

/// The signature cannot go along.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootHashError {
    #[error("{} cannot be used", file.display())]
    Signature {
        file: PathBuf,
        #[source]
        source: RootHashSignatureError,
    },
    #[error("{} is no certificate in DER", .0.display())]
    Certificate(PathBuf),
    #[error("{} is no signature by {} of the root hash {root_hash}", file.display(), certificate.display())]
    Other {
        file: PathBuf,
        certificate: PathBuf,
        root_hash: String,
        #[source]
        source: SignatureError,
    },
}

impl Diagnose for RootHashError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            RootHashError::Signature { .. } => None,
            RootHashError::Certificate(_) => {
                Some("openssl x509 -outform der makes one of a certificate in PEM".into())
            }
            RootHashError::Other { root_hash, .. } => Some(format!(
                "make it with: printf %s {root_hash} | openssl smime -sign -binary -noattr -nocerts -md sha256 \\\n    \
                 -signer CERT -inkey KEY -outform der -out FILE"
            )),
        }
    }
}

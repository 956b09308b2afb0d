//! What a file is that is not a key of ours, by how it begins.

use std::fmt;

/// What was found in the place of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// Nothing.
    Empty,
    /// `-----BEGIN OPENSSH PRIVATE KEY-----` (openssh-portable, PROTOCOL.key).
    OpenSshPrivate,
    /// A line of `authorized_keys` (sshd(8)).
    OpenSshPublic,
    /// `untrusted comment:` (minisign(1), signify(1)).
    Minisign,
    /// A key of cosign before or under its present name (sigstore/cosign, pkg/cosign/keys.go).
    Cosign,
    /// Any other PEM block, by its label.
    Pem(String),
    /// Nothing that is known here.
    Unknown,
}

impl Foreign {
    /// What the label of a PEM block stands for.
    pub(super) fn of_label(label: &str) -> Foreign {
        match label {
            "OPENSSH PRIVATE KEY" => Foreign::OpenSshPrivate,
            "ENCRYPTED COSIGN PRIVATE KEY" | "ENCRYPTED SIGSTORE PRIVATE KEY" => Foreign::Cosign,
            other => Foreign::Pem(other.chars().take(80).collect()),
        }
    }

    /// What bytes are that are neither PEM nor DER.
    pub(super) fn of_bytes(bytes: &[u8]) -> Foreign {
        let starts = |prefixes: &[&[u8]]| prefixes.iter().any(|prefix| bytes.starts_with(prefix));
        match bytes {
            _ if bytes.trim_ascii().is_empty() => Foreign::Empty,
            _ if starts(&[b"untrusted comment:"]) => Foreign::Minisign,
            _ if starts(&[b"ssh-", b"sk-ssh-", b"ecdsa-sha2-"]) => Foreign::OpenSshPublic,
            _ => Foreign::Unknown,
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Foreign::Pem(label) if label.ends_with("PRIVATE KEY") => {
                "Ed25519 is what is signed with here; openssl pkcs8 -topk8 shows whether this is such a key"
                    .into()
            }
            Foreign::OpenSshPrivate | Foreign::Minisign | Foreign::Cosign => {
                "a key should sign one kind of thing: make one for extensions with extbuild key new".into()
            }
            _ => "keys are PKCS#8 or SPKI, as PEM or DER; extbuild key new makes one".into(),
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Empty => "an empty file",
            Foreign::OpenSshPrivate => "a private key of OpenSSH",
            Foreign::OpenSshPublic => "a public key of OpenSSH",
            Foreign::Minisign => "a file of minisign or signify",
            Foreign::Cosign => "a private key of cosign",
            Foreign::Pem(label) => return write!(f, "a PEM block of type {label}"),
            Foreign::Unknown => "no form of key that is known",
        })
    }
}

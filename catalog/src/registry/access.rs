//! How registries are reached: what a user may choose about it.

use std::path::PathBuf;
use std::time::Duration;

use super::credentials::CredentialFiles;
use super::proxy::Proxies;

/// What holds for every exchange with a registry.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Where to look for who we are, once a registry asks.
    pub credentials: CredentialFiles,
    /// A file of certificates (PEM) of authorities that are trusted besides the system's. With one, TLS is spoken with
    /// this machine too.
    pub ca_file: Option<PathBuf>,
    /// Speak plain HTTP, whoever the registry is; credentials stay here then, unless it is this machine.
    pub plain_http: bool,
    /// Who is asked in the place of registries that are not on this machine.
    pub proxies: Proxies,
    /// How long to bear with a registry that fails.
    pub patience: Patience,
}

/// How often, and for how long, something that fails is tried again.
///
/// Only what is safe to repeat is: reading, asking, and sending bytes that have a digest. The numbers are choices of
/// ours: they outlast the restart of a registry and the change of a network, and not the wait of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How many tries in a row may bring nothing new.
    pub tries: u32,
    /// The wait before the second try. It doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait, and the longest that a registry may ask for (`Retry-After`, RFC 9110 section 10.2.3).
    pub longest_wait: Duration,
    /// How long a registry may say nothing, or next to nothing.
    pub stall: Duration,
    /// How long all tries in a row may take together while nothing new comes.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            tries: 5,
            first_wait: Duration::from_millis(300),
            longest_wait: Duration::from_secs(60),
            // A registry may well be storing the blob that it has just got.
            stall: Duration::from_secs(60),
            total: Duration::from_secs(180),
        }
    }
}

//! The trust policy `trust.yaml`: who may sign for which extensions, and what is believed of nobody.

mod document;
mod error;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use spec::{Digest, ExtensionName, Grant, GrantKind, GrantPattern, NamePattern};

pub(crate) use document::KIND;
pub use error::PolicyError;

use crate::key::{KeyHint, PublicKey};
use crate::moment::Moment;

/// What is trusted, as one document says it. [`crate::Trust`] is the same with its updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    version: u64,
    expires: Option<Moment>,
    on_expiry: OnExpiry,
    keys: Vec<TrustedKey>,
    thresholds: Thresholds,
    set: Option<SetRule>,
    generations: BTreeMap<ExtensionName, u64>,
    denied: BTreeSet<Digest>,
    developer: Option<Developer>,
}

/// One key of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    name: String,
    roles: BTreeSet<Role>,
    extensions: Vec<NamePattern>,
    may: Vec<GrantPattern>,
    public_key: PublicKey,
}

/// What a key is trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It signs extensions.
    Publisher,
    /// It signs what machines run: sets and revocations.
    Operator,
    /// It signs the next version of the policy.
    Root,
}

/// How many different keys must have signed, by role: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// An extension.
    pub publisher: usize,
    /// A set, or a revocation.
    pub operator: usize,
    /// The next version of the policy.
    pub root: usize,
}

/// What a machine does at boot with a policy that is past its date. It has no clock that could be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExpiry {
    /// It says so, and goes on.
    #[default]
    Warn,
    /// It lets no extension in.
    Deny,
}

/// A machine of this policy runs what is in a signed set, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRule {
    /// The class of machines that the set must be for.
    pub class: ExtensionName,
    /// The lowest version of the set that is believed.
    pub minimum: u64,
}

/// Extensions that need no signature: for developers, by name, and shown wherever one gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Developer {
    /// What the override is called in status and logs.
    pub name: String,
    /// The extensions.
    pub extensions: Vec<NamePattern>,
    /// What they may carry.
    pub may: Vec<GrantPattern>,
}

impl TrustPolicy {
    /// Reads a policy. `file` names the text in errors.
    ///
    /// Refused: no publishers at all, a publisher without extensions, one name for two keys, one key under two names,
    /// because two names look like two signers, and thresholds that the keys cannot reach.
    pub fn parse(text: &str, file: &str) -> Result<TrustPolicy, PolicyError> {
        document::parse(text, file)
    }

    /// Its version; the next one is one higher.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When it is to be replaced.
    pub fn expires(&self) -> Option<Moment> {
        self.expires
    }

    /// What a boot does then.
    pub fn on_expiry(&self) -> OnExpiry {
        self.on_expiry
    }

    /// The keys, in the order of the file.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// How many keys must have signed.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// The set that is demanded, if one is.
    pub fn set(&self) -> Option<&SetRule> {
        self.set.as_ref()
    }

    /// The lowest security generation of each component that may run.
    pub fn generations(&self) -> &BTreeMap<ExtensionName, u64> {
        &self.generations
    }

    /// Manifests that may not be used, whoever has signed them.
    pub fn denied(&self) -> &BTreeSet<Digest> {
        &self.denied
    }

    /// The developer override, if the policy has one.
    pub fn developer(&self) -> Option<&Developer> {
        self.developer.as_ref()
    }

    /// The key that a bundle claims to be signed with.
    pub(crate) fn key(&self, hint: &KeyHint) -> Option<&TrustedKey> {
        self.keys.iter().find(|key| key.public_key.hint() == *hint)
    }
}

impl TrustedKey {
    /// What the policy calls the key; status shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is trusted with.
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// The extensions that it may sign for, as a publisher.
    pub fn extensions(&self) -> &[NamePattern] {
        &self.extensions
    }

    /// What the extensions may carry that it signs.
    pub fn may(&self) -> &[GrantPattern] {
        &self.may
    }

    /// The key itself.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// May the key sign for `name`?
    pub fn may_sign(&self, name: &ExtensionName) -> bool {
        covers(&self.extensions, name)
    }

    /// May an extension that the key has signed carry this?
    pub fn may_grant(&self, grant: &Grant) -> bool {
        grants(&self.may, grant)
    }
}

impl Developer {
    /// Does `name` need no signature?
    pub fn covers(&self, name: &ExtensionName) -> bool {
        covers(&self.extensions, name)
    }

    /// May it carry this?
    pub fn may_grant(&self, grant: &Grant) -> bool {
        grants(&self.may, grant)
    }
}

impl Thresholds {
    /// That of a role.
    pub fn of(&self, role: Role) -> usize {
        match role {
            Role::Publisher => self.publisher,
            Role::Operator => self.operator,
            Role::Root => self.root,
        }
    }
}

/// What a publisher may let in of whom the policy does not say: what extensions are for, and nothing that steers the
/// rest of the machine.
pub(crate) fn usual_grants() -> Vec<GrantPattern> {
    [GrantKind::Modules, GrantKind::Firmware, GrantKind::Binaries].map(GrantPattern::kind).into()
}

fn covers(patterns: &[NamePattern], name: &ExtensionName) -> bool {
    patterns.iter().any(|pattern| pattern.covers(name))
}

fn grants(patterns: &[GrantPattern], grant: &Grant) -> bool {
    patterns.iter().any(|pattern| pattern.covers(grant))
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Publisher => "publisher",
            Role::Operator => "operator",
            Role::Root => "root",
        })
    }
}

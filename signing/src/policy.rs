//! The trust policy `trust.yaml`: which key may sign for which extensions.

use serde::Deserialize;
use serde::de::IgnoredAny;
use spec::machine::API_VERSION;
use spec::yaml::{self, YamlError};
use spec::{Diagnose, ExtensionName, NamePattern, Outcome};

use crate::key::{KeyError, KeyHint, PublicKey};

/// `kind` of a trust policy.
const KIND: &str = "TrustPolicy";
/// Longest name of a key, in characters: it stands in status lines.
const KEY_NAME_MAX: usize = 63;

/// The keys that are trusted, each once, each for the names that it may sign for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    keys: Vec<TrustedKey>,
}

/// One key of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    name: String,
    extensions: Vec<NamePattern>,
    public_key: PublicKey,
}

impl TrustPolicy {
    /// Reads a policy. `file` names the text in errors.
    ///
    /// Refused: no keys at all, a key without extensions, one name for two keys, and one key under two names, because
    /// two names look like two signers.
    pub fn parse(text: &str, file: &str) -> Result<TrustPolicy, PolicyError> {
        let header: Header = yaml::parse(text, file)?;
        expect("apiVersion", API_VERSION, &header.api_version, file)?;
        expect("kind", KIND, &header.kind, file)?;

        let Document { keys: fragments, .. } = yaml::parse(text, file)?;
        let mut keys: Vec<TrustedKey> = Vec::new();
        for fragment in fragments {
            let key = trusted_key(fragment, file)?;
            if let Some(earlier) = keys.iter().find(|earlier| earlier.name == key.name) {
                return Err(PolicyError::NameTwice { file: file.to_owned(), key: earlier.name.clone() });
            }
            if let Some(earlier) = keys.iter().find(|earlier| earlier.public_key == key.public_key) {
                let (first, second) = (earlier.name.clone(), key.name);
                return Err(PolicyError::KeyTwice { file: file.to_owned(), first, second });
            }
            keys.push(key);
        }
        match keys.is_empty() {
            true => Err(PolicyError::NoKeys { file: file.to_owned() }),
            false => Ok(TrustPolicy { keys }),
        }
    }

    /// The keys, in the order of the file.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
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

    /// The extensions that the key may sign for.
    pub fn extensions(&self) -> &[NamePattern] {
        &self.extensions
    }

    /// The key itself.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// May the key sign for `name`?
    pub fn may_sign(&self, name: &ExtensionName) -> bool {
        self.extensions.iter().any(|pattern| pattern.covers(name))
    }
}

fn expect(field: &'static str, wanted: &'static str, found: &str, file: &str) -> Result<(), PolicyError> {
    match found == wanted {
        true => Ok(()),
        false => Err(PolicyError::Header { file: file.to_owned(), field, wanted, found: found.to_owned() }),
    }
}

fn trusted_key(fragment: KeyFragment, file: &str) -> Result<TrustedKey, PolicyError> {
    let KeyFragment { name: KeyName(name), extensions, public_key } = fragment;
    if extensions.is_empty() {
        return Err(PolicyError::NoExtensions { file: file.to_owned(), key: name });
    }
    match PublicKey::from_pem(public_key.as_bytes()) {
        Ok(public_key) => Ok(TrustedKey { name, extensions, public_key }),
        Err(source) => Err(PolicyError::Key { file: file.to_owned(), key: name, source }),
    }
}

/// The first two keys, read alone so that a file of another kind is called that, and not a bad policy.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: String,
    kind: String,
}

/// The policy as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    keys: Vec<KeyFragment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyFragment {
    name: KeyName,
    extensions: Vec<NamePattern>,
    public_key: String,
}

/// A name that can stand in a line of text.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct KeyName(String);

impl TryFrom<String> for KeyName {
    type Error = String;

    fn try_from(name: String) -> Result<KeyName, String> {
        let length = name.chars().count();
        match (1..=KEY_NAME_MAX).contains(&length) && !name.chars().any(char::is_control) {
            true => Ok(KeyName(name)),
            false => Err(format!("the name of a key has 1 to {KEY_NAME_MAX} printable characters")),
        }
    }
}

/// Why a trust policy was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not the YAML that it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A document of another kind, or of another version of the format.
    #[error("{file}: {field} is {found:?}, not {wanted}")]
    Header {
        /// The file.
        file: String,
        /// `apiVersion` or `kind`.
        field: &'static str,
        /// What it must say.
        wanted: &'static str,
        /// What it says.
        found: String,
    },
    /// A policy that trusts nobody is a mistake.
    #[error("{file}: the trust policy has no keys")]
    NoKeys {
        /// The file.
        file: String,
    },
    /// A key that may sign for nothing is a mistake.
    #[error("{file}: trust key {key} names no extensions that it may sign for")]
    NoExtensions {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// Two keys have one name.
    #[error("{file}: two trust keys are named {key}")]
    NameTwice {
        /// The file.
        file: String,
        /// The name.
        key: String,
    },
    /// Two names have one key.
    #[error("{file}: trust keys {first} and {second} are the same key")]
    KeyTwice {
        /// The file.
        file: String,
        /// The name that comes first.
        first: String,
        /// The other name.
        second: String,
    },
    /// The text of a key is not a key.
    #[error("{file}: trust key {key} cannot be used")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl Diagnose for PolicyError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            PolicyError::Yaml(error) => error.hint(),
            PolicyError::Header { .. } => {
                Some(format!("start the file with apiVersion: {API_VERSION} and kind: {KIND}"))
            }
            PolicyError::NoKeys { .. } => Some("list at least one key under keys:".to_owned()),
            PolicyError::NoExtensions { .. } => {
                Some("list names or patterns under extensions:, or \"*\" for all".to_owned())
            }
            PolicyError::NameTwice { .. } => Some("give each key a name of its own".to_owned()),
            PolicyError::KeyTwice { .. } => {
                Some("list the key once, with the extensions of both entries".to_owned())
            }
            PolicyError::Key { source, .. } => source.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    /// A policy of one entry for each name, patterns and seed.
    fn policy(entries: &[(&str, &str, u8)]) -> String {
        let mut text = "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n".to_owned();
        for (name, patterns, seed) in entries {
            let pem = SigningKey::from_seed([*seed; 32]).public_key().to_pem().replace('\n', "\n      ");
            text += &format!("  - name: {name}\n    extensions: {patterns}\n    publicKey: |\n      {pem}\n");
        }
        text
    }

    #[track_caller]
    fn refused(text: &str, wanted: &str) -> PolicyError {
        let error = TrustPolicy::parse(text, "trust.yaml").unwrap_err();
        assert!(error.to_string().starts_with(wanted), "{error}");
        error
    }

    #[test]
    fn a_policy_says_who_may_sign_for_what() {
        let text = policy(&[("acme", "[\"wireguard*\", realtek]", 1), ("other", "[\"*\"]", 2)]);
        let policy = TrustPolicy::parse(&text, "trust.yaml").unwrap();
        let [acme, other] = policy.keys() else { panic!("{policy:?}") };
        assert_eq!((acme.name(), other.name()), ("acme", "other"));
        for (name, may) in [("wireguard-tools", true), ("realtek", true), ("realtek-firmware", false)] {
            assert_eq!(acme.may_sign(&name.parse().unwrap()), may, "{name}");
        }
        assert_eq!(policy.key(&other.public_key().hint()), Some(other));
    }

    #[test]
    fn a_policy_of_mistakes_is_refused() {
        let good = policy(&[("acme", "[a]", 1)]);
        refused(&good.replace("kind: TrustPolicy", "kind: Trust"), "trust.yaml: kind is \"Trust\"");
        refused(&good.replace("v1alpha1", "v2"), "trust.yaml: apiVersion is \"v2\", not v1alpha1");
        refused(&good.replace("    extensions: [a]\n", ""), "trust.yaml:5:5: missing field `extensions`");
        refused(&good.replace("name: acme", "name: \"a\\e\""), "trust.yaml:4:");
        refused(&good.replace("[a]", "[A]"), "trust.yaml:5:");
        refused(&good.replace("[a]", "[]"), "trust.yaml: trust key acme names no extensions");
        refused(&format!("{good}threshold: 2\n"), "trust.yaml:11:1: unknown field `threshold`");
        refused(
            "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys: []\n",
            "trust.yaml: the trust policy has no keys",
        );
        refused("", "trust.yaml");
        refused(&policy(&[("a", "[a]", 1), ("a", "[b]", 2)]), "trust.yaml: two trust keys are named a");
    }

    #[test]
    fn the_error_for_a_bad_key_names_it_and_its_fault() {
        let good = policy(&[("acme", "[a]", 1)]);
        let error = refused(
            &good.replace("PUBLIC KEY", "RSA PRIVATE KEY"),
            "trust.yaml: trust key acme cannot be used",
        );
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "this is a PEM block of type RSA PRIVATE KEY, not an Ed25519 public key");
        assert!(error.hint().is_some());
    }
}

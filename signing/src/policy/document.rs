//! The policy as written, and what of it is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use spec::{Digest, ExtensionName, GrantPattern, NamePattern, yaml};

use super::error::PolicyError;
use super::{Developer, OnExpiry, Role, SetRule, Thresholds, TrustPolicy, TrustedKey, usual_grants};
use crate::document::{self, Header};
use crate::key::PublicKey;
use crate::moment::Moment;

/// `kind` of a trust policy.
pub(crate) const KIND: &str = "TrustPolicy";
/// Longest name of a key, in characters: it stands in status lines.
const NAME_MAX: usize = 63;

pub(super) fn parse(text: &str, file: &str) -> Result<TrustPolicy, PolicyError> {
    let header: Header = yaml::parse(text, file)?;
    header.expect(KIND, file)?;
    let document: Document = yaml::parse(text, file)?;
    let Document {
        _api_version,
        _kind,
        version,
        expires,
        on_expiry,
        keys,
        thresholds,
        set,
        generations,
        deny,
        developer,
    } = document;
    let keys = trusted_keys(keys, file)?;
    let thresholds = reachable(thresholds, &keys, file)?;
    if set.is_some() && !keys.iter().any(|key| key.roles.contains(&Role::Operator)) {
        return Err(PolicyError::NoOperator { file: file.to_owned() });
    }
    Ok(TrustPolicy {
        version: version.0,
        expires,
        on_expiry,
        keys,
        thresholds,
        set: set.map(|SetFragment { class, minimum }| SetRule { class, minimum }),
        generations,
        denied: document::denied(deny, file)?,
        developer: developer.map(|developer| override_of(developer, file)).transpose()?,
    })
}

fn trusted_keys(fragments: Vec<KeyFragment>, file: &str) -> Result<Vec<TrustedKey>, PolicyError> {
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
        false => Ok(keys),
    }
}

fn trusted_key(fragment: KeyFragment, file: &str) -> Result<TrustedKey, PolicyError> {
    let KeyFragment { name: Name(name), roles, extensions, may, public_key } = fragment;
    let roles: BTreeSet<Role> = roles.into_iter().collect();
    let publisher = roles.contains(&Role::Publisher);
    if roles.is_empty() {
        return Err(PolicyError::NoRoles { file: file.to_owned(), key: name });
    }
    if publisher && extensions.is_empty() {
        return Err(PolicyError::NoExtensions { file: file.to_owned(), key: name });
    }
    if !publisher && (!extensions.is_empty() || may.is_some()) {
        return Err(PolicyError::NoPublisher { file: file.to_owned(), key: name });
    }
    let may = may.unwrap_or_else(usual_grants);
    match PublicKey::from_pem(public_key.as_bytes()) {
        Ok(public_key) => Ok(TrustedKey { name, roles, extensions, may, public_key }),
        Err(source) => Err(PolicyError::Key { file: file.to_owned(), key: name, source }),
    }
}

/// Thresholds that there are keys enough for. A role without keys needs none: nothing of it is ever believed.
fn reachable(
    fragment: ThresholdsFragment,
    keys: &[TrustedKey],
    file: &str,
) -> Result<Thresholds, PolicyError> {
    let ThresholdsFragment { publisher, operator, root } = fragment;
    let thresholds = Thresholds { publisher, operator, root };
    for role in [Role::Publisher, Role::Operator, Role::Root] {
        let (threshold, keys) =
            (thresholds.of(role), keys.iter().filter(|key| key.roles.contains(&role)).count());
        let unused = keys == 0 && threshold == 1;
        if !unused && !(1..=keys).contains(&threshold) {
            return Err(PolicyError::Threshold { file: file.to_owned(), role, threshold, keys });
        }
    }
    Ok(thresholds)
}

fn override_of(fragment: DeveloperFragment, file: &str) -> Result<Developer, PolicyError> {
    let DeveloperFragment { name: Name(name), extensions, may } = fragment;
    match extensions.is_empty() {
        true => Err(PolicyError::NoExtensions { file: file.to_owned(), key: name }),
        false => Ok(Developer { name, extensions, may: may.unwrap_or_else(usual_grants) }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    #[serde(default)]
    version: First,
    #[serde(default)]
    expires: Option<Moment>,
    #[serde(default)]
    on_expiry: OnExpiry,
    keys: Vec<KeyFragment>,
    #[serde(default)]
    thresholds: ThresholdsFragment,
    #[serde(default)]
    set: Option<SetFragment>,
    #[serde(default)]
    generations: BTreeMap<ExtensionName, u64>,
    #[serde(default)]
    deny: Vec<Digest>,
    #[serde(default)]
    developer: Option<DeveloperFragment>,
}

/// A version; a policy that does not have one is the first.
#[derive(Deserialize)]
struct First(u64);

impl Default for First {
    fn default() -> First {
        First(1)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyFragment {
    name: Name,
    #[serde(default = "publisher")]
    roles: Vec<Role>,
    #[serde(default)]
    extensions: Vec<NamePattern>,
    #[serde(default)]
    may: Option<Vec<GrantPattern>>,
    public_key: String,
}

fn publisher() -> Vec<Role> {
    vec![Role::Publisher]
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ThresholdsFragment {
    publisher: usize,
    operator: usize,
    root: usize,
}

impl Default for ThresholdsFragment {
    fn default() -> ThresholdsFragment {
        ThresholdsFragment { publisher: 1, operator: 1, root: 1 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFragment {
    class: ExtensionName,
    #[serde(default)]
    minimum: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeveloperFragment {
    name: Name,
    extensions: Vec<NamePattern>,
    #[serde(default)]
    may: Option<Vec<GrantPattern>>,
}

/// A name that can stand in a line of text.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Name, String> {
        let length = name.chars().count();
        match (1..=NAME_MAX).contains(&length) && !name.chars().any(char::is_control) {
            true => Ok(Name(name)),
            false => Err(format!("a name here has 1 to {NAME_MAX} printable characters")),
        }
    }
}

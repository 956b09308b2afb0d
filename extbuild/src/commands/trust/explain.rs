//! `extbuild trust explain`

use serde_json::{Value, json};
use signing::{Developer, OnExpiry, Role, Trust, TrustPolicy, TrustedKey};
use spec::ExtensionName;
use terminal::{Failure, Table};

use crate::cli::TrustExplainArgs;
use crate::trust;

pub(super) fn run(args: TrustExplainArgs) -> Result<(), Failure> {
    let TrustExplainArgs { trust, extension, json } = args;
    let trust = trust::establish_quietly(&trust)?;
    if json {
        return Ok(terminal::json(&describe(&trust, extension.as_ref()))?);
    }
    let mut text = head(trust.policy());
    match &extension {
        Some(name) => text += &about(&trust, name),
        None => {
            print(text)?;
            keys(trust.policy()).print()?;
            text = rules(&trust);
        }
    }
    for note in trust.notes() {
        text += &format!("note: {note}\n");
    }
    print(text)
}

fn print(text: String) -> Result<(), Failure> {
    Ok(terminal::text(&text)?)
}

fn head(policy: &TrustPolicy) -> String {
    let expires = policy.expires().map(|date| format!(", to be replaced by {date}")).unwrap_or_default();
    let on_expiry = match (policy.expires(), policy.on_expiry()) {
        (Some(_), OnExpiry::Deny) => "; machines that boot later let nothing in",
        (Some(_), OnExpiry::Warn) => "; machines that boot later say so and go on",
        (None, _) => "",
    };
    format!("trust policy, version {}{expires}{on_expiry}\n", policy.version())
}

fn keys(policy: &TrustPolicy) -> Table {
    let mut table = Table::new(&["key", "roles", "signs", "which may carry"]);
    for key in policy.keys() {
        let publishes = key.roles().contains(&Role::Publisher);
        let of_publisher = |texts: Vec<String>| if publishes { texts.join(" ") } else { "-".to_owned() };
        let roles: Vec<String> = key.roles().iter().map(ToString::to_string).collect();
        table.row([
            key.name(),
            &roles.join(" "),
            &of_publisher(words(key.extensions())),
            &of_publisher(words(key.may())),
        ]);
    }
    table
}

/// What holds besides the keys, a sentence a line.
fn rules(trust: &Trust) -> String {
    let policy = trust.policy();
    let thresholds = policy.thresholds();
    let mut text = format!(
        "an extension needs signatures by {} of the publishers, a set or revocation by {} of the operators, the next policy \
         by {} of the root keys\n",
        thresholds.publisher, thresholds.operator, thresholds.root
    );
    if let Some(rule) = policy.set() {
        text += &match trust.set() {
            Some(set) => {
                format!("only what is in version {} of the set for {} gets in\n", set.version, rule.class)
            }
            None => format!(
                "only what is in a set for {} gets in, and there is none that is believed\n",
                rule.class
            ),
        };
    }
    if let Some(revocation) = trust.revocation() {
        text += &format!("version {} of the revocation is in force\n", revocation.version);
    }
    for (component, floor) in trust.floors() {
        text += &format!("{component} needs generation {floor} or higher\n");
    }
    if let Some(Developer { name, extensions, .. }) = policy.developer() {
        text += &format!("developer override {name}: {} need no signature\n", words(extensions).join(" "));
    }
    if let Some(expired) = trust.expired() {
        text += &format!("nothing gets in: {expired}\n");
    }
    text
}

/// Who may sign one extension, and what it may carry then.
fn about(trust: &Trust, name: &ExtensionName) -> String {
    let policy = trust.policy();
    let signers = signers(policy, name);
    let developer = policy.developer().filter(|developer| developer.covers(name));
    let mut text = match (developer, signers.is_empty()) {
        (Some(developer), _) => format!("{name} needs no signature: developer override {}\n", developer.name),
        (None, true) => format!("nobody may sign {name}\n"),
        (None, false) => {
            format!("{name} needs signatures by {} of these keys:\n", policy.thresholds().publisher)
        }
    };
    for key in signers {
        text += &format!("  {}, and it may carry: {}\n", key.name(), words(key.may()).join(" "));
    }
    if let Some(floor) = trust.floors().get(name) {
        text += &format!("its generation must be {floor} or higher\n");
    }
    if let Some(rule) = policy.set() {
        text += &match trust.set().and_then(|set| set.members.get(name)) {
            Some(member) => {
                format!("the set for {} has version {}, {}\n", rule.class, member.version, member.manifest)
            }
            None => format!("it is in no set for {} that is believed, and does not get in\n", rule.class),
        };
    }
    text
}

fn signers<'p>(policy: &'p TrustPolicy, name: &ExtensionName) -> Vec<&'p TrustedKey> {
    let may = |key: &&TrustedKey| key.roles().contains(&Role::Publisher) && key.may_sign(name);
    policy.keys().iter().filter(may).collect()
}

fn words(patterns: &[impl ToString]) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}

fn describe(trust: &Trust, extension: Option<&ExtensionName>) -> Value {
    let policy = trust.policy();
    let keys = match extension {
        Some(name) => signers(policy, name),
        None => policy.keys().iter().collect(),
    };
    let keys: Vec<Value> = keys
        .into_iter()
        .map(|key| {
            json!({
                "name": key.name(), "roles": key.roles(), "fingerprint": key.public_key().fingerprint(),
                "extensions": key.extensions(), "may": key.may(),
            })
        })
        .collect();
    let thresholds = policy.thresholds();
    json!({
        "version": policy.version(),
        "expires": policy.expires(),
        "expired": trust.expired(),
        "keys": keys,
        "thresholds": {
            "publisher": thresholds.publisher, "operator": thresholds.operator, "root": thresholds.root,
        },
        "set": policy.set().map(|rule| json!({
            "class": rule.class, "minimum": rule.minimum, "version": trust.set().map(|set| set.version),
        })),
        "revocation": trust.revocation().map(|revocation| revocation.version),
        "generations": trust.floors(),
        "developer": policy.developer().map(|developer| json!({
            "name": developer.name, "extensions": developer.extensions, "may": developer.may,
        })),
        "notes": trust.notes(),
    })
}

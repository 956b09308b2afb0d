//! Policies that are read, and policies that are mistakes.

use spec::Diagnose as _;

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
    refused(&good.replace("name: acme", "name: \"a\\e\""), "trust.yaml:4:");
    refused(&good.replace("[a]", "[A]"), "trust.yaml:5:");
    for none in ["    extensions: []\n", ""] {
        let text = good.replace("    extensions: [a]\n", none);
        refused(&text, "trust.yaml: acme is trusted for no extensions");
    }
    refused(&format!("{good}threshold: 2\n"), "trust.yaml:11:1: unknown field `threshold`");
    refused(
        "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys: []\n",
        "trust.yaml: the trust policy has no keys",
    );
    refused("", "trust.yaml");
    refused(&policy(&[("a", "[a]", 1), ("a", "[b]", 2)]), "trust.yaml: two trust keys are named a");
}

#[test]
fn roles_thresholds_and_floors_are_read() {
    let good = policy(&[("acme", "[a]", 1), ("other", "[\"*\"]", 2)]);
    let ops = policy(&[("ops", "[a]", 3)])
        .split("keys:\n")
        .nth(1)
        .unwrap()
        .replace("extensions: [a]", "roles: [operator, root]");
    let rest = "version: 3\nexpires: 2030-01-01\nonExpiry: deny\nthresholds: {publisher: 2}\n\
                set: {class: edge, minimum: 4}\ngenerations: {nvidia: 3}\n\
                developer: {name: bench, extensions: [a], may: [\"*\"]}\n";
    let denied = format!("deny:\n  - sha256:{}\n", "1".repeat(64));
    let policy = TrustPolicy::parse(&format!("{good}{ops}{rest}{denied}"), "trust.yaml").unwrap();
    assert_eq!((policy.version(), policy.on_expiry()), (3, OnExpiry::Deny));
    assert_eq!(policy.expires().unwrap().to_string(), "2030-01-01T00:00:00Z");
    assert_eq!(policy.thresholds(), Thresholds { publisher: 2, operator: 1, root: 1 });
    assert_eq!(policy.set(), Some(&SetRule { class: "edge".parse().unwrap(), minimum: 4 }));
    assert_eq!(policy.generations()[&"nvidia".parse().unwrap()], 3);
    assert_eq!(policy.denied().len(), 1);
    assert_eq!(policy.developer().unwrap().name, "bench");
    let ops = &policy.keys()[2];
    assert_eq!(ops.roles(), &[Role::Operator, Role::Root].into());
    assert!(!ops.may_sign(&"a".parse().unwrap()));
}

/// What a policy without `may:` lets in is what extensions are for, and nothing that steers the machine.
#[test]
fn a_key_may_what_the_policy_says() {
    let usual = policy(&[("acme", "[a]", 1)]);
    let more = usual.replace("[a]\n", "[a]\n    may: [\"units:acme-*\", firmware]\n");
    let may = |text: &str, grant: &str| {
        let policy = TrustPolicy::parse(text, "trust.yaml").unwrap();
        policy.keys()[0].may_grant(&grant.parse().unwrap())
    };
    for (grant, without, with) in [
        ("modules", true, false),
        ("firmware", true, true),
        ("binaries", true, false),
        ("units:acme-a.service", false, true),
        ("units:sshd.service", false, false),
        ("udev-rules", false, false),
    ] {
        assert_eq!((may(&usual, grant), may(&more, grant)), (without, with), "{grant}");
    }
}

#[test]
fn roles_and_thresholds_that_make_no_sense_are_refused() {
    let good = policy(&[("acme", "[a]", 1)]);
    let with = |rest: &str| format!("{good}{rest}\n");
    refused(
        &with("thresholds: {publisher: 2}"),
        "trust.yaml: the threshold of role publisher is 2, and 1 keys",
    );
    refused(&with("thresholds: {publisher: 0}"), "trust.yaml: the threshold of role publisher is 0");
    refused(&with("thresholds: {root: 0}"), "trust.yaml: the threshold of role root is 0, and 0 keys");
    refused(&with("thresholds: {root: 2}"), "trust.yaml: the threshold of role root is 2");
    refused(&with("set: {class: edge}"), "trust.yaml: the policy demands a set, and no key is an operator");
    refused(&good.replace("[a]", "[a]\n    roles: []"), "trust.yaml: trust key acme has no roles");
    refused(
        &good.replace("[a]", "[a]\n    roles: [root]"),
        "trust.yaml: trust key acme has extensions: or may:",
    );
    refused(&good.replace("[a]", "[a]\n    roles: [admin]"), "trust.yaml:6:");
    refused(&good.replace("[a]", "[a]\n    may: [unit]"), "trust.yaml:6:");
    refused(&with("developer: {name: x, extensions: []}"), "trust.yaml: x is trusted for no extensions");
    refused(&with("onExpiry: never"), "trust.yaml:11:");
}

#[test]
fn the_error_for_a_bad_key_names_it_and_its_fault() {
    let good = policy(&[("acme", "[a]", 1)]);
    let error =
        refused(&good.replace("PUBLIC KEY", "RSA PRIVATE KEY"), "trust.yaml: trust key acme cannot be used");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "this is a PEM block of type RSA PRIVATE KEY, not an Ed25519 public key");
    assert!(error.hint().is_some());
}

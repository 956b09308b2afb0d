//! What comes after the pinned policy: rotation, revocation, sets, dates, the developer override, and the ways to
//! get around them. The numbers are those of docs/threats.md; other projects' mistakes are named where they are known.
#![allow(clippy::unwrap_used)] // in the helpers too

use signing::{
    DocumentKind, Occasion, Refusal, SigningKey, Trust, TrustPolicy, Update, Updates, clear, sign_document,
    sign_extension, verify_extension, verify_index,
};
use spec::artifact::ExtensionConfig;
use spec::{Digest, ExtensionName, ReasonCode};

const ACME: u8 = 1;
const OTHER: u8 = 2;
const OPS: u8 = 3;
const ROOT_A: u8 = 4;
const ROOT_B: u8 = 5;
const ROOT_C: u8 = 6;
const STRANGER: u8 = 9;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn entry(name: &str, rights: &str, seed: u8) -> String {
    let pem = key(seed).public_key().to_pem().replace('\n', "\n      ");
    format!("  - name: {name}\n    {rights}\n    publicKey: |\n      {pem}\n")
}

/// A policy of this version with these root keys; `rest` are further fields.
fn policy_text(version: u64, roots: &[u8], rest: &str) -> String {
    let mut text = format!("apiVersion: v1alpha1\nkind: TrustPolicy\nversion: {version}\n{rest}\nkeys:\n");
    text += &entry("acme", "extensions: [\"wireguard*\"]", ACME);
    text += &entry("other", "extensions: [\"*\"]\n    may: [\"*\"]", OTHER);
    text += &entry("ops", "roles: [operator]", OPS);
    for root in roots {
        text += &entry(&format!("root-{root}"), "roles: [root]", *root);
    }
    text
}

fn pinned(rest: &str) -> TrustPolicy {
    TrustPolicy::parse(&policy_text(1, &[ROOT_A, ROOT_B], rest), "trust.yaml").unwrap()
}

/// The updates that a medium has.
#[derive(Default, Clone)]
struct Medium(Updates);

impl Medium {
    fn with(mut self, kind: DocumentKind, file: &str, text: &str, signers: &[u8]) -> Medium {
        let bytes = text.as_bytes().to_vec();
        for seed in signers {
            self.0.bundles.push(sign_document(&key(*seed), kind, &bytes).unwrap().to_json());
        }
        self.0.documents.push(Update { file: file.to_owned(), bytes });
        self
    }

    fn policy(self, version: u64, text: &str, signers: &[u8]) -> Medium {
        self.with(DocumentKind::Policy, &format!("policy-{version}.yaml"), text, signers)
    }

    fn revocation(self, version: u64, rest: &str, signers: &[u8]) -> Medium {
        let text = format!("apiVersion: v1alpha1\nkind: Revocation\nversion: {version}\n{rest}\n");
        self.with(DocumentKind::Revocation, &format!("revocation-{version}.yaml"), &text, signers)
    }

    fn set(self, class: &str, version: u64, members: &[(&str, Digest)], signers: &[u8]) -> Medium {
        let text = set_text(class, version, members);
        self.with(DocumentKind::Set, &format!("set-{version}.yaml"), &text, signers)
    }

    fn trust(&self, policy: TrustPolicy) -> Trust {
        Trust::establish(policy, &self.0, Occasion::Boot(None))
    }
}

fn set_text(class: &str, version: u64, members: &[(&str, Digest)]) -> String {
    let head = format!("apiVersion: v1alpha1\nkind: ExtensionSet\nclass: {class}\nversion: {version}\n");
    let items = members
        .iter()
        .map(|(name, digest)| format!("  - name: {name}\n    version: 1.0.0\n    digest: {digest}\n"));
    head + "extensions:\n" + &items.collect::<String>()
}

fn name(text: &str) -> ExtensionName {
    text.parse().unwrap()
}

fn manifest(what: &str) -> Digest {
    Digest::of(what.as_bytes())
}

fn signed(what: &str, manifest: &Digest, signers: &[u8]) -> Vec<Vec<u8>> {
    signers.iter().map(|seed| sign_extension(&key(*seed), &name(what), manifest).unwrap().to_json()).collect()
}

/// The verdict about the extension `wireguard` with a manifest, signed by these keys.
fn verdict(trust: &Trust, what: &str, signers: &[u8]) -> Result<Vec<String>, Refusal> {
    let manifest = manifest(what);
    let bundles = signed("wireguard", &manifest, signers);
    let verified = verify_extension(trust, &name("wireguard"), &manifest, &bundles)?;
    Ok(verified.signers().into_iter().map(str::to_owned).collect())
}

#[track_caller]
fn refused<T: std::fmt::Debug>(verdict: Result<T, Refusal>, code: ReasonCode) {
    assert_eq!(verdict.unwrap_err().code(), code);
}

// Rotation.

#[test]
fn a_policy_is_followed_by_the_next_one_step_by_step() {
    let (two, three) = (policy_text(2, &[ROOT_B, ROOT_C], ""), policy_text(3, &[ROOT_C], ""));
    let medium =
        Medium::default().policy(3, &three, &[ROOT_B, ROOT_C]).policy(2, &two, &[ROOT_A, ROOT_B, ROOT_C]);
    let trust = medium.trust(pinned(""));
    assert_eq!((trust.policy().version(), trust.notes()), (3, &[][..]));

    let without_two = Medium::default().policy(3, &three, &[ROOT_A, ROOT_B, ROOT_C]);
    assert_eq!(
        without_two.trust(pinned("")).policy().version(),
        1,
        "CVE-2025-2885: exactly the next version"
    );
}

/// Whoever drops the last root key leaves the chain, and does not end it.
#[test]
fn a_policy_without_root_keys_follows_nothing() {
    let text = policy_text(2, &[], "");
    let trust = Medium::default().policy(2, &text, &[ROOT_A, ROOT_B]).trust(pinned(""));
    assert_eq!(trust.policy().version(), 1);
    assert_eq!(trust.notes(), ["policy-2.yaml: too few of its own root keys have signed it"]);
}

/// The Update Framework, 5.3.4: the threshold of the old *and* of the new policy.
#[test]
fn rotation_needs_both_thresholds() {
    let thresholds = "thresholds: {root: 2}";
    let text = policy_text(2, &[ROOT_B, ROOT_C], thresholds);
    let version = |signers: &[u8]| {
        let trust = Medium::default().policy(2, &text, signers).trust(pinned(thresholds));
        assert_eq!(trust.policy().version() == 2, trust.notes().is_empty(), "{:?}", trust.notes());
        trust.policy().version()
    };
    assert_eq!(version(&[ROOT_A, ROOT_B, ROOT_C]), 2);
    assert_eq!(version(&[ROOT_A, ROOT_B]), 1, "the new threshold is not met");
    assert_eq!(version(&[ROOT_B, ROOT_C]), 1, "the old threshold is not met");
    assert_eq!(version(&[ROOT_B, ROOT_B, ROOT_B]), 1, "CVE-2020-15093: one key counts once");
    assert_eq!(version(&[ACME, OPS, OTHER, STRANGER]), 1, "these are no root keys");
    assert_eq!(version(&[]), 1);
}

#[test]
fn a_policy_that_nobody_signed_is_not_even_parsed() {
    let trust = Medium::default().policy(2, "{\u{0}", &[STRANGER]).trust(pinned(""));
    assert_eq!(
        trust.notes(),
        ["policy-2.yaml: too few keys of the trust policy in force have signed it; it is not used"]
    );
    let broken = Medium::default().policy(2, "kind: [", &[ROOT_A]).trust(pinned(""));
    assert!(broken.notes()[0].starts_with("policy-2.yaml:1:"), "{:?}", broken.notes());
}

/// A9, python-tuf CVE-2020-15163: a policy that was refused must not be the ground for the next step.
#[test]
fn nothing_follows_from_a_policy_that_was_refused() {
    let evil = policy_text(2, &[STRANGER], "");
    let next = policy_text(3, &[STRANGER], "");
    let medium = Medium::default().policy(2, &evil, &[STRANGER]).policy(3, &next, &[STRANGER]);
    assert_eq!(medium.trust(pinned("")).policy().version(), 1);
}

#[test]
fn an_older_policy_on_the_medium_changes_nothing() {
    let text = policy_text(1, &[ROOT_A], "generations: {}");
    let newer = TrustPolicy::parse(&policy_text(2, &[ROOT_A], ""), "trust.yaml").unwrap();
    assert_eq!(Medium::default().policy(1, &text, &[ROOT_A]).trust(newer).policy().version(), 2);
}

/// A6 among the documents of trust: what is signed for one purpose says nothing for another.
#[test]
fn a_signature_for_another_purpose_says_nothing() {
    let text = policy_text(2, &[ROOT_A], "");
    let mut medium = Medium::default().policy(2, &text, &[]);
    for kind in [DocumentKind::Revocation, DocumentKind::Set] {
        medium.0.bundles.push(sign_document(&key(ROOT_A), kind, text.as_bytes()).unwrap().to_json());
    }
    let as_extension = sign_extension(&key(ROOT_A), &name("trust"), &Digest::of(text.as_bytes())).unwrap();
    medium.0.bundles.push(as_extension.to_json());
    assert_eq!(medium.trust(pinned("")).policy().version(), 1);

    let manifest = manifest("wireguard");
    let approval = sign_document(&key(OTHER), DocumentKind::Set, b"wireguard").unwrap().to_json();
    refused(
        verify_extension(&medium.trust(pinned("")), &name("wireguard"), &manifest, &[approval]),
        ReasonCode::StatementMismatch,
    );
}

// Thresholds and roles.

/// A7: the same key twice, and the same signature twice, are one signer.
#[test]
fn different_keys_are_counted() {
    let trust = Medium::default().trust(pinned("thresholds: {publisher: 2}"));
    assert_eq!(verdict(&trust, "a", &[ACME, OTHER]).unwrap(), ["acme", "other"]);
    refused(verdict(&trust, "a", &[ACME, ACME]), ReasonCode::TooFewSignatures);
    refused(verdict(&trust, "a", &[ACME, STRANGER]), ReasonCode::TooFewSignatures);
    let one = signed("wireguard", &manifest("a"), &[ACME]).remove(0);
    let twice = verify_extension(&trust, &name("wireguard"), &manifest("a"), &[one.clone(), one]);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "wireguard is signed by acme, and the policy demands 2 different keys"
    );
}

/// E7: a key for sets signs no extension, and a key for extensions no set.
#[test]
fn a_key_does_what_its_role_is() {
    let trust = Medium::default().trust(pinned(""));
    refused(verdict(&trust, "a", &[OPS]), ReasonCode::KeyOutOfScope);
    refused(verdict(&trust, "a", &[ROOT_A]), ReasonCode::KeyOutOfScope);
    let strict = "set: {class: edge}";
    let by_publisher =
        Medium::default().set("edge", 1, &[("wireguard", manifest("a"))], &[ACME, OTHER, ROOT_A]);
    refused(verdict(&by_publisher.trust(pinned(strict)), "a", &[ACME]), ReasonCode::SetMissing);
}

// Revocation and floors.

fn config(generations: &str, grants: &str) -> ExtensionConfig {
    let json = format!(
        r#"{{"schemaVersion":1,"name":"wireguard","version":"1.0.0","arch":"amd64","generations":{generations},
            "grants":{grants},"content":{{"inodes":0,"bytes":0}}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn cleared(trust: &Trust, signers: &[u8], config: &ExtensionConfig) -> Result<(), Refusal> {
    let manifest = manifest("a");
    let bundles = signed("wireguard", &manifest, signers);
    let approval = verify_extension(trust, &name("wireguard"), &manifest, &bundles).unwrap();
    clear(trust, approval, config).map(drop)
}

/// C12: a version says nothing about what is wrong with it; its generation does, whatever the version.
#[test]
fn what_is_below_its_floor_does_not_run() {
    let trust = Medium::default().trust(pinned("generations: {wireguard: 2, liberty: 5}"));
    for (generations, allowed) in [
        (r#"{"wireguard":2}"#, true),
        (r#"{"wireguard":3,"liberty":5}"#, true),
        (r#"{"wireguard":1}"#, false),
        (r#"{"wireguard":2,"liberty":4}"#, false),
        (r#"{"wireguard":2,"something":0}"#, true),
    ] {
        assert_eq!(cleared(&trust, &[ACME], &config(generations, "[]")).is_ok(), allowed, "{generations}");
    }
    let refusal = cleared(&trust, &[ACME], &config("{}", "[]")).unwrap_err();
    assert_eq!(refusal.to_string(), "wireguard has generation 0 of wireguard, and at least 2 is demanded");
    assert_eq!(refusal.code(), ReasonCode::GenerationTooLow);
}

/// A1: the newest revocation wins, and none can lower what the pinned policy demands.
#[test]
fn floors_only_rise() {
    let pinned = || pinned("generations: {wireguard: 2}");
    let floor = |medium: &Medium| medium.trust(pinned()).floors().get(&name("wireguard")).copied();
    let low = Medium::default().revocation(1, "generations: {wireguard: 1}", &[OPS]);
    assert_eq!(floor(&low), Some(2));
    let high = low.clone().revocation(2, "generations: {wireguard: 4}", &[OPS]);
    assert_eq!(floor(&high), Some(4));
    let replayed =
        Medium(Updates { documents: high.0.documents.iter().rev().cloned().collect(), ..high.0.clone() });
    assert_eq!(floor(&replayed), Some(4), "the order decides nothing");
    let unsigned = high.revocation(9, "generations: {}", &[ACME, ROOT_A, STRANGER]);
    assert_eq!(floor(&unsigned), Some(4));
}

/// Neither the next policy nor the next revocation, nor a new operator, takes back what was demanded before.
#[test]
fn no_update_lowers_a_floor() {
    let next = policy_text(2, &[ROOT_A], "").replace(&entry("ops", "roles: [operator]", OPS), "");
    let medium = Medium::default()
        .policy(2, &next, &[ROOT_A])
        .revocation(1, "generations: {liberty: 7}", &[OPS])
        .revocation(2, "generations: {wireguard: 1}", &[OPS]);
    let deny = format!("generations: {{wireguard: 2}}\ndeny: [{}]", manifest("bad"));
    let trust = medium.trust(pinned(&deny));
    assert_eq!(trust.policy().version(), 2);
    let floor = |component: &str| trust.floors().get(&name(component)).copied();
    assert_eq!((floor("wireguard"), floor("liberty")), (Some(2), Some(7)));
    refused(verdict(&trust, "bad", &[ACME]), ReasonCode::DigestDenied);
}

#[test]
fn a_denied_manifest_does_not_run_whoever_signed_it() {
    let deny = format!("deny: [{}]", manifest("a"));
    let by_policy = Medium::default().trust(pinned(&deny));
    let by_revocation = Medium::default().revocation(1, &deny, &[OPS]).trust(pinned(""));
    for trust in [by_policy, by_revocation] {
        refused(verdict(&trust, "a", &[ACME, OTHER]), ReasonCode::DigestDenied);
        assert!(verdict(&trust, "b", &[ACME]).is_ok());
    }
}

// Sets.

/// A2: every member is signed by its publisher, and still only what the operator put together runs together.
#[test]
fn mix_and_match() {
    let strict = "set: {class: edge, minimum: 3}";
    let set = |class: &str, version, what: &str, signers: &[u8]| {
        Medium::default().set(class, version, &[("wireguard", manifest(what))], signers).trust(pinned(strict))
    };
    assert_eq!(verdict(&set("edge", 3, "a", &[OPS]), "a", &[ACME]).unwrap(), ["acme"]);
    refused(verdict(&set("edge", 3, "a", &[OPS]), "b", &[ACME]), ReasonCode::NotInSet);
    refused(verdict(&set("edge", 3, "a", &[OPS]), "a", &[STRANGER]), ReasonCode::KeyUnknown);
    refused(verdict(&set("edge", 2, "a", &[OPS]), "a", &[ACME]), ReasonCode::SetMissing);
    refused(verdict(&set("core", 3, "a", &[OPS]), "a", &[ACME]), ReasonCode::SetMissing);
    refused(verdict(&set("edge", 3, "a", &[STRANGER]), "a", &[ACME]), ReasonCode::SetMissing);
    refused(verdict(&Medium::default().trust(pinned(strict)), "a", &[ACME]), ReasonCode::SetMissing);

    let both = Medium::default().set("edge", 4, &[("wireguard", manifest("new"))], &[OPS]).set(
        "edge",
        3,
        &[("wireguard", manifest("old"))],
        &[OPS],
    );
    let trust = both.trust(pinned(strict));
    assert!(verdict(&trust, "new", &[ACME]).is_ok());
    refused(verdict(&trust, "old", &[ACME]), ReasonCode::NotInSet);
}

/// An index is no member of a set; all else that holds for a manifest holds for it.
#[test]
fn an_index_is_believed_by_the_same_rules_without_the_set() {
    let index = manifest("index");
    let verdict = |rest: &str, signers: &[u8]| {
        let trust = Medium::default().trust(pinned(rest));
        let verified =
            verify_index(&trust, &name("wireguard"), &index, &signed("wireguard", &index, signers))?;
        assert_eq!((&verified.value().name, verified.value().index), (&name("wireguard"), index));
        Ok(verified.signers().into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let strict = "set: {class: edge, minimum: 3}";
    assert_eq!(verdict(strict, &[STRANGER, ACME]).unwrap(), ["acme"]);
    refused(verdict(strict, &[]), ReasonCode::SignatureMissing);
    refused(verdict("", &[STRANGER]), ReasonCode::KeyUnknown);
    refused(verdict("", &[OPS]), ReasonCode::KeyOutOfScope);
    refused(verdict("thresholds: {publisher: 2}", &[ACME]), ReasonCode::TooFewSignatures);
    refused(verdict(&format!("deny: [\"{index}\"]"), &[ACME]), ReasonCode::DigestDenied);
    assert!(verdict("developer: {name: bench, extensions: [wireguard]}", &[]).unwrap().is_empty());
}

#[test]
fn a_set_without_a_policy_that_demands_one_is_nobodys_business() {
    let medium = Medium::default().set("edge", 1, &[], &[OPS]);
    assert!(verdict(&medium.trust(pinned("")), "a", &[ACME]).is_ok());
}

// Dates.

/// A1, freeze: online a date counts; a machine that boots has no clock to trust, says so, and the policy decides.
#[test]
fn what_is_past_its_date() {
    let now = |text: &str| text.parse().unwrap();
    let warn = "expires: 2030-01-01";
    let deny = "expires: 2030-01-01\nonExpiry: deny";
    let at = |rest: &str, occasion| Trust::establish(pinned(rest), &Updates::default(), occasion);
    for (rest, occasion, allowed, notes) in [
        (warn, Occasion::Online(now("2029-12-31")), true, 0),
        (warn, Occasion::Online(now("2030-01-01")), false, 0),
        (warn, Occasion::Boot(Some(now("2031-01-01"))), true, 1),
        (warn, Occasion::Boot(Some(now("1980-01-01"))), true, 0),
        (deny, Occasion::Boot(Some(now("2031-01-01"))), false, 0),
        (deny, Occasion::Boot(None), true, 0),
    ] {
        let trust = at(rest, occasion);
        let verdict = verdict(&trust, "a", &[ACME]);
        assert_eq!((verdict.is_ok(), trust.notes().len()), (allowed, notes), "{rest} {occasion:?}");
        if let Err(refusal) = verdict {
            assert_eq!(refusal.code(), ReasonCode::TrustExpired);
        }
    }
}

/// The date of a policy on the way does not count: only that of the last one does (The Update Framework, 5.3.10).
#[test]
fn the_date_of_the_last_policy_counts() {
    let next = policy_text(2, &[ROOT_A], "expires: 2040-01-01");
    let medium = Medium::default().policy(2, &next, &[ROOT_A]);
    let online = Occasion::Online("2035-01-01".parse().unwrap());
    let trust = Trust::establish(pinned("expires: 2030-01-01"), &medium.0, online);
    assert_eq!(trust.expired(), None);
}

#[test]
fn a_set_past_its_date_lets_nothing_in_online() {
    let text = set_text("edge", 3, &[("wireguard", manifest("a"))])
        .replace("version: 3", "version: 3\nexpires: 2030-01-01");
    let medium = Medium::default().with(DocumentKind::Set, "set.yaml", &text, &[OPS]);
    let at = |moment: &str| {
        Trust::establish(pinned("set: {class: edge}"), &medium.0, Occasion::Online(moment.parse().unwrap()))
    };
    assert!(verdict(&at("2029-01-01"), "a", &[ACME]).is_ok());
    refused(verdict(&at("2031-01-01"), "a", &[ACME]), ReasonCode::TrustExpired);
}

// The developer override.

/// A8: it is a rule of the policy for names, and never what is left when signatures fail.
#[test]
fn an_override_is_for_its_names_and_shown() {
    let trust = Medium::default().trust(pinned("developer: {name: bench, extensions: [wireguard]}"));
    let unsigned = verify_extension(&trust, &name("wireguard"), &manifest("a"), &[] as &[Vec<u8>]).unwrap();
    assert_eq!((unsigned.developer(), unsigned.signers().len()), (Some("bench"), 0));
    assert!(
        trust.notes()[0].contains("developer override bench: wireguard may be active without a signature")
    );
    let other = verify_extension(&trust, &name("firmware"), &manifest("a"), &[] as &[Vec<u8>]);
    refused(other, ReasonCode::SignatureMissing);
    let without = Medium::default().trust(pinned(""));
    refused(verdict(&without, "a", &[]), ReasonCode::SignatureMissing);
}

#[test]
fn an_override_is_not_above_what_is_denied_or_too_old() {
    let rules = format!(
        "developer: {{name: bench, extensions: [wireguard]}}\ndeny: [{}]\ngenerations: {{wireguard: 2}}",
        manifest("bad")
    );
    let trust = Medium::default().trust(pinned(&rules));
    refused(verdict(&trust, "bad", &[]), ReasonCode::DigestDenied);
    refused(cleared(&trust, &[], &config("{}", "[]")), ReasonCode::GenerationTooLow);
    refused(
        cleared(&trust, &[], &config(r#"{"wireguard":2}"#, r#"["units:a.service"]"#)),
        ReasonCode::GrantRefused,
    );
}

// Grants.

#[test]
fn a_key_lets_in_what_it_may_and_no_more() {
    let trust = Medium::default().trust(pinned(""));
    assert!(cleared(&trust, &[ACME], &config("{}", r#"["modules","binaries"]"#)).is_ok());
    let units = config("{}", r#"["modules","units:a.service"]"#);
    let refusal = cleared(&trust, &[ACME], &units).unwrap_err();
    assert_eq!(refusal.to_string(), "wireguard needs the grant units:a.service, which acme may not give");
    assert!(cleared(&trust, &[OTHER], &units).is_ok());
    assert!(
        cleared(&trust, &[ACME, OTHER], &units).is_ok(),
        "one key that may is enough where one is demanded"
    );
}

/// With two keys demanded, each of two must let in all of it; halves do not add up.
#[test]
fn a_threshold_of_keys_that_may() {
    let trust = Medium::default().trust(pinned("thresholds: {publisher: 2}"));
    assert!(cleared(&trust, &[ACME, OTHER], &config("{}", r#"["modules"]"#)).is_ok());
    let units = config("{}", r#"["units:a.service"]"#);
    refused(cleared(&trust, &[ACME, OTHER], &units), ReasonCode::GrantRefused);
}

/// A3: the config of another extension under an approval.
#[test]
fn a_config_of_another_name() {
    let trust = Medium::default().trust(pinned(""));
    let other = ExtensionConfig { name: name("firmware"), ..config("{}", "[]") };
    refused(cleared(&trust, &[ACME], &other), ReasonCode::IdentityMismatch);
}

// Whatever lies there.

#[test]
fn rubbish_beside_the_policy_changes_nothing() {
    let mut medium = Medium::default().revocation(1, "generations: {wireguard: 4}", &[OPS]);
    medium.0.bundles.insert(0, b"{}".to_vec());
    medium.0.documents.insert(0, Update { file: "junk.yaml".into(), bytes: vec![0xff; 100] });
    let trust = medium.trust(pinned(""));
    assert_eq!(trust.revocation().map(|revocation| revocation.version), Some(1));
    assert_eq!(trust.notes().len(), 2, "{:?}", trust.notes());
}

/// More than is looked at is said to be more, and costs no more.
#[test]
fn a_flood_of_updates_is_bounded() {
    let mut medium = Medium::default();
    medium.0.bundles = vec![b"{}".to_vec(); signing::UPDATES_MAX + 1];
    let trust = medium.trust(pinned(""));
    assert_eq!(trust.notes().len(), 2, "{:?}", trust.notes());
    assert!(trust.notes()[0].contains("257"));
}

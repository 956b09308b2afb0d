//! The trust policy at boot, with what lies beside it on the medium: sets, revocations, dates and the developer override.
//! Which of them are believed is tested in `signing/tests/updates.rs`; here, that a machine asks.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in test functions, not in what they share

mod world;

use extruntime::plan::{Request, plan};
use kabi::SignatureRule;
use signing::DocumentKind;
use spec::status::{ExtensionStatus, State, Status};
use spec::{Digest, ReasonCode};
use world::{Extension, World, operator, publisher};

fn judged(world: &World) -> Status {
    let rule = SignatureRule::AsBuilt;
    let request = Request::of_medium(&world.medium(), world.base(), world.trust(), None, rule).unwrap();
    plan(&request).unwrap().status
}

fn of<'a>(status: &'a Status, name: &str) -> &'a ExtensionStatus {
    status.extensions.iter().find(|extension| extension.name.as_str() == name).unwrap()
}

fn code(status: &Status, name: &str) -> ReasonCode {
    let extension = of(status, name);
    assert_eq!(extension.state, State::Refused);
    extension.reasons[0].code
}

fn set(version: u64, members: &[(&str, Digest)]) -> String {
    let items = members
        .iter()
        .map(|(name, digest)| format!("  - name: {name}\n    version: 1.0.0\n    digest: {digest}\n"));
    let items: String = items.collect();
    format!("apiVersion: v1alpha1\nkind: ExtensionSet\nclass: edge\nversion: {version}\nextensions:\n{items}")
}

/// A2: of versions that are all signed, a machine takes the one in the set, even where a higher one is there.
#[test]
fn a_machine_runs_its_set() {
    let world = World::new();
    let old = world.publish(&Extension::new("tool").version("1.0.0"));
    world.publish(&Extension::new("tool").version("1.1.0"));
    world.publish(&Extension::new("other"));
    world.want(&["tool", "other"]);
    assert_eq!(of(&judged(&world), "tool").version, Some("1.1.0".parse().unwrap()));

    world.amend_trust("set: {class: edge}");
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::SetMissing);
    let members = [("tool", old.digest)];
    world.update("set", DocumentKind::Set, &set(1, &members), &publisher());
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::SetMissing, "publishers sign no sets");
    world.update("set", DocumentKind::Set, &set(1, &members), &operator());
    let status = judged(&world);
    assert_eq!(of(&status, "tool").version, Some("1.0.0".parse().unwrap()));
    assert_eq!(of(&status, "tool").state, State::Active);
    assert_eq!(code(&status, "other"), ReasonCode::NotInSet);
}

/// C12: the floor counts, and not the version.
#[test]
fn a_machine_does_not_run_what_is_revoked() {
    let world = World::new();
    let generation = |version: &str, generation| {
        let mut extension = Extension::new("tool").version(version);
        extension.config.generations.insert("tool".parse().unwrap(), generation);
        extension
    };
    world.publish(&generation("1.0.0", 2));
    world.want(&["tool"]);
    world.amend_trust("generations: {tool: 1}");
    assert_eq!(of(&judged(&world), "tool").state, State::Active);
    let text = "apiVersion: v1alpha1\nkind: Revocation\nversion: 1\ngenerations: {tool: 3}\n";
    world.update("revocation", DocumentKind::Revocation, text, &operator());
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::GenerationTooLow);
    // A mended build of a lower version: a downgrade that is allowed.
    let mended = world.publish(&generation("0.9.0", 3));
    world.want(&["tool ^0"]);
    assert_eq!(of(&judged(&world), "tool").digest, Some(mended.digest));
    assert_eq!(of(&judged(&world), "tool").state, State::Active);

    let text = format!("apiVersion: v1alpha1\nkind: Revocation\nversion: 2\ndeny: [{}]\n", mended.digest);
    world.update("revocation-2", DocumentKind::Revocation, &text, &operator());
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::DigestDenied);
}

#[test]
fn what_an_extension_carries_needs_a_key_that_may() {
    let world = World::new();
    let mut extension = Extension::new("tool").file("/usr/lib/systemd/system/tool.service");
    extension.config.grants.push("units:tool.service".parse().unwrap());
    world.publish(&extension);
    world.want(&["tool"]);
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::GrantRefused);
}

/// C2: a file of the base is replaced by who may, and by nobody else.
#[test]
fn a_file_of_the_base_is_replaced_by_a_key_that_may() {
    let world = World::new();
    let mut extension = Extension::new("tool").file("/usr/bin/sh");
    extension.config.grants.push("replaces:/usr/bin/sh".parse().unwrap());
    world.publish(&extension);
    world.want(&["tool"]);
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::GrantRefused);
    world.let_in("replaces");
    assert_eq!(of(&judged(&world), "tool").state, State::Active);
}

#[test]
fn an_expired_policy_is_said_and_not_the_end() {
    let world = World::new();
    world.publish(&Extension::new("tool"));
    world.want(&["tool"]);
    world.amend_trust("expires: 2020-01-01");
    let status = judged(&world);
    assert_eq!(of(&status, "tool").state, State::Active);
    assert_eq!(status.notes, ["version 1 of the trust policy expired at 2020-01-01T00:00:00Z"]);
    world.amend_trust("onExpiry: deny");
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::TrustExpired);
}

#[test]
fn an_override_is_in_the_status() {
    let world = World::new();
    world.add(&Extension::new("tool"));
    world.add(&Extension::new("other"));
    world.want(&["tool", "other"]);
    assert_eq!(code(&judged(&world), "tool"), ReasonCode::SignatureMissing);
    world.amend_trust("developer: {name: bench-7, extensions: [tool]}");
    let status = judged(&world);
    let tool = of(&status, "tool");
    assert_eq!(
        (tool.state, tool.developer.as_deref(), tool.signers.len()),
        (State::Active, Some("bench-7"), 0)
    );
    assert_eq!(code(&status, "other"), ReasonCode::SignatureMissing);
    assert!(status.notes[0].contains("bench-7"), "{:?}", status.notes);
}

/// Rubbish beside the policy is named, and hides neither the policy nor what is whole.
#[test]
fn rubbish_beside_the_policy_is_noted() {
    let world = World::new();
    world.publish(&Extension::new("tool"));
    world.want(&["tool"]);
    let text = "apiVersion: v1alpha1\nkind: Revocation\nversion: 1\ngenerations: {tool: 3}\n";
    world.update("a", DocumentKind::Revocation, text, &operator());
    let trust = world.medium().join("tenon/trust");
    std::fs::create_dir(trust.join("directory.yaml")).unwrap();
    std::fs::write(trust.join("empty.json"), "").unwrap();
    let status = judged(&world);
    assert_eq!(code(&status, "tool"), ReasonCode::GenerationTooLow);
    assert_eq!(status.notes.len(), 2, "{:?}", status.notes);
}

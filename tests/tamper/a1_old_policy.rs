//! Policies that a root key has really signed, and that are old, not the next one, or not signed by enough; and a
//! revocation by somebody who may not revoke.

use signing::{DocumentKind, SigningKey};
use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Outcome, Programs, Refusal, comes_to_nothing, is_refused};
use crate::registry::world;
use crate::world::{Extension, World, publisher, stranger};

/// The seeds of two root keys.
const ROOTS: [u8; 2] = [6, 7];

/// The machine does not trust the stranger who has signed `tool`; another policy would.
fn refusal() -> Refusal {
    Refusal::by_judge(ReasonCode::KeyUnknown, "tool is signed by no key of the trust policy")
}

/// The medium has `other`, in which the stranger is trusted, with the signature of the first root key of the machine's
/// `own` policy.
fn planned(programs: &Programs, own: &str, other: &str) -> Outcome {
    let world = World::new();
    world.amend_trust(&format!("{}{own}", key("root", "[root]", ROOTS[0])));
    let theirs = key("theirs", "[publisher]", 3);
    let text = format!("apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n{theirs}{other}\n");
    world.update("policy", DocumentKind::Policy, &text, &SigningKey::from_seed([ROOTS[0]; 32]));
    let tool = world.add(&Extension::new("tool"));
    world.sign(&stranger(), "tool", &tool);
    world.want(&["tool"]);
    programs.plan(&world, &[])
}

/// The stranger was trusted once.
#[test]
fn a_machine_does_not_go_back_to_an_old_policy() {
    let root = key("root", "[root]", ROOTS[0]);
    is_refused(Threat::A1, refusal(), |programs| {
        planned(programs, "version: 2", &format!("{root}version: 1"))
    });
}

/// What lies between two policies may have taken a key away, or put one into force.
#[test]
fn no_policy_is_left_out() {
    let root = key("root", "[root]", ROOTS[0]);
    is_refused(Threat::A1, refusal(), |programs| {
        planned(programs, "version: 2", &format!("{root}version: 4"))
    });
}

/// The next policy would have two root keys that must agree, and one of them has not been asked.
#[test]
fn a_policy_has_the_word_of_its_own_root_keys() {
    let roots = ROOTS.map(|seed| key(&format!("root-{seed}"), "[root]", seed)).concat();
    is_refused(Threat::A1, refusal(), |programs| {
        planned(programs, "version: 2", &format!("{roots}version: 3\nthresholds: {{root: 2}}"))
    });
}

/// Who has one of two root keys writes a policy that trusts a key of theirs.
#[test]
fn one_root_key_of_two_changes_no_policy() {
    let second = key("second", "[root]", ROOTS[1]);
    is_refused(Threat::A1, refusal(), |programs| {
        let mine = key("mine", "[root]", ROOTS[0]);
        planned(programs, &format!("{second}thresholds: {{root: 2}}"), &format!("{mine}version: 2"))
    });
}

/// A publisher could put others out of service.
#[test]
fn a_publisher_revokes_nothing() {
    comes_to_nothing(Threat::A1, |programs| {
        let (world, manifest) = world();
        let text =
            format!("apiVersion: v1alpha1\nkind: Revocation\nversion: 1\ndeny: [\"{}\"]\n", manifest.digest);
        world.update("revocation", DocumentKind::Revocation, &text, &publisher());
        world.want(&["tool"]);
        let outcome = programs.plan(&world, &[]);
        match outcome.code {
            Some(0) => Ok(()),
            _ => Err(outcome.said),
        }
    });
}

/// An entry of a trust policy.
fn key(name: &str, roles: &str, seed: u8) -> String {
    let pem = SigningKey::from_seed([seed; 32]).public_key().to_pem().trim_end().replace('\n', "\n      ");
    let scope = if roles == "[publisher]" { "    extensions: [\"*\"]\n" } else { "" };
    format!("  - name: {name}\n    roles: {roles}\n{scope}    publicKey: |\n      {pem}\n")
}

//! What was good once, and what follows it without the word of those who may say so: sets, policies, dates.

use signing::{DocumentKind, SigningKey};
use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::registry::world;
use crate::world::{Extension, World, operator, publisher, stranger};

#[test]
fn a_machine_does_not_go_back_to_an_old_set() {
    let refusal = Refusal::by_judge(ReasonCode::SetMissing, "edge");
    is_refused(Threat::A1, refusal, |programs| {
        let (world, manifest) = world();
        world.amend_trust("set: {class: edge, minimum: 2}");
        let text = format!(
            "apiVersion: v1alpha1\nkind: ExtensionSet\nclass: edge\nversion: 1\nextensions:\n  \
             - name: tool\n    version: 1.0.0\n    digest: {}\n",
            manifest.digest
        );
        world.update("set", DocumentKind::Set, &text, &operator());
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

#[test]
fn nothing_runs_after_its_date() {
    let refusal = Refusal::by_judge(ReasonCode::TrustExpired, "expired at 2001-01-01");
    is_refused(Threat::A1, refusal, |programs| {
        let (world, _) = world();
        world.amend_trust("expires: 2001-01-01\nonExpiry: deny");
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// A publisher whose key is stolen would choose among all that it has ever signed.
#[test]
fn a_publisher_says_nothing_about_sets() {
    let refusal = Refusal::by_judge(ReasonCode::SetMissing, "edge");
    is_refused(Threat::A1, refusal, |programs| {
        let (world, manifest) = world();
        world.amend_trust("set: {class: edge}");
        let text = format!(
            "apiVersion: v1alpha1\nkind: ExtensionSet\nclass: edge\nversion: 1\nextensions:\n  \
             - name: tool\n    version: 1.0.0\n    digest: {}\n",
            manifest.digest
        );
        world.update("set", DocumentKind::Set, &text, &publisher());
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// Who has one of two root keys writes a policy that trusts a key of theirs.
#[test]
fn one_root_key_of_two_changes_no_policy() {
    let refusal = Refusal::by_judge(ReasonCode::KeyUnknown, "tool is signed by no key of the trust policy");
    is_refused(Threat::A1, refusal, |programs| {
        let world = World::new();
        world.amend_trust(&format!("{}{}thresholds: {{root: 2}}", root_key("a", 6), root_key("b", 7)));
        let next = format!(
            "apiVersion: v1alpha1\nkind: TrustPolicy\nversion: 2\nkeys:\n{}",
            key("theirs", "[publisher, root]", &stranger())
        );
        for (file, signer) in [("stolen", SigningKey::from_seed([6; 32])), ("theirs", stranger())] {
            world.update(file, DocumentKind::Policy, &next, &signer);
        }
        let tool = world.add(&Extension::new("tool"));
        world.sign(&stranger(), "tool", &tool);
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

fn root_key(name: &str, seed: u8) -> String {
    key(name, "[root]", &SigningKey::from_seed([seed; 32]))
}

/// An entry of a trust policy.
fn key(name: &str, roles: &str, key: &SigningKey) -> String {
    let pem = key.public_key().to_pem().trim_end().replace('\n', "\n      ");
    let scope = if roles.contains("publisher") { "    extensions: [\"*\"]\n" } else { "" };
    format!("  - name: {name}\n    roles: {roles}\n{scope}    publicKey: |\n      {pem}\n")
}

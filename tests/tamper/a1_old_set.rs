//! A set that was good once, or that nobody made who may; and what is past its date.

use signing::DocumentKind;
use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::registry::world;
use crate::world::{operator, publisher};

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

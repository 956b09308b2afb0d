//! A set that was good once, on a medium for a machine that has seen a newer one.

use signing::DocumentKind;
use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::registry::world;
use crate::world::operator;

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

//! An extension that a publisher has signed, in a version that the operators' set does not have.

use signing::DocumentKind;
use spec::defence::Threat;
use spec::{Digest, ReasonCode};

use crate::harness::{Refusal, is_refused};
use crate::registry::world;
use crate::world::operator;

#[test]
fn a_machine_runs_what_is_in_its_set() {
    let refusal = Refusal::by_judge(ReasonCode::NotInSet, "tool");
    is_refused(Threat::A2, refusal, |programs| {
        let (world, _) = world();
        world.amend_trust("set: {class: edge}");
        let text = format!(
            "apiVersion: v1alpha1\nkind: ExtensionSet\nclass: edge\nversion: 1\nextensions:\n  \
             - name: tool\n    version: 0.9.0\n    digest: {}\n",
            Digest::of(b"the manifest of another version")
        );
        world.update("set", DocumentKind::Set, &text, &operator());
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

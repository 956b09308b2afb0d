//! A blob of the store that is a link to somewhere else, where it can be swapped at any time.

use std::fs;
use std::os::unix::fs::symlink;

use spec::defence::Threat;
use spec::{Digest, ReasonCode};

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World};

#[test]
fn no_path_leads_out_of_the_store() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "is not a regular file");
    is_refused(Threat::D2, refusal, |programs| {
        let world = World::new();
        let tool = Extension::new("tool");
        world.publish(&tool);
        world.want(&["tool"]);
        let blob = world.blob(&Digest::of(&tool.image().0));
        let elsewhere = world.medium().join("elsewhere");
        fs::rename(&blob, &elsewhere).unwrap();
        symlink(&elsewhere, &blob).unwrap();
        programs.plan(&world, &[])
    });
}

//! Files that run with the rights of their owner, or that anybody may change.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::{extension, image};
use crate::harness::{Outcome, Programs, Refusal, is_refused};
use crate::world::World;

fn booted(programs: &Programs, mode: &str) -> Outcome {
    let world = World::new();
    let definition = format!("usr/bin/root f {mode} 0 0 echo x");
    world.publish(&extension(image(&[&definition], &[]), &["/usr/bin/root"]));
    world.want(&["tool"]);
    programs.boot(&world).outcome(&world)
}

#[test]
fn nothing_runs_as_somebody_else() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "/usr/bin/root: has the setuid bit");
    is_refused(Threat::C4, refusal, |programs| booted(programs, "4755"));
}

#[test]
fn nothing_can_be_changed_by_everybody() {
    for mode in ["2755", "666", "664"] {
        let outcome = booted(&Programs::whole(Threat::C4), mode);
        assert_eq!(outcome.reasons[0].0, Some(ReasonCode::MalformedArtifact), "{mode}: {outcome:#?}");
    }
}

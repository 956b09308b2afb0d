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
fn nor_does_anything_run_as_a_group_or_is_changed_by_others() {
    for (mode, words) in [
        ("2755", "/usr/bin/root: has the setgid bit"),
        ("1755", "/usr/bin/root: has the sticky bit"),
        ("646", "/usr/bin/root: is writable by everybody"),
        ("664", "/usr/bin/root: is writable by its group"),
    ] {
        let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, words);
        is_refused(Threat::C4, refusal, |programs| booted(programs, mode));
    }
}

//! Symbolic links that lead out of where extensions have files (CVE-2024-29069, CVE-2021-41072).

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::{extension, image};
use crate::harness::{Outcome, Programs, Refusal, is_refused};
use crate::world::World;

fn booted(programs: &Programs, target: &str) -> Outcome {
    let world = World::new();
    let definition = format!("usr/bin/link s 777 0 0 {target}");
    world.publish(&extension(image(&[&definition], &[]), &["/usr/bin/link"]));
    world.want(&["tool"]);
    programs.boot(&world).outcome(&world)
}

#[test]
fn a_link_to_the_passwords_is_not_laid() {
    let refusal = Refusal::by_judge(
        ReasonCode::MalformedArtifact,
        "/usr/bin/link is an absolute symbolic link to /etc/shadow",
    );
    is_refused(Threat::C6, refusal, |programs| booted(programs, "/etc/shadow"));
}

#[test]
fn nor_is_one_that_climbs_out() {
    for (target, words) in [
        ("../../etc/shadow", "which is outside /usr and /opt"),
        ("../../../../etc/shadow", "which is outside /usr and /opt"),
        ("tool/../../../etc/shadow", "which climbs after it has descended"),
    ] {
        let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, words);
        is_refused(Threat::C6, refusal, |programs| booted(programs, target));
    }
}

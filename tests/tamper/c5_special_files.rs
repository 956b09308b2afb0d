//! Device nodes and pipes: doors to hardware, and files that keep a reader waiting for ever.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::{extension, image};
use crate::harness::{Outcome, Programs, Refusal, is_refused};
use crate::world::World;

fn booted(programs: &Programs, definition: &str) -> Outcome {
    let world = World::new();
    world.publish(&extension(image(&[definition], &[]), &["/usr/bin/special"]));
    world.want(&["tool"]);
    programs.boot(&world).outcome(&world)
}

#[test]
fn no_disk_comes_with_an_extension() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "/usr/bin/special: is a block device");
    is_refused(Threat::C5, refusal, |programs| booted(programs, "usr/bin/special b 600 0 0 8 0"));
}

#[test]
fn nor_do_other_devices_and_pipes() {
    for (definition, words) in [
        ("usr/bin/special c 644 0 0 1 3", "/usr/bin/special: is a character device"),
        ("usr/bin/special i 644 0 0 f", "/usr/bin/special: is a fifo"),
        ("usr/bin/special i 644 0 0 s", "/usr/bin/special: is a socket"),
    ] {
        let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, words);
        is_refused(Threat::C5, refusal, |programs| booted(programs, definition));
    }
}

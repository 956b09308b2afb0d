//! A file of the base under an extension's own of the same name.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World};

#[test]
fn the_shell_is_that_of_the_base() {
    let refusal = Refusal::by_judge(ReasonCode::PathCollision, "/usr/bin/sh is in the base already");
    is_refused(Threat::C2, refusal, |programs| {
        let world = World::new();
        world.publish(&Extension::new("tool").file("/usr/bin/sh"));
        world.want(&["tool"]);
        let booted = programs.boot(&world);
        let shell = booted.file("/usr/bin/sh");
        assert_eq!(shell.as_deref() == Some(b"the shell"), programs.are_whole(), "{shell:?}");
        booted.outcome(&world)
    });
}

//! What overlayfs takes for "this file is gone" (Linux Documentation/filesystems/overlayfs.rst, "whiteouts and opaque
//! directories").

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::{extension, image, image_with_attribute};
use crate::harness::{Programs, Refusal, is_refused};
use crate::world::World;

#[test]
fn a_whiteout_takes_nothing_away() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "/usr/bin/gone: is a whiteout");
    is_refused(Threat::C1, refusal, |programs| {
        let world = World::new();
        world.publish(&extension(image(&["usr/bin/gone c 644 0 0 0 0"], &[]), &["/usr/bin/gone"]));
        world.want(&["tool"]);
        let booted = programs.boot(&world);
        assert_eq!(booted.file("/usr/bin/sh").as_deref(), Some(&b"the shell"[..]), "the base lost a file");
        booted.outcome(&world)
    });
}

#[test]
fn an_attribute_makes_no_directory_opaque() {
    let world = World::new();
    world.publish(&extension(image_with_attribute("trusted.overlay.opaque", b"y"), &[]));
    world.want(&["tool"]);
    let outcome = Programs::whole(Threat::C1).boot(&world).outcome(&world);
    assert_eq!(outcome.reasons[0].0, Some(ReasonCode::MalformedArtifact), "{outcome:#?}");
    assert!(outcome.reasons[0].1.contains("extended attributes"), "{outcome:#?}");
}

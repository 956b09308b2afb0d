//! What overlayfs takes for "this file is gone" (Linux Documentation/filesystems/overlayfs.rst, "whiteouts and opaque
//! directories").

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::{extension, image, image_with_attribute};
use crate::harness::{Refusal, is_refused};
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
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "extended attributes");
    is_refused(Threat::C1, refusal, |programs| {
        let world = World::new();
        world.publish(&extension(image_with_attribute("trusted.overlay.opaque", b"y"), &[]));
        world.want(&["tool"]);
        let booted = programs.boot(&world);
        let shell = booted.file("/usr/bin/sh");
        eprintln!("{:#?} {:?}", booted.status, booted.file("/usr/bin/tool"));
        assert_eq!(
            shell.is_some(),
            programs.are_whole(),
            "the attribute hides nothing, so the attack is none"
        );
        booted.outcome(&world)
    });
}

//! An image of a few kilobytes that holds 64 MiB, where 1 MiB is what was signed.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::forge::{extension, image};
use crate::harness::{Refusal, is_refused};
use crate::world::World;

#[test]
fn an_image_holds_no_more_than_is_signed() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "1048576");
    is_refused(Threat::C9, refusal, |programs| {
        let bomb = image(&["usr/bin/zeros f 644 0 0 head -c 67108864 /dev/zero"], &["-no-sparse"]);
        assert!(bomb.len() < 1 << 20, "the bomb is {} bytes large and no bomb", bomb.len());
        let world = World::new();
        world.publish(&extension(bomb, &["/usr/bin/zeros"]));
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

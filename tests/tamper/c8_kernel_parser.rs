//! The kernel's squashfs is no match for every image (CVE-2024-26982): it sees none before a verdict, and none that was
//! refused. Traced system calls show the order.

use spec::ReasonCode;
use spec::defence::Threat;
use spec::status::State;

use crate::forge::{extension, image};
use crate::harness::{Refusal, is_refused};
use crate::world::{Extension, World, flip_a_byte, stranger};

/// An image in whose table the first inode is of no type. The kernel notices; it does not notice everything.
fn broken() -> Vec<u8> {
    let mut image = image(&[], &["-noI"]);
    // Superblock, byte 64: where the inode table begins; a block of metadata begins with its length in two bytes
    // (Linux fs/squashfs/squashfs_fs.h).
    let table = u64::from_le_bytes(image[64..72].try_into().unwrap()) as usize;
    image[table + 2..table + 4].fill(0xff);
    image
}

#[test]
fn the_checker_sees_an_image_before_the_kernel() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "inode of type 65535");
    is_refused(Threat::C8, refusal, |programs| {
        let world = World::new();
        world.publish(&extension(broken(), &[]));
        world.want(&["tool"]);
        programs.boot(&world).outcome(&world)
    });
}

/// Which system calls a line of `strace -y` is about.
fn is_mounting(line: &str) -> bool {
    let calls =
        ["LOOP_CONFIGURE", "LOOP_CTL_GET_FREE", "LOOP_SET", "fsopen(", "fsconfig(", "fsmount(", " mount("];
    calls.iter().any(|call| line.contains(call))
}

/// Where a line opens the file of a blob.
fn opens(line: &str, digest: &spec::Digest) -> bool {
    line.contains("open") && line.contains(&digest.hex())
}

#[test]
fn nothing_is_attached_or_mounted_before_its_verdict() {
    let world = World::new();
    let good = Extension::new("good");
    let unsigned = Extension::new("unsigned");
    let (strange, flipped) = (Extension::new("strange"), Extension::new("flipped"));
    let good_manifest = world.publish(&good);
    world.add(&unsigned);
    let manifest = world.add(&strange);
    world.sign(&stranger(), "strange", &manifest);
    world.publish(&flipped);
    let image_of = |extension: &Extension| spec::Digest::of(&extension.image().0);
    flip_a_byte(&world.blob(&image_of(&flipped)));
    world.publish(&extension(broken(), &[]));
    world.want(&["unsigned", "strange", "flipped", "tool", "good"]);

    let (booted, trace) = crate::harness::Programs::whole(Threat::C8).boot_traced(&world);
    let states: Vec<State> = booted.status.extensions.iter().map(|extension| extension.state).collect();
    use State::{Active, Refused};
    assert_eq!(states, [Refused, Refused, Refused, Refused, Active], "{:#?}", booted.status);

    let lines: Vec<&str> = trace.lines().collect();
    let place = |what: &str, of: &dyn Fn(&str) -> bool| {
        lines
            .iter()
            .position(|line| of(line))
            .unwrap_or_else(|| panic!("{what} is not in the trace:\n{trace}"))
    };
    // The base comes first; its one image is mounted before any extension is looked at.
    let base = place("the base", &|line| line.contains("move_mount("));
    let believed = place("the signed manifest", &|line| opens(line, &good_manifest.digest));
    let read = place("the image", &|line| opens(line, &image_of(&good)));
    let attached = base + 1 + lines[base + 1..].iter().position(|line| is_mounting(line)).unwrap();
    assert!(base < believed && believed < read && read < attached, "{base} {believed} {read} {attached}");

    // Images without a good signature are not even opened.
    for extension in [&unsigned, &strange] {
        assert!(!lines.iter().any(|line| opens(line, &image_of(extension))), "{}", extension.config.name);
    }
    // The base and the one good extension are attached and mounted, and nothing else; then comes one overlay.
    let count =
        |what: &str| lines.iter().filter(|line| line.contains(what) && !line.contains("EBUSY")).count();
    assert_eq!((count("LOOP_CONFIGURE"), count("fsopen("), count("fsmount(")), (2, 3, 3), "{trace}");
    assert_eq!(count("\"overlay\""), 1, "{trace}");
}

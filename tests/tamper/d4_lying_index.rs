//! What chooses among extensions (the index of the store, the machine config) is written by anybody.

use std::fs;

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Programs, Refusal, is_refused};
use crate::world::{Extension, World};

#[test]
fn an_old_version_is_not_a_new_one_because_the_index_says_so() {
    let refusal = Refusal::by_judge(
        ReasonCode::IdentityMismatch,
        "the signed config is of version 1.0.0; the index of the store says 9.0.0",
    );
    is_refused(Threat::D4, refusal, |programs| {
        let world = World::new();
        let manifest = world.publish(&Extension::new("tool"));
        world.relist(&manifest, "tool", "9.0.0");
        world.want(&["tool ^9"]);
        programs.plan(&world, &[])
    });
}

/// Whatever the machine config is, the machine starts: with what is wanted and good, or as the base alone.
#[test]
fn a_broken_machine_config_ends_with_the_base() {
    for text in ["", "\0\0\0", "extensions: [", "kind: Other\n", "&a [*a, *a]", &"x".repeat(2 << 20)] {
        let world = World::new();
        world.publish(&Extension::new("tool"));
        fs::write(world.medium().join("tenon/machine.yaml"), text).unwrap();
        let booted = Programs::whole(Threat::D4).boot(&world);
        assert_eq!(booted.file("/usr/bin/sh").as_deref(), Some(&b"the shell"[..]));
        assert!(booted.status.extensions.is_empty() && !booted.status.notes.is_empty());
    }
}

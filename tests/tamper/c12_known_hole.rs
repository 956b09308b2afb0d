//! An extension that is signed and whole, and has a hole that is known by now.

use signing::DocumentKind;
use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::registry::world;
use crate::world::{Extension, World, operator};

#[test]
fn what_is_below_the_floor_does_not_run() {
    let refusal = Refusal::by_judge(ReasonCode::GenerationTooLow, "tool");
    is_refused(Threat::C12, refusal, |programs| {
        let world = World::new();
        let mut tool = Extension::new("tool");
        tool.config.generations.insert("tool".parse().unwrap(), 2);
        world.publish(&tool);
        let text = "apiVersion: v1alpha1\nkind: Revocation\nversion: 1\ngenerations: {tool: 3}\n";
        world.update("revocation", DocumentKind::Revocation, text, &operator());
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// A medium with an old revocation, or with none, for a machine whose own policy knows better.
#[test]
fn a_floor_in_the_boot_image_is_lowered_by_nothing() {
    let refusal = Refusal::by_judge(ReasonCode::GenerationTooLow, "tool");
    is_refused(Threat::C12, refusal, |programs| {
        let world = World::new();
        world.amend_trust("generations: {tool: 3}");
        let mut tool = Extension::new("tool");
        tool.config.generations.insert("tool".parse().unwrap(), 2);
        world.publish(&tool);
        let text = "apiVersion: v1alpha1\nkind: Revocation\nversion: 9\ngenerations: {tool: 1}\n";
        world.update("revocation", DocumentKind::Revocation, text, &operator());
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

#[test]
fn what_an_operator_has_denied_does_not_run() {
    let refusal = Refusal::by_judge(ReasonCode::DigestDenied, "tool");
    is_refused(Threat::C12, refusal, |programs| {
        let (world, manifest) = world();
        let text =
            format!("apiVersion: v1alpha1\nkind: Revocation\nversion: 1\ndeny: [\"{}\"]\n", manifest.digest);
        world.update("revocation", DocumentKind::Revocation, &text, &operator());
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// A later revocation does not take back what an earlier one has said, as long as both are there.
#[test]
fn what_is_denied_stays_denied() {
    let refusal = Refusal::by_judge(ReasonCode::DigestDenied, "tool");
    is_refused(Threat::C12, refusal, |programs| {
        let (world, manifest) = world();
        for (version, deny) in [(1, format!("\"{}\"", manifest.digest)), (2, String::new())] {
            let text =
                format!("apiVersion: v1alpha1\nkind: Revocation\nversion: {version}\ndeny: [{deny}]\n");
            let file = format!("revocation-{version}");
            world.update(&file, DocumentKind::Revocation, &text, &operator());
        }
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

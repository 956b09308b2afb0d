//! A document with layers and manifests, of which two readers see two artifacts (CVE-2021-41190).

use std::fs;

use spec::artifact::media;
use spec::defence::Threat;
use spec::{Arch, ReasonCode};

use crate::harness::{Refusal, is_refused_twice};
use crate::world::{Extension, World, publisher};

#[test]
fn a_document_is_one_thing() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "it has both layers and manifests");
    let next = Refusal::by_judge(ReasonCode::IdentityMismatch, "the index of the store says 1.0.1");
    is_refused_twice(Threat::A5, refusal, next, |programs| {
        let world = World::new();
        let honest = world.add(&Extension::new("tool"));
        let document = fs::read_to_string(world.blob(&honest.digest)).unwrap();
        let both = document.replacen('{', "{\"manifests\":[],", 1);
        let (name, version) = ("tool".parse().unwrap(), "1.0.1".parse().unwrap());
        let listed = catalog::Descriptor::of(media::MANIFEST, both.as_bytes());
        let listed = listed.of_extension(&name, &version, Arch::Amd64);
        let both = world.store().put_manifest(both.as_bytes(), listed).unwrap();
        world.sign(&publisher(), "tool", &both);
        world.want(&["tool 1.0.1"]);
        programs.plan(&world, &[])
    });
}

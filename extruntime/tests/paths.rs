//! One test for each rule about paths, against an artifact that the builder would not have made and that a trusted key
//! has signed all the same.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in test functions, not in what they share

mod world;

use extruntime::plan::{Request, plan};
use kabi::SignatureRule;
use spec::ReasonCode;
use spec::status::State;
use world::{Extension, KERNEL, World};

/// To plan a boot of all that is in the world.
fn request(world: &World) -> Request {
    let rule = SignatureRule::AsBuilt;
    Request::of_medium(&world.medium(), world.base(), world.trust(), None, rule).unwrap()
}

/// Publishes `tool` and an honest extension; the honest one is active, and `tool` is refused for the path.
#[track_caller]
fn refused(tool: &Extension, path: &str, what: &str) {
    let world = World::new();
    world.publish(&Extension::new("honest"));
    world.publish(tool);
    world.want(&["tool", "honest"]);
    let status = plan(&request(&world)).unwrap().status;
    let [tool, honest] = status.extensions.as_slice() else { panic!("{status:?}") };
    assert_eq!((tool.state, honest.state), (State::Refused, State::Active));
    let about = |reason: &&spec::Reason| reason.subject.as_deref() == Some(path);
    let reason = tool.reasons.iter().find(about).unwrap_or_else(|| panic!("{:?}", tool.reasons));
    assert_eq!(
        (reason.code, reason.sentence.as_str()),
        (ReasonCode::MalformedArtifact, &*format!("{path} {what}"))
    );
}

#[track_caller]
fn refused_file(path: &str, what: &str) {
    refused(&Extension::new("tool").file(path), path, what);
}

#[test]
fn how_modules_are_loaded() {
    refused_file("/usr/lib/depmod.d/x.conf", "is reserved");
}

#[test]
fn which_module_is_preferred() {
    refused_file("/usr/lib/depmod.d/x.conf", "is reserved");
}

#[test]
fn name_of_the_os() {
    refused_file("/usr/lib/os-release", "is reserved");
}

#[test]
fn name_of_a_whiteout() {
    refused_file("/usr/bin/.wh.sh", "has the name of a whiteout");
}

#[test]
fn release_file_of_another_extension() {
    refused_file("/usr/lib/extension-release.d/extension-release.honest", "is reserved");
}

#[test]
fn own_release_file_is_welcome() {
    let world = World::new();
    world.publish(&Extension::new("tool").file("/usr/lib/extension-release.d/extension-release.tool"));
    world.want(&["tool"]);
    assert_eq!(plan(&request(&world)).unwrap().status.extensions[0].state, State::Active);
}

/// Each module is in its record and fits the kernel; only its place is wrong.
#[test]
fn module_outside_the_directory_of_its_extension() {
    for place in ["kernel/net", "updates", "extra/honest"] {
        let mut tool = Extension::new("tool").module("driver", KERNEL, "0x92997ed8");
        let path = format!("/usr/lib/modules/{KERNEL}/{place}/driver.ko");
        let own = tool.files[1].0.clone();
        let record = String::from_utf8(tool.kabi.unwrap()).unwrap();
        tool.kabi = Some(record.replace(&own, &path).into_bytes());
        tool.files[1].0 = path.clone();
        refused(&tool, &path, "is not a place for this extension's modules");
    }
}

//! One test for each way in which an extension tries to get where it does not belong, each against the judgement that
//! a boot makes. Every test also has an honest extension, which must not suffer.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in test functions, not in what they share

mod world;

use std::fs;

use extruntime::plan::{Request, plan};
use kabi::SignatureRule;
use spec::status::{ExtensionStatus, State, Status};
use spec::{Arch, Digest, Reason, ReasonCode};
use world::{Extension, KERNEL, World, flip_a_byte, net_publisher, publisher, stranger};

fn judged(world: &World) -> Status {
    plan(&request(world)).unwrap().status
}

/// To plan a boot of all that is in the world.
fn request(world: &World) -> Request {
    let rule = SignatureRule::AsBuilt;
    Request::of_medium(&world.medium(), world.base(), world.trust(), None, rule).unwrap()
}

fn find<'a>(status: &'a Status, name: &str) -> &'a ExtensionStatus {
    status.extensions.iter().find(|extension| extension.name.as_str() == name).unwrap()
}

/// A world with an honest extension.
fn world() -> World {
    let world = World::new();
    world.publish(&Extension::new("honest"));
    world
}

/// Wants the honest extension and `name`, and returns the one reason why `name` is refused.
#[track_caller]
fn refusal(world: &World, name: &str) -> Reason {
    world.want(&[name, "honest"]);
    let status = judged(world);
    assert_eq!(find(&status, "honest").state, State::Active);
    let refused = find(&status, name);
    assert_eq!(refused.state, State::Refused);
    assert_eq!(refused.reasons.len(), 1, "{:?}", refused.reasons);
    refused.reasons[0].clone()
}

#[test]
fn honest_extensions_are_active() {
    let world = world();
    let manifest = world.publish(&Extension::new("tool").version("1.2.0"));
    world.publish(&Extension::new("tool").version("1.1.0"));
    world.publish(&Extension::new("tool").version("2.0.0"));
    world.want(&["tool ^1", "honest"]);
    let status = judged(&world);
    let tool = find(&status, "tool");
    assert_eq!(tool.state, State::Active);
    assert_eq!(tool.version, Some("1.2.0".parse().unwrap()));
    assert_eq!(
        (tool.digest, tool.signers.as_slice()),
        (Some(manifest.digest), &["publisher".to_owned()][..])
    );
}

#[test]
fn a_missing_version_names_those_that_are_there() {
    let world = world();
    world.publish(&Extension::new("tool"));
    world.want(&["tool ^2", "none"]);
    let status = judged(&world);
    let tool = &find(&status, "tool").reasons[0];
    assert_eq!((tool.code, tool.found.as_deref()), (ReasonCode::NotFound, Some("1.0.0")));
    assert_eq!(find(&status, "none").reasons[0].code, ReasonCode::NotFound);
}

#[test]
fn flipped_byte_in_the_image() {
    let world = world();
    let tool = Extension::new("tool");
    world.publish(&tool);
    let wanted = Digest::of(&tool.image().0);
    flip_a_byte(&world.blob(&wanted));
    let reason = refusal(&world, "tool");
    assert_eq!((reason.code, reason.wanted), (ReasonCode::DigestMismatch, Some(wanted.to_string())));
    let bytes = fs::read(world.blob(&wanted)).unwrap();
    assert_eq!(reason.found, Some(Digest::of(&bytes).to_string()));
}

#[test]
fn image_cut_short_and_image_with_a_tail() {
    for change in [|bytes: &mut Vec<u8>| bytes.truncate(100), |bytes: &mut Vec<u8>| bytes.push(0)] {
        let world = world();
        let tool = Extension::new("tool");
        world.publish(&tool);
        let blob = world.blob(&Digest::of(&tool.image().0));
        let mut bytes = fs::read(&blob).unwrap();
        change(&mut bytes);
        fs::remove_file(&blob).unwrap();
        fs::write(&blob, bytes).unwrap();
        assert_eq!(refusal(&world, "tool").code, ReasonCode::DigestMismatch);
    }
}

#[test]
fn flipped_byte_in_the_manifest_config_or_listing() {
    let tool = Extension::new("tool");
    let config = Digest::of(&serde_json::to_vec(&tool.stored_config()).unwrap());
    let listing = Digest::of(tool.image().1.to_text().as_bytes());
    let manifest = world().publish(&tool).digest;
    for blob in [manifest, config, listing] {
        let world = world();
        world.publish(&tool);
        flip_a_byte(&world.blob(&blob));
        let reason = refusal(&world, "tool");
        assert_eq!((reason.code, reason.wanted), (ReasonCode::DigestMismatch, Some(blob.to_string())));
    }
}

#[test]
fn image_that_is_a_link_out_of_the_store() {
    let world = world();
    let tool = Extension::new("tool");
    world.publish(&tool);
    let blob = world.blob(&Digest::of(&tool.image().0));
    let elsewhere = world.medium().join("elsewhere");
    fs::rename(&blob, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &blob).unwrap();
    assert_eq!(refusal(&world, "tool").code, ReasonCode::MalformedArtifact);
}

#[test]
fn missing_signature() {
    let world = world();
    world.add(&Extension::new("tool"));
    assert_eq!(refusal(&world, "tool").code, ReasonCode::SignatureMissing);
}

#[test]
fn unsigned_newer_version_is_no_way_around_a_signed_one() {
    let world = world();
    world.publish(&Extension::new("tool"));
    world.add(&Extension::new("tool").version("1.0.1"));
    assert_eq!(refusal(&world, "tool").code, ReasonCode::SignatureMissing);
}

#[test]
fn damaged_signature() {
    let world = world();
    let manifest = world.add(&Extension::new("tool"));
    world.sign(&publisher(), "tool", &manifest);
    let bundle =
        signing::sign_extension(&publisher(), &"tool".parse().unwrap(), &manifest.digest).unwrap().to_json();
    flip_a_byte(&world.blob(&Digest::of(&bundle)));
    let reason = refusal(&world, "tool");
    assert_eq!(reason.code, ReasonCode::SignatureMissing);
    assert!(reason.sentence.contains(&Digest::of(&bundle).to_string()), "{}", reason.sentence);
}

#[test]
fn unknown_key() {
    let world = world();
    let manifest = world.add(&Extension::new("tool"));
    world.sign(&stranger(), "tool", &manifest);
    assert_eq!(refusal(&world, "tool").code, ReasonCode::KeyUnknown);
}

#[test]
fn key_out_of_its_scope() {
    let world = world();
    let manifest = world.add(&Extension::new("tool"));
    world.sign(&net_publisher(), "tool", &manifest);
    assert_eq!(refusal(&world, "tool").code, ReasonCode::KeyOutOfScope);
}

#[test]
fn key_in_its_scope_is_enough() {
    let world = world();
    let manifest = world.add(&Extension::new("net-tool"));
    world.sign(&net_publisher(), "net-tool", &manifest);
    world.want(&["net-tool"]);
    assert_eq!(find(&judged(&world), "net-tool").signers, ["net-publisher"]);
}

#[test]
fn signed_extension_under_the_name_of_another() {
    let world = world();
    let manifest = world.publish(&Extension::new("games"));
    world.relist(&manifest, "firewall", "1.0.0");
    assert_eq!(refusal(&world, "firewall").code, ReasonCode::StatementMismatch);
}

#[test]
fn config_of_another_extension_under_a_signed_name() {
    let world = world();
    let manifest = world.add(&Extension::new("games"));
    world.sign(&net_publisher(), "net-tool", &manifest);
    world.relist(&manifest, "net-tool", "1.0.0");
    let reason = refusal(&world, "net-tool");
    assert_eq!((reason.code, reason.found.as_deref()), (ReasonCode::IdentityMismatch, Some("games")));
}

#[test]
fn old_version_listed_as_a_new_one() {
    let world = world();
    let manifest = world.publish(&Extension::new("tool"));
    world.relist(&manifest, "tool", "9.0.0");
    let reason = refusal(&world, "tool");
    assert_eq!((reason.code, reason.found.as_deref()), (ReasonCode::IdentityMismatch, Some("1.0.0")));
}

#[test]
fn wrong_architecture_behind_an_honest_platform() {
    let world = world();
    let mut tool = Extension::new("tool");
    tool.config.arch = Arch::Arm64;
    let manifest = world.publish(&tool);
    world.relist(&manifest, "tool", "1.0.0");
    assert_eq!(refusal(&world, "tool").code, ReasonCode::ArchMismatch);
}

#[test]
fn module_for_this_kernel_is_active_and_indexed() {
    let world = world();
    world.publish(&Extension::new("driver").module("driver", KERNEL, "0x92997ed8"));
    world.want(&["driver"]);
    let planned = plan(&request(&world)).unwrap();
    assert_eq!(find(&planned.status, "driver").state, State::Active);
    let steps = planned.activation.to_string();
    assert!(steps.contains("modules.alias.bin, modules.dep, modules.dep.bin, "), "{steps}");
    assert!(steps.contains("load module driver for driver"), "{steps}");
}

#[test]
fn module_for_another_kernel() {
    let world = world();
    world.publish(&Extension::new("driver").module("driver", "6.2.0-test", "0x92997ed8"));
    world.want(&["driver", "honest"]);
    let status = judged(&world);
    assert_eq!(find(&status, "driver").reasons[0].code, ReasonCode::KernelMismatch);
    assert_eq!(find(&status, "honest").state, State::Active);
}

#[test]
fn module_on_a_machine_that_runs_another_kernel_than_its_base() {
    let world = world();
    world.publish(&Extension::new("driver").module("driver", KERNEL, "0x92997ed8"));
    world.want(&["driver", "honest"]);
    let request = Request { kernel: Some("6.2.0-test".parse().unwrap()), ..request(&world) };
    let status = plan(&request).unwrap().status;
    assert_eq!(find(&status, "driver").reasons[0].code, ReasonCode::KernelMismatch);
    assert_eq!(find(&status, "honest").state, State::Active);
}

#[test]
fn unsigned_module_where_the_kernel_wants_signatures() {
    let world = world();
    world.publish(&Extension::new("driver").module("driver", KERNEL, "0x92997ed8"));
    world.want(&["driver", "honest"]);
    let request = Request { signatures: SignatureRule::Enforced, ..request(&world) };
    let status = plan(&request).unwrap().status;
    assert_eq!(find(&status, "driver").reasons[0].code, ReasonCode::ModuleUnsigned);
    assert_eq!(find(&status, "honest").state, State::Active);
}

/// Wants `first`, which has a module `driver`, and then `good`, which has one that fits in another place.
fn twins(world: &World, first: &Extension) {
    world.publish(first);
    let mut good = Extension::new("good").module("driver", KERNEL, "0x92997ed8");
    let elsewhere = |text: &str| text.replace("/driver.ko", "/extra/driver.ko");
    good.kabi = good.kabi.map(|record| elsewhere(str::from_utf8(&record).unwrap()).into_bytes());
    good.files.iter_mut().for_each(|(path, _)| *path = elsewhere(path));
    world.publish(&good);
    world.want(&[first.config.name.as_str(), "good"]);
}

#[test]
fn of_two_with_one_module_the_first_in_the_config_stays() {
    let world = world();
    twins(&world, &Extension::new("first").module("driver", KERNEL, "0x92997ed8"));
    let status = judged(&world);
    assert_eq!(find(&status, "first").state, State::Active);
    assert_eq!(find(&status, "good").reasons[0].code, ReasonCode::ModuleDuplicate);
}

#[test]
fn a_refused_extension_does_not_occupy_its_modules() {
    let fitting = || Extension::new("bad").module("driver", KERNEL, "0x92997ed8");
    for (bad, code) in [
        (Extension::new("bad").module("driver", "6.2.0-test", "0x92997ed8"), ReasonCode::KernelMismatch),
        (Extension::new("bad").module("driver", KERNEL, "0x00000001"), ReasonCode::SymbolCrcMismatch),
        (fitting().requires("absent", "*"), ReasonCode::RequirementUnmet),
        (fitting().file("/usr/bin/sh"), ReasonCode::PathCollision),
    ] {
        let world = world();
        twins(&world, &bad);
        let status = judged(&world);
        assert_eq!(find(&status, "bad").reasons[0].code, code);
        assert_eq!(find(&status, "good").state, State::Active, "{:?}", find(&status, "good").reasons);
    }
}

#[test]
fn record_of_a_module_that_is_not_in_the_image() {
    let world = world();
    let mut driver = Extension::new("driver").module("driver", KERNEL, "0x92997ed8");
    driver.files.retain(|(path, _)| !path.ends_with(".ko"));
    world.publish(&driver);
    let reason = refusal(&world, "driver");
    assert_eq!(reason.code, ReasonCode::MalformedArtifact);
    assert_eq!(reason.subject.as_deref(), Some("/usr/lib/modules/6.1.0-test/extra/driver/driver.ko"));
}

#[test]
fn request_to_load_a_module_that_nobody_has() {
    let world = world();
    let mut tool = Extension::new("tool");
    tool.config.load.push("evil".parse().unwrap());
    world.publish(&tool);
    let reason = refusal(&world, "tool");
    assert_eq!((reason.code, reason.subject.as_deref()), (ReasonCode::MalformedArtifact, Some("evil")));
}

#[test]
fn module_built_against_another_meaning_of_a_symbol() {
    let world = world();
    world.publish(&Extension::new("driver").module("driver", KERNEL, "0x00000001"));
    let reason = refusal(&world, "driver");
    assert_eq!((reason.code, reason.symbol.as_deref()), (ReasonCode::SymbolCrcMismatch, Some("_printk")));
}

#[test]
fn module_that_its_record_does_not_have() {
    let world = world();
    let hidden = "/usr/lib/modules/6.1.0-test/extra/driver/hidden.ko";
    let mut driver = Extension::new("driver").file(hidden);
    driver.config.kernel = Some("6.1.0-test".parse().unwrap());
    world.publish(&driver);
    let reason = refusal(&world, "driver");
    assert_eq!(reason.code, ReasonCode::MalformedArtifact);
    assert_eq!(reason.subject.as_deref(), Some(hidden));
}

#[test]
fn unmet_requirements_go_along_the_chain() {
    let world = world();
    world.publish(&Extension::new("first").requires("second", "^1"));
    world.publish(&Extension::new("second").requires("third", "*"));
    world.add(&Extension::new("third"));
    world.publish(&Extension::new("picky").requires("honest", "^2"));
    world.publish(&Extension::new("lonely").requires("absent", "*"));
    world.want(&["first", "second", "third", "picky", "lonely", "honest"]);
    let status = judged(&world);
    let code = |name: &str| find(&status, name).reasons[0].code;
    assert_eq!(code("third"), ReasonCode::SignatureMissing);
    for name in ["first", "second", "picky", "lonely"] {
        assert_eq!(code(name), ReasonCode::RequirementUnmet, "{name}");
    }
    assert_eq!(find(&status, "picky").reasons[0].found.as_deref(), Some("1.0.0"));
    assert!(find(&status, "lonely").reasons[0].hint.is_some());
    assert_eq!(find(&status, "honest").state, State::Active);
}

#[test]
fn extensions_that_require_each_other_are_active_together() {
    let world = world();
    world.publish(&Extension::new("one").requires("two", "*"));
    world.publish(&Extension::new("two").requires("one", "*"));
    world.want(&["one", "two"]);
    assert!(judged(&world).extensions.iter().all(|extension| extension.state == State::Active));
}

#[test]
fn file_of_the_base() {
    let world = world();
    world.publish(&Extension::new("tool").file("/usr/bin/sh"));
    let reason = refusal(&world, "tool");
    assert_eq!((reason.code, reason.subject.as_deref()), (ReasonCode::PathCollision, Some("/usr/bin/sh")));
}

#[test]
fn directory_in_the_place_of_a_link_of_the_base() {
    let world = world();
    world.publish(&Extension::new("tool").file("/usr/lib64/ld.so"));
    assert_eq!(refusal(&world, "tool").code, ReasonCode::PathCollision);
}

#[test]
fn facts_of_the_base() {
    let world = world();
    world.publish(&Extension::new("tool").file("/usr/lib/tenon/kabi.db"));
    world.want(&["tool", "honest"]);
    let status = judged(&world);
    let reasons = &find(&status, "tool").reasons;
    assert!(reasons.iter().all(|reason| reason.code == ReasonCode::PathCollision), "{reasons:?}");
    assert_eq!(find(&status, "honest").state, State::Active);
}

#[test]
fn module_index_of_its_own() {
    let world = world();
    world.publish(&Extension::new("tool").file("/usr/lib/modules/6.1.0-test/modules.dep"));
    assert_eq!(refusal(&world, "tool").code, ReasonCode::PathCollision);
}

#[test]
fn paths_of_the_machine() {
    let world = world();
    world.publish(&Extension::new("tool").file("/etc/passwd"));
    world.want(&["tool"]);
    assert_eq!(find(&judged(&world), "tool").reasons[0].code, ReasonCode::MalformedArtifact);
}

#[test]
fn of_two_with_one_path_the_first_in_the_config_stays() {
    let world = world();
    world.publish(&Extension::new("one").file("/usr/bin/same"));
    world.publish(&Extension::new("two").file("/usr/bin/same"));
    world.want(&["two", "one"]);
    let status = judged(&world);
    assert_eq!(find(&status, "two").state, State::Active);
    let reason = &find(&status, "one").reasons[0];
    assert_eq!((reason.code, reason.subject.as_deref()), (ReasonCode::PathCollision, Some("/usr/bin/same")));
}

#[test]
fn a_refused_extension_does_not_occupy_its_paths() {
    let world = world();
    world.publish(&Extension::new("one").file("/usr/bin/same").requires("absent", "*"));
    world.publish(&Extension::new("two").file("/usr/bin/same"));
    world.want(&["one", "two"]);
    let status = judged(&world);
    assert_eq!(find(&status, "one").reasons[0].code, ReasonCode::RequirementUnmet);
    assert_eq!(find(&status, "two").state, State::Active);
}

#[test]
fn broken_configuration_is_refused_and_missing_one_is_not() {
    let world = world();
    world.want(&["honest"]);
    let request = request(&world);
    fs::write(world.trust(), "kind: Other\n").unwrap();
    let machine = world.medium().join("tenon/machine.yaml");
    let outcome = || spec::Diagnose::outcome(&plan(&request).unwrap_err());
    assert_eq!(outcome(), spec::Outcome::Refused);
    fs::remove_file(world.trust()).unwrap();
    assert_eq!(outcome(), spec::Outcome::Unavailable);
    let no_request = || {
        Request::of_medium(&world.medium(), world.base(), world.trust(), None, SignatureRule::AsBuilt)
            .unwrap_err()
    };
    fs::write(&machine, "extensions: [").unwrap();
    assert_eq!(spec::Diagnose::outcome(&no_request()), spec::Outcome::Refused);
    fs::remove_file(&machine).unwrap();
    assert_eq!(spec::Diagnose::outcome(&no_request()), spec::Outcome::Unavailable);
    assert!(no_request().to_string().contains("tenon/machine.yaml"));
}

#[test]
fn required_extension_that_is_refused_takes_the_set_along() {
    let world = world();
    world.publish(&Extension::new("tool"));
    world.publish(&Extension::new("thief").file("/usr/bin/sh"));
    world.want(&["tool", "thief"]);
    let mut request = request(&world);
    assert_eq!(find(&plan(&request).unwrap().status, "tool").state, State::Active);
    request.config.extensions[1].required = true;
    let planned = plan(&request).unwrap();
    let tool = find(&planned.status, "tool");
    assert_eq!(tool.state, State::Refused);
    assert!(tool.reasons[0].sentence.contains("requires thief"), "{tool:?}");
    assert_eq!(find(&planned.status, "thief").reasons[0].code, ReasonCode::PathCollision);
    assert!(!planned.activation.to_string().contains("tool"));
}

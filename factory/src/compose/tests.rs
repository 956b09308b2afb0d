use std::process::Command;

use spec::Diagnose;

use super::*;
use crate::testing::World;

const EPOCH: u32 = 1_700_000_000;

fn done(world: &World) -> Composed {
    compose(&world.inputs(), EPOCH, &mut |_| ()).unwrap()
}

/// The error as a person sees it, without the directory of the test.
fn refusal(world: &World) -> String {
    let error = compose(&world.inputs(), EPOCH, &mut |_| ()).unwrap_err();
    let mut text = format!("{}: {error}\n", error.outcome().exit_code());
    for cause in spec::causes(&error) {
        text += &format!("caused by: {cause}\n");
    }
    text += &format!("hint: {}", error.hint().unwrap_or_default());
    assert!(!world.path("out.iso").exists());
    text.replace(world.path("").to_str().unwrap(), "")
}

fn refusal_after(change: impl FnOnce(&World)) -> String {
    let world = World::new();
    change(&world);
    refusal(&world)
}

fn extract(world: &World) -> PathBuf {
    let out = world.path("extracted");
    let output = Command::new("xorriso")
        .args(["-osirrox", "on", "-indev"])
        .arg(world.path("out.iso"))
        .args(["-extract", "/"])
        .arg(&out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}

#[test]
fn the_medium_has_the_base_the_config_and_the_chosen_extension_with_its_signature() {
    let world = World::new();
    let composed = done(&world);
    assert_eq!(composed.size, world.path("out.iso").metadata().unwrap().len());
    let tenon = extract(&world).join("tenon");
    assert_eq!(fs::read(tenon.join("root.squashfs")).unwrap(), b"root image");
    let same = |copy: &str, original: &str| {
        assert_eq!(fs::read(tenon.join(copy)).unwrap(), fs::read(world.path(original)).unwrap(), "{copy}");
    };
    same("base.json", "base/base.json");
    let machine = fs::read_to_string(tenon.join("machine.yaml")).unwrap();
    assert_eq!(spec::machine::parse(&machine, "m").unwrap().extensions[0].name.as_str(), "demo");
    let store = Layout::open(tenon.join("store")).unwrap();
    let [demo] = store.extensions().try_into().unwrap();
    assert_eq!(demo.version.to_string(), "1.0.0");
    let artifact = store.read_extension(&demo.descriptor).unwrap();
    assert_eq!(artifact.config.name, demo.name);
    assert_eq!(store.signatures(&demo.descriptor.digest).bundles.len(), 1);
}

#[test]
fn nothing_but_the_image_is_left_behind() {
    let world = World::new();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let mut expected = names();
    done(&world);
    expected.push("out.iso".into());
    expected.sort();
    assert_eq!(names(), expected);
}

#[test]
fn a_failure_leaves_the_old_image_alone() {
    let world = World::new();
    world.write("out.iso", b"old");
    fs::remove_file(world.path("store").join("blobs/sha256").join(image_digest_hex(&world))).unwrap();
    let error = compose(&world.inputs(), EPOCH, &mut |_| ()).unwrap_err();
    assert!(matches!(error, ComposeError::Catalog(CatalogError::BlobMissing { .. })), "{error}");
    assert_eq!(fs::read(world.path("out.iso")).unwrap(), b"old");
}

fn image_digest_hex(world: &World) -> String {
    let layout = Layout::open(world.path("store")).unwrap();
    let entries = layout.extensions();
    let chosen = entries.iter().find(|entry| entry.version.to_string() == "1.0.0").unwrap();
    layout.read_extension(&chosen.descriptor).unwrap().image.digest.hex()
}

#[test]
fn equal_inputs_in_different_places_give_equal_bytes() {
    let (one, two) = (World::new(), World::new());
    done(&one);
    done(&two);
    assert!(fs::read(one.path("out.iso")).unwrap() == fs::read(two.path("out.iso")).unwrap());
}

#[test]
fn patches_change_what_is_chosen() {
    let world = World::new();
    world.write(
        "patch.yaml",
        b"apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions:\n- {name: demo, version: \"*\"}\n",
    );
    let plan = plan(&Inputs { patches: vec![world.path("patch.yaml")], ..world.inputs() }).unwrap();
    assert_eq!(plan.extensions[0].entry.version.to_string(), "1.1.0");
}

#[test]
fn the_plan_says_what_will_be_where_and_who_has_signed_it() {
    let world = World::new();
    world.edit("machine.yaml", "~1.0", "\"*\"");
    let text = plan(&world.inputs()).unwrap().to_string();
    let text = text.replace(world.path("").to_str().unwrap(), "");
    insta::with_settings!({filters => vec![("sha256:[0-9a-f]{64}", "DIGEST")]}, {
        insta::assert_snapshot!(text, @r"
    base: debian 12.0.0 for amd64, kernel 6.1.0-56-cloud-amd64
    kernel command line: quiet panic=10 console=ttyS0
    initramfs:
      /dev/
      /dev/console: character device 5:1
      /init: program, 120 bytes
      /proc/
      /run/
      /sys/
      /sysroot/
      /tenon/
      /tenon/base.json: 236 bytes
      /tenon/modules/
      /tenon/modules/isofs.ko: 5 bytes
      /tenon/modules/sr_mod.ko: 6 bytes
      /tenon/trust.yaml: 241 bytes
    medium, volume TENON:
      /tenon/base.json: 236 bytes
      /tenon/machine.yaml: 88 bytes
      /tenon/root.squashfs: base/root.squashfs
      /tenon/store: from store
        demo 1.1.0 DIGEST
          will be refused: demo is not signed: there is no signature bundle for DIGEST
    ");
    });
    let signed = plan(&World::new().inputs()).unwrap().to_string();
    assert!(signed.ends_with("signed by publisher\n"), "{signed}");
}

#[test]
fn the_steps_are_told_in_order() {
    let mut steps = Vec::new();
    compose(&World::new().inputs(), EPOCH, &mut |step| steps.push(step)).unwrap();
    use Step::{CopyExtensions, LinkKernel, PackInitramfs, Read, WriteImage};
    assert_eq!(steps, [Read, PackInitramfs, LinkKernel, CopyExtensions, WriteImage]);
}

#[test]
fn a_schematic_that_is_not_whole_is_refused() {
    insta::assert_snapshot!(refusal_after(|w| w.edit("schematic.yaml", "machineConfig: machine.yaml\n", "")), @r"
    1: schematic.yaml:6:1: missing field `machineConfig`
       |
     6 | kernelArgs: [console=ttyS0]
       | ^
    hint: a schematic has apiVersion: v1alpha1, kind: Schematic, base, machineConfig, trust, extensions (oci:DIRECTORY) and, if wanted, trustUpdates and kernelArgs
    ");
    insta::assert_snapshot!(refusal_after(|w| w.edit("schematic.yaml", "machine.yaml", "gone.yaml")), @r"
    2: cannot read gone.yaml
    caused by: No such file or directory (os error 2)
    hint: check the path; those in a schematic are relative to the directory that it is in
    ");
    insta::assert_snapshot!(refusal_after(|w| w.edit("schematic.yaml", "console=ttyS0", &"x".repeat(2040))), @r"
    1: the kernel command line has 2055 bytes; the kernel reads 2047
    hint: leave out some of kernelArgs
    ");
}

#[test]
fn a_base_that_is_not_what_it_describes_is_refused() {
    insta::assert_snapshot!(refusal_after(|w| w.write("base/root.squashfs", b"root IMAGE")), @r"
    1: base/root.squashfs has the digest sha256:00805b8d5ad3b68c8f050bea891557a91feb21da3c1e4532029f890e00304b75 where the base describes sha256:8bce2282dd938d7f1346b91ee94d2cd8a3908ac8ab678d9f4a54fc08280d4b0f
    hint: write the base directory again with extbuild base
    ");
    insta::assert_snapshot!(refusal_after(|w| w.write("base/root.squashfs", b"longer root image")), @r"
    1: base/root.squashfs has 17 bytes where the base describes 10
    hint: write the base directory again with extbuild base
    ");
    insta::assert_snapshot!(refusal_after(|w| w.write("base/vmlinuz", b"\x7fELF")), @r"
    1: base/vmlinuz is not a kernel that UEFI firmware can start on amd64
    hint: use a compressed kernel image built with CONFIG_EFI_STUB=y
    ");
    insta::assert_snapshot!(refusal_after(|w| w.write("base/base.json", b"{}")), @r"
    1: base/base.json is not the description of a base
    caused by: missing field `schemaVersion` at line 1 column 2
    hint: write the base directory again with extbuild base
    ");
    insta::assert_snapshot!(refusal_after(|w| w.edit("base/base.json", "\"schemaVersion\":1", "\"schemaVersion\":2")), @r"
    1: base/base.json has schemaVersion 2; this program reads 1
    hint: use a newer version of this program
    ");
    insta::assert_snapshot!(refusal_after(|w| fs::remove_file(w.path("base/boot-modules/isofs.ko")).unwrap()), @r"
    2: cannot read base/boot-modules/isofs.ko
    caused by: No such file or directory (os error 2)
    hint: write the base directory again with extbuild base
    ");
}

#[test]
fn a_config_policy_or_layout_that_cannot_be_used_is_refused() {
    insta::assert_snapshot!(refusal_after(|w| w.edit("machine.yaml", "ExtensionsConfig", "Other")), @r"
    1: machine.yaml: no document with kind: ExtensionsConfig
    hint: start a document with apiVersion: v1alpha1 and kind: ExtensionsConfig
    ");
    insta::assert_snapshot!(refusal_after(|w| w.edit("trust.yaml", "[\"*\"]", "[]")), @r#"
    1: trust.yaml: publisher is trusted for no extensions
    hint: list names or patterns under extensions:, or "*" for all; a key that signs none has other roles:
    "#);
    insta::assert_snapshot!(refusal_after(|w| fs::remove_dir_all(w.path("store")).unwrap()), @r"
    2: store is not an OCI image layout: it has no oci-layout file
    hint: name a directory that an extension was built or copied into
    ");
}

#[test]
fn an_extension_that_is_not_there_is_named_with_what_is() {
    insta::assert_snapshot!(refusal_after(|w| w.edit("machine.yaml", "~1.0", "^2.0")), @r"
    1: no version of demo in the range ^2.0 for amd64 is in store: it has 1.1.0 (amd64), 1.0.0 (amd64)
    hint: change the version in the machine config, or build that version into the layout
    ");
    insta::assert_snapshot!(refusal_after(|w| w.edit("machine.yaml", "demo", "absent")), @r"
    1: no version of absent in the range ~1.0 for amd64 is in store: it has none
    hint: build absent into the layout, or take it out of the machine config
    ");
    insta::assert_snapshot!(refusal_after(|w| w.edit("store/index.json", "amd64", "arm64")), @r"
    1: no version of demo in the range ~1.0 for amd64 is in store: it has 1.1.0 (arm64), 1.0.0 (arm64)
    hint: change the version in the machine config, or build that version into the layout
    ");
}

#[test]
fn programs_that_cannot_start_are_refused() {
    insta::assert_snapshot!(refusal_after(|w| w.write("extruntime", &fs::read("/bin/sh").unwrap())), @r#"
    1: extruntime cannot be the boot program
    caused by: it is linked dynamically, so the kernel could not start it as /init
    hint: build extruntime with RUSTFLAGS="-C target-feature=+crt-static"
    "#);
    insta::assert_snapshot!(refusal_after(|w| w.write("stub", b"MZ")), @r"
    1: stub cannot be the boot stub
    caused by: the stub is not a sound UEFI program
    caused by: it is cut short
    hint: give systemd's stub for the machine, such as linuxx64.efi.stub of the package systemd-boot-efi
    ");
    insta::assert_snapshot!(refusal_after(|w| fs::remove_file(w.path("stub")).unwrap()), @r"
    2: cannot read stub
    caused by: No such file or directory (os error 2)
    hint: check the path; those in a schematic are relative to the directory that it is in
    ");
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let world = World::new();
    let inputs = Inputs { output: world.path("no/such/out.iso"), ..world.inputs() };
    let error = compose(&inputs, EPOCH, &mut |_| ()).unwrap_err();
    assert_eq!(error.outcome().exit_code(), 2);
    assert!(error.to_string().starts_with("cannot write in "), "{error}");
}

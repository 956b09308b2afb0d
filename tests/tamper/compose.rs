//! Media that `extfactory` composes from what is in a world.

use std::fs;

use tests::{Context, boot_program, inputs};

use crate::world::World;

/// What `extfactory` is told in the directory of [`workshop`].
pub const COMPOSE: [&str; 8] =
    ["compose", "schematic.yaml", "-o", "out.iso", "--runtime", "extruntime", "--stub", "stub.efi"];

/// A directory with a schematic of the world, and with what a medium is made of beside it. None of it is ever started.
pub fn workshop(world: &World) -> Context {
    let context = Context::new();
    let stub = fs::read(inputs().join("stub/linuxx64.efi.stub")).unwrap();
    // A root image of no bytes is what the base of every world describes; the stub is a program for UEFI, as a kernel is.
    fs::write(world.base().join("root.squashfs"), "").unwrap();
    fs::write(world.base().join("vmlinuz"), &stub).unwrap();
    context.write("stub.efi", stub);
    context.write("extruntime", boot_program());
    let tenon = world.medium().join("tenon");
    let mut schematic = format!(
        "apiVersion: v1alpha1\nkind: Schematic\nbase: {}\nmachineConfig: {}\ntrust: {}\nextensions: oci:{}\n",
        world.base().display(),
        tenon.join("machine.yaml").display(),
        world.trust().display(),
        world.store_dir().display(),
    );
    if tenon.join("trust").exists() {
        schematic += &format!("trustUpdates: {}\n", tenon.join("trust").display());
    }
    context.write("schematic.yaml", schematic);
    context
}

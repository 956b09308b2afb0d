//! Media that `extfactory` composes from what is in a world.

use std::fs;
use std::path::Path;

use spec::ReasonCode;
use tests::{Context, boot_program, inputs};

use crate::harness::{Outcome, Programs, files};
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

impl Programs {
    /// Composes a medium for a machine that must get all that it wants. There is a medium if that went well, and
    /// otherwise nothing that was not there before.
    pub fn compose(&self, world: &World, more: &[&str]) -> Outcome {
        let context = workshop(world);
        let before = files(context.dir());
        let mut extfactory = self.command(self.path("TENON_EXTFACTORY", "extfactory"));
        let said = context.run(extfactory.args(COMPOSE).args(more));
        let mut after = files(context.dir());
        let image = after.remove(Path::new("out.iso"));
        assert_eq!(image.is_some(), said.code == Some(0), "{said}");
        assert_eq!(after, before, "something is left behind: {said}");
        let text = format!("{}{}", said.stdout, said.stderr);
        let mut reasons = vec![(None, text.clone())];
        reasons.extend(text.lines().filter_map(refusal));
        Outcome { code: said.code, reasons, said: text }
    }
}

/// Reads `warning: the machine will refuse NAME: SENTENCE (CODE)`.
fn refusal(line: &str) -> Option<(Option<ReasonCode>, String)> {
    let (_, reason) = line.split_once("the machine will refuse ")?;
    let (sentence, code) = reason.strip_suffix(')')?.rsplit_once(" (")?;
    Some((Some(serde_json::from_value(code.into()).ok()?), sentence.to_owned()))
}

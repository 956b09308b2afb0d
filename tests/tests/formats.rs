//! The examples of docs/formats.md are read by the programs that the page is about.

use tests::{Context, root};

/// The YAML block of that kind.
fn example(kind: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/formats.md")).expect("the page is there");
    let mut blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let block = blocks.find(|block| block.contains(&format!("kind: {kind}\n")));
    block.unwrap_or_else(|| panic!("docs/formats.md has no example of kind {kind}")).to_owned()
}

/// Each example gets past its reader: what is missing is what it speaks of, and not a field.
#[test]
fn examples_are_read() {
    let context = Context::new();
    let complaint = |said: tests::Said| said.stderr.lines().next().unwrap_or_default().to_owned();

    context.write("extension.yaml", example("Extension"));
    context.write("kernel/lib/modules/6.1.0/kernel/x", "");
    assert_eq!(
        complaint(context.extbuild(&["check", "extension.yaml"])),
        "error: extension.yaml: the extension has kernel modules, and no kernel was given"
    );

    context.write("base.yaml", example("Base"));
    assert_eq!(
        complaint(context.extbuild(&["base", "base.yaml", "--kernel", "nowhere", "-o", "out"])),
        "error: cannot read nowhere"
    );

    context.write("schematic.yaml", example("Schematic"));
    context.write("machine.yaml", example("ExtensionsConfig"));
    context.write("trust.yaml", example("TrustPolicy"));
    let said = context.extfactory(&["compose", "schematic.yaml", "--runtime", "x", "-o", "out.iso"]);
    assert!(complaint(said).starts_with("error: store "), "the layout is the first thing that is missing");

    context.extbuild(&["trust", "explain", "--trust", "trust.yaml"]).ok();
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    for kind in ["TrustPolicy", "Revocation", "ExtensionSet"] {
        context.write("document.yaml", example(kind));
        context.extbuild(&["trust", "sign", "document.yaml", "--key", "key.pem"]).ok();
    }
}
